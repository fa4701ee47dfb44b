//! An outcome in words and tables: what there is to say, once for all forms.

use super::super::figures::{bytes, count, maybe_time, moment, percent, rate, time};
use super::super::findings::in_flight;
use super::super::{Kind, Messages, Phase, Severity};
use super::words::{Words, words};
use super::{Language, Options, Outcome};

/// A report: the same for every form.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// The figures that are seen first.
    pub(super) tiles: Vec<(String, String)>,
    pub(super) sections: Vec<Section>,
    pub(super) footer: String,
}

pub(super) struct Section {
    /// What it is about: for what is drawn beside it.
    pub(super) about: About,
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Summary,
    Latency,
    Findings,
    Errors,
    Settings,
    Other,
}

pub(super) enum Block {
    /// Names and what they are.
    Pairs(Vec<(String, String)>),
    /// Columns, texts first.
    Table {
        texts: usize,
        names: Vec<String>,
        rows: Vec<Vec<String>>,
    },
    /// A finding: how grave, what it is called there, the text, what to do.
    Finding {
        severity: Severity,
        name: String,
        text: String,
        advice: Option<String>,
    },
    Quiet(String),
}

pub(super) fn compose(outcome: &Outcome, options: &Options<'_>) -> Page {
    let it =
        Composer { outcome, options, words: words(options.language), language: options.language };
    let kind = match outcome.kind {
        Kind::Http => it.words.kind_http,
        Kind::Burst => it.words.kind_burst,
        Kind::Ws => it.words.kind_ws,
    };
    let sections = [
        it.summary(),
        it.findings(),
        it.thresholds(),
        it.latency(),
        it.phases(),
        it.errors(),
        it.endpoints(),
        it.messages(),
        it.quota(),
        it.generator(),
        it.settings(),
    ];
    Page {
        title: format!("{}: {}", it.words.title, outcome.target),
        subtitle: format!("{kind} · {} · {}", options.started, moment(outcome.elapsed_s)),
        tiles: it.tiles(),
        sections: sections.into_iter().flatten().collect(),
        footer: it.words.made.replace("{by}", options.made_by),
    }
}

struct Composer<'a> {
    outcome: &'a Outcome,
    options: &'a Options<'a>,
    words: &'static Words,
    language: Language,
}

impl Composer<'_> {
    /// A count with its share of what was sent.
    fn part(&self, part: u64) -> String {
        let share = part as f64 / self.outcome.sent.max(1) as f64;
        format!("{} ({})", count(part), percent(share, self.language))
    }

    fn per_second(&self, per_second: f64) -> String {
        format!("{}{}", rate(per_second), self.words.per_second)
    }

    fn tiles(&self) -> Vec<(String, String)> {
        let (o, w) = (self.outcome, self.words);
        let share = |part: u64| percent(part as f64 / o.sent.max(1) as f64, self.language);
        let mut tiles = vec![
            (w.rps, self.per_second(o.rps)),
            ("p50", maybe_time(o.latency.p50_ms)),
            ("p99", maybe_time(o.latency.p99_ms)),
            ("p99.9", maybe_time(o.latency.p999_ms)),
            (w.ok, share(o.ok)),
        ];
        if let Some(messages) = &o.messages {
            tiles.push((w.received, self.per_second(messages.per_second)));
        }
        tiles.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn summary(&self) -> Option<Section> {
        let (o, w) = (self.outcome, self.words);
        let rows = [
            (w.start, self.options.started.to_owned()),
            (w.duration, moment(o.elapsed_s)),
            (w.sent, count(o.sent)),
            (w.ok, self.part(o.ok)),
            (w.failed, self.part(o.failed)),
            (w.rate_limited, self.part(o.rate_limited)),
            (w.shed, count(o.shed)),
            (w.rps, self.per_second(o.rps)),
        ];
        Some(Section { about: About::Summary, title: String::new(), blocks: vec![pairs(rows)] })
    }

    fn findings(&self) -> Option<Section> {
        let w = self.words;
        let mut advice: Vec<_> = self.outcome.recommendations.iter().collect();
        let mut blocks = Vec::new();
        for finding in &self.outcome.findings {
            // Each recommendation stands below the first finding of its name.
            let at = advice.iter().position(|advice| advice.finding == finding.what);
            let severity = match finding.severity {
                Severity::High => w.high,
                Severity::Medium => w.medium,
                Severity::Low => w.low,
                Severity::Info => w.info,
            };
            blocks.push(Block::Finding {
                severity: finding.severity,
                name: severity.to_owned(),
                text: finding.text.clone(),
                advice: at.map(|at| advice.remove(at).text.clone()),
            });
        }
        if blocks.is_empty() {
            blocks.push(Block::Quiet(w.no_findings.to_owned()));
        }
        Some(Section { about: About::Findings, title: w.findings.to_owned(), blocks })
    }

    fn thresholds(&self) -> Option<Section> {
        let w = self.words;
        let rows = self.outcome.thresholds.iter().map(|checked| {
            let is_time = ["us", "µs", "ms", "s"].iter().any(|unit| {
                checked
                    .threshold
                    .trim_end()
                    .strip_suffix(unit)
                    .is_some_and(|t| t.ends_with(|c: char| c.is_ascii_digit() || c == ' '))
            });
            let value = match checked.value {
                None => "–".to_owned(),
                Some(ms) if is_time => time(ms),
                Some(share) if checked.threshold.ends_with('%') => {
                    percent(share / 100.0, self.language)
                }
                Some(number) => rate(number),
            };
            let verdict = if checked.holds { w.holds } else { w.broken };
            vec![checked.threshold.clone(), value, verdict.to_owned()]
        });
        let names = [w.threshold, w.measured, ""];
        self.table(w.thresholds, 1, &names, rows.collect())
    }

    fn latency(&self) -> Option<Section> {
        let (w, due, sent) = (self.words, &self.outcome.latency, &self.outcome.service);
        let rows = [
            ("p50", due.p50_ms, sent.p50_ms),
            ("p90", due.p90_ms, sent.p90_ms),
            ("p95", due.p95_ms, sent.p95_ms),
            ("p99", due.p99_ms, sent.p99_ms),
            ("p99.9", due.p999_ms, sent.p999_ms),
            (w.max, due.max_ms, sent.max_ms),
            (w.mean, due.mean_ms, sent.mean_ms),
            (w.std, due.std_ms, sent.std_ms),
        ];
        let rows = rows.map(|(name, a, b)| vec![name.to_owned(), maybe_time(a), maybe_time(b)]);
        let mut rows = rows.to_vec();
        rows.push(vec![w.count.to_owned(), count(due.count), count(sent.count)]);
        let mut section = self.table(w.latency, 1, &["", w.since_due, w.since_sent], rows)?;
        section.about = About::Latency;
        section.blocks.push(Block::Quiet(w.latency_note.to_owned()));
        Some(section)
    }

    fn phases(&self) -> Option<Section> {
        let w = self.words;
        let rows = self.outcome.phases.iter().map(|(phase, times)| {
            let name = match phase {
                Phase::Queue => w.queue,
                Phase::Dns => w.dns,
                Phase::Connect => w.connect,
                Phase::Tls => w.tls,
                Phase::Upgrade => w.upgrade,
                Phase::FirstByte => w.first_byte,
                Phase::Body => w.body,
            };
            let times = [times.mean_ms, times.p50_ms, times.p95_ms, times.p99_ms, times.max_ms]
                .map(maybe_time);
            [vec![name.to_owned()], times.to_vec()].concat()
        });
        let names = [w.phase, w.mean, "p50", "p95", "p99", w.max];
        self.table(w.phases, 1, &names, rows.collect())
    }

    fn errors(&self) -> Option<Section> {
        let (o, w) = (self.outcome, self.words);
        let mut errors: Vec<_> = o.errors.iter().collect();
        errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let rows = errors.into_iter().map(|(name, &number)| {
            let share = percent(number as f64 / o.sent.max(1) as f64, self.language);
            vec![name.clone(), count(number), share]
        });
        let names = [w.error, w.number, w.share];
        let none = || Section {
            about: About::Errors,
            title: w.errors.to_owned(),
            blocks: vec![Block::Quiet(w.no_errors.to_owned())],
        };
        let section = self.table(w.errors, 1, &names, rows.collect());
        Some(section.map_or_else(none, |section| Section { about: About::Errors, ..section }))
    }

    fn endpoints(&self) -> Option<Section> {
        let w = self.words;
        let rows = self.outcome.endpoints.iter().map(|e| {
            let failed = percent(e.failed as f64 / e.sent.max(1) as f64, self.language);
            let times = [e.latency.p50_ms, e.latency.p95_ms, e.latency.p99_ms, e.latency.max_ms]
                .map(maybe_time);
            [vec![e.name.clone(), count(e.sent), failed], times.to_vec()].concat()
        });
        let names = [w.endpoint, w.sent, w.failed, "p50", "p95", "p99", w.max];
        self.table(w.endpoints, 1, &names, rows.collect())
    }

    fn messages(&self) -> Option<Section> {
        let (m, w): (&Messages, _) = (self.outcome.messages.as_ref()?, self.words);
        let clock = match (m.clock_offset_ms, m.clock_error_ms) {
            (Some(offset), Some(error)) => format!("{offset:+.1} ms ± {}", time(error)),
            _ => "–".to_owned(),
        };
        let times = |times: &[Option<f64>]| {
            times.iter().map(|ms| maybe_time(*ms)).collect::<Vec<_>>().join(" / ")
        };
        let rows = [
            (w.connections, format!("{} / {}", count(m.connections), count(m.open))),
            (w.ramp, m.ramp_s.map_or_else(|| "–".to_owned(), moment)),
            (w.received, format!("{} ({})", count(m.received), self.per_second(m.per_second))),
            (w.bytes, bytes(m.bytes)),
            (w.message_latency, times(&[m.latency.p50_ms, m.latency.p99_ms])),
            (w.clock, clock),
            (w.connect_time, times(&[m.connect.p50_ms, m.connect.p95_ms, m.connect.p99_ms])),
            (w.reconnects, count(m.reconnects)),
            (w.missed, [m.missed, m.repeated, m.unread].map(count).join(" / ")),
            (w.memory_each, bytes(m.bytes_per_connection)),
        ];
        Some(section(w.messages, vec![pairs(rows)]))
    }

    fn quota(&self) -> Option<Section> {
        let (q, w) = (&self.outcome.quota, self.words);
        let mut rows: Vec<(String, String)> =
            q.used.iter().map(|(name, used)| (name.clone(), count(*used))).collect();
        let moments = [
            (w.first_429, q.first_429_s),
            (w.retry_after, q.retry_after_s),
            (w.banned, q.banned_s),
        ];
        rows.extend(
            moments.iter().filter_map(|(name, s)| Some(((*name).to_owned(), moment((*s)?)))),
        );
        (!rows.is_empty()).then(|| section(w.quota, vec![Block::Pairs(rows)]))
    }

    fn generator(&self) -> Option<Section> {
        let (g, w) = (&self.outcome.generator, self.words);
        let lag = [g.lag.p50_ms, g.lag.p99_ms].map(maybe_time).join(" / ");
        let bound = match g.bound_by.join("; ") {
            why if why.is_empty() => g.bound_slices.to_string(),
            why => format!("{} ({why})", g.bound_slices),
        };
        let mut rows = vec![
            (w.lag.to_owned(), lag),
            (w.cpu.to_owned(), format!("{}, {:.1} µs", moment(g.cpu_s), g.cpu_us_per_request)),
            (w.memory.to_owned(), bytes(g.rss_bytes)),
            (w.opened.to_owned(), format!("{}, {}", count(g.connections), count(g.reconnects))),
            (
                w.descriptors.to_owned(),
                format!("{} / {}", count(g.descriptors), count(g.descriptor_limit)),
            ),
            (w.bound.to_owned(), bound),
        ];
        if let Some((counted, expected)) = in_flight(self.outcome) {
            rows.push((w.under_way.to_owned(), format!("{} / {}", rate(counted), rate(expected))));
        }
        Some(section(w.generator, vec![Block::Pairs(rows)]))
    }

    fn settings(&self) -> Option<Section> {
        let rows = self.outcome.settings.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), value)
        });
        let rows: Vec<_> = rows.collect();
        (!rows.is_empty()).then(|| Section {
            about: About::Settings,
            title: self.words.settings.to_owned(),
            blocks: vec![Block::Pairs(rows)],
        })
    }

    fn table(
        &self,
        title: &str,
        texts: usize,
        names: &[&str],
        rows: Vec<Vec<String>>,
    ) -> Option<Section> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        (!rows.is_empty()).then(|| section(title, vec![Block::Table { texts, names, rows }]))
    }
}

fn section(title: &str, blocks: Vec<Block>) -> Section {
    Section { about: About::Other, title: title.to_owned(), blocks }
}

fn pairs<const N: usize>(rows: [(&str, String); N]) -> Block {
    Block::Pairs(rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
