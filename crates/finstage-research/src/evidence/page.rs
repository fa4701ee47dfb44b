//! One page about a run: everything in one file, no script, no request to anywhere. The same run gives
//! the same bytes.

use std::fmt::{self, Write};

use finstage_model::{Card, CardVerdict, ClaimKind, Horizon, Interval, OutOfSample};

use super::{Choice, Chosen, Evidence, LIMITS};

/// Cards shown with their details; further ones are counted.
const MAX_CARDS: usize = 1_000;
/// Rows of one drawing; those after it stand in the list.
const MAX_DRAWN: usize = 150;

/// Hypotheses whose choices are shown; further ones are counted.
const MAX_CHOSEN: usize = 60;

const STYLE: &str = include_str!("page.css");

/// What the words on the page mean.
const WORDS: &[&str] = &[
    "Verified: enough separate occasions, better than random entry after costs, not explained by the \
     number of ideas tested, by volatility or by an early part of the data, on data without holes.",
    "Unproven: nothing proves it and nothing refutes it. Promising: better than usual so far, but luck \
     explains it. No edge seen: an edge worth the cost is ruled out. Too little data: no useful edge \
     could have been seen. Inconclusive: no sign of an edge, none ruled out.",
    "Rejected: the data speak against it, or costs eat it.",
    "Net edge: mean return after the signal in its direction, less what the same instruments did over \
     all bars, less a round trip of costs. The bar is its 95 % interval.",
    "Separate occasions: events that do not overlap in time, over all instruments of the group.",
    "q: the false discovery rate at which the row would count as found, given everything ever tried.",
    "Size: moves were larger than usual, in either direction; costs are not counted.",
];

/// A page of HTML about the evidence. `made_by` is the version of the program.
#[must_use]
pub fn page(evidence: &Evidence, made_by: &str) -> String {
    let mut page = Page(String::with_capacity(200_000));
    page.head(evidence);
    page.forest(evidence);
    page.cards(evidence);
    page.choices(&evidence.chosen);
    page.list("What the words mean", WORDS);
    page.list("What this cannot say", LIMITS);
    let seed = evidence.seed;
    page.put(format_args!(
        "<footer>Made by finstage {}, seed {seed}. Statements about the past, no advice.</footer>\n\
         </main></body></html>\n",
        Escaped(made_by)
    ));
    page.0
}

struct Page(String);

impl Page {
    fn put(&mut self, text: fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a string cannot fail");
    }

    fn head(&mut self, evidence: &Evidence) {
        self.put(format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <title>Evidence</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n\
             <h1>Evidence</h1>\n<p class=\"say\">{}</p>\n<div class=\"tiles\">\n",
            Escaped(&evidence.summary)
        ));
        let of = |verdict: CardVerdict| {
            evidence.rows.iter().filter(|card| card.verdict == verdict).count().to_string()
        };
        let rate = |value: f64| format!("{} %", trimmed(100.0 * value));
        let tiles = [
            ("Verified", of(CardVerdict::Verified)),
            ("Unproven", of(CardVerdict::Unproven)),
            ("Rejected", of(CardVerdict::Rejected)),
            ("Ever tried", evidence.trials_total.to_string()),
            ("Accepted false discoveries", rate(evidence.fdr)),
            ("Cost a side", rate(evidence.cost)),
        ];
        for (name, value) in tiles {
            self.put(format_args!(
                "<div class=\"tile\"><span>{name}</span><b>{}</b></div>\n",
                Escaped(&value)
            ));
        }
        self.put(format_args!("</div>\n"));
    }

    /// Net edges with their intervals, a drawing for each horizon and claim.
    fn forest(&mut self, evidence: &Evidence) {
        self.put(format_args!("<section><h2>Net edges and their 95 % intervals</h2>\n"));
        let mut kinds: Vec<(ClaimKind, Interval, Horizon)> =
            evidence.rows.iter().map(|card| (card.claim, card.interval, card.horizon)).collect();
        kinds.sort();
        kinds.dedup();
        for (claim, interval, horizon) in kinds {
            let is_kind = |card: &&Card| {
                (card.claim, card.interval, card.horizon) == (claim, interval, horizon)
            };
            let rows: Vec<Span<'_>> =
                evidence.rows.iter().filter(is_kind).filter_map(Span::of).take(MAX_DRAWN).collect();
            if rows.is_empty() {
                continue;
            }
            let what = match claim {
                ClaimKind::Direction => "direction, after costs",
                ClaimKind::Size => "size of the move, more than usual",
            };
            self.put(format_args!("<h3>{horizon} on {interval} bars · {what}</h3>\n"));
            self.drawing(&rows);
        }
        self.put(format_args!("</section>\n"));
    }

    fn drawing(&mut self, rows: &[Span<'_>]) {
        let low = rows.iter().map(|row| row.low).fold(0.0f64, f64::min);
        let high = rows.iter().map(|row| row.high).fold(0.0f64, f64::max);
        let width = (high - low).max(f64::MIN_POSITIVE);
        let at = |value: f64| 100.0 * (value - low) / width;
        self.put(format_args!("<div class=\"forest\">\n"));
        for row in rows {
            let (verdict, card) = (row.card.verdict, row.card);
            let label = Label(card).to_string();
            self.put(format_args!(
                "<div class=\"name\">{}</div><div class=\"track {verdict}\" title=\"{}\">\
                 <i style=\"left:{:.2}%\"></i><b style=\"left:{:.2}%;width:{:.2}%\"></b>\
                 <u style=\"left:{:.2}%\"></u></div>\n",
                Escaped(&label),
                Escaped(&edge(card)),
                at(0.0),
                at(row.low),
                at(row.high) - at(row.low),
                at(row.net),
            ));
        }
        self.put(format_args!(
            "<div></div><div class=\"scale\"><span style=\"left:0\">{}</span>\
             <span style=\"left:{:.2}%\">0</span><span style=\"left:100%\">{}</span></div>\n</div>\n",
            percent(low),
            at(0.0),
            percent(high)
        ));
    }

    fn cards(&mut self, evidence: &Evidence) {
        self.put(format_args!("<section><h2>Cards</h2>\n"));
        for card in evidence.rows.iter().take(MAX_CARDS) {
            self.card(card);
        }
        if let Some(more) = evidence.rows.len().checked_sub(MAX_CARDS).filter(|&more| more > 0) {
            self.put(format_args!(
                "<p class=\"quiet\">and {more} more: -o FILE.json has all</p>\n"
            ));
        }
        self.put(format_args!("</section>\n"));
    }

    fn card(&mut self, card: &Card) {
        let grade = card.grade.map_or("", |grade| grade.as_str()).replace('_', " ");
        let (verdict, label) = (card.verdict, Label(card).to_string());
        self.put(format_args!(
            "<details><summary><span class=\"{verdict}\">{verdict}</span><span>{}</span>\
             <span>{} {}</span><span>{}</span><span>{grade}</span>\
             <span class=\"words\">{}</span></summary>\n<div class=\"facts\">",
            Escaped(&label),
            card.horizon,
            card.claim,
            Escaped(&edge(card)),
            Escaped(&card.words)
        ));
        let mut facts = facts(card);
        let later = facts.split_off(facts.len().div_ceil(2));
        for half in [facts, later] {
            self.put(format_args!("<table><tbody>\n"));
            for (name, value) in half {
                self.put(format_args!("<tr><th>{name}</th><td>{}</td></tr>\n", Escaped(&value)));
            }
            self.put(format_args!("</tbody></table>"));
        }
        self.put(format_args!("</div></details>\n"));
    }

    /// Which parameters were chosen for each fold.
    fn choices(&mut self, chosen: &[Chosen]) {
        if chosen.is_empty() {
            return;
        }
        self.put(format_args!("<section><h2>What was chosen</h2>\n"));
        for one in chosen.iter().take(MAX_CHOSEN) {
            let (scope, horizon, claim) = (Escaped(&one.scope), one.horizon, one.claim);
            self.put(format_args!(
                "<h3>{scope} · {horizon} {claim}</h3>\n<table class=\"folds\"><thead><tr><th>fold</th>\
                 <th>parameters</th><th>t before it</th><th>occasions before it</th>\
                 <th>events in it</th></tr></thead><tbody>\n"
            ));
            for fold in &one.folds {
                self.fold(fold);
            }
            self.put(format_args!("</tbody></table>\n"));
        }
        if let Some(more) = chosen.len().checked_sub(MAX_CHOSEN).filter(|&more| more > 0) {
            self.put(format_args!(
                "<p class=\"quiet\">and {more} more: -o FILE.json has all</p>\n"
            ));
        }
        self.put(format_args!("</section>\n"));
    }

    fn fold(&mut self, fold: &Choice) {
        let (from, until) = (fold.from.day(), fold.until.day());
        let strategy = fold.strategy.as_deref().unwrap_or("nothing: too few occasions");
        self.put(format_args!(
            "<tr><td>{from} to {until}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            Escaped(strategy),
            maybe(fold.t, |t| format!("{t:.2}").replace('-', "−")),
            fold.occasions,
            fold.events
        ));
    }

    fn list(&mut self, title: &str, items: &[&str]) {
        self.put(format_args!("<section><h2>{title}</h2>\n<ul>\n"));
        for item in items {
            self.put(format_args!("<li>{}</li>\n", Escaped(item)));
        }
        self.put(format_args!("</ul></section>\n"));
    }
}

/// A card that can be drawn.
struct Span<'a> {
    card: &'a Card,
    low: f64,
    net: f64,
    high: f64,
}

impl<'a> Span<'a> {
    fn of(card: &'a Card) -> Option<Self> {
        Some(Self { card, low: card.net_low?, net: card.theta_net?, high: card.net_high? })
    }
}

/// Strategy and scope; a line may break after a comma.
struct Label<'a>(&'a Card);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strategy = self.0.strategy.replace(',', ",\u{200b}").replace('(', "\u{200b}(");
        write!(f, "{strategy} · {}", self.0.scope)
    }
}

fn edge(card: &Card) -> String {
    match Span::of(card) {
        None => "–".to_owned(),
        Some(Span { low, net, high, .. }) => {
            format!("{} ({} to {})", percent(net), percent(low), percent(high))
        }
    }
}

fn percent(value: f64) -> String {
    let text = format!("{:.2} %", 100.0 * value);
    let text = if text.trim_start_matches('-') == "0.00 %" { "0.00 %".to_owned() } else { text };
    text.replace('-', "−")
}

/// At most four digits after the point, no zeros at the end.
fn trimmed(value: f64) -> String {
    format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn maybe(value: Option<f64>, words: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), words)
}

/// All figures of a card, name and value.
// a table: one line a figure
fn facts(card: &Card) -> Vec<(&'static str, String)> {
    let number = |value: f64| trimmed(value);
    let share = |value: Option<f64>| maybe(value, |value| format!("{:.1} %", 100.0 * value));
    let day = |moment: Option<finstage_model::Timestamp>| {
        moment.map_or_else(|| "–".to_owned(), |moment| moment.day().to_string())
    };
    let reasons: Vec<&str> = card.reasons.iter().map(|reason| reason.words()).collect();
    let members: Vec<String> =
        card.members.iter().map(|member| format!("{} {}", member.symbol, member.n)).collect();
    let years: Vec<String> = card.years_at_close.iter().map(i32::to_string).collect();
    let hit = format!(
        "{} ({} to {}), usually {}",
        share(card.hit_rate),
        share(card.hit_low),
        share(card.hit_high),
        share(card.base_rate)
    );
    let mut facts = vec![
        (
            "Why",
            if reasons.is_empty() { "every gate holds".to_owned() } else { reasons.join("; ") },
        ),
        ("Data", format!("{} to {}", day(card.from), day(card.to))),
        ("Events, separate occasions", format!("{}, {}", card.n, card.n_eff)),
        ("Events by instrument", members.join(", ")),
        ("Hit rate", hit),
        ("Mean return, usual return", {
            format!("{}, {}", maybe(card.mean_return, percent), maybe(card.base_return, percent))
        }),
        ("Edge before costs", maybe(card.theta, percent)),
        ("Edge to expect", maybe(card.shrunken, percent)),
        ("Standard error", maybe(card.se, percent)),
        ("Smallest edge that would be seen", maybe(card.mde, percent)),
        ("Last third, same volatility", {
            let parts = [card.theta_last_third, card.theta_volatility_matched];
            parts.map(|value| maybe(value, percent)).join(", ")
        }),
        ("p (bootstrap, Student)", {
            let parts = [card.p_value, card.p_boot, card.p_t];
            let [p, boot, t] = parts.map(|value| maybe(value, number));
            format!("{p} ({boot}, {t})")
        }),
        ("q (for any dependence)", {
            format!("{} ({})", maybe(card.q_value, number), maybe(card.q_by, number))
        }),
        ("Family, look, threshold", {
            format!("{}, {}, {}", card.family, card.look, trimmed(card.threshold))
        }),
        ("Sharpe probability (deflated)", {
            format!("{} ({})", maybe(card.psr, number), maybe(card.dsr, number))
        }),
        ("Parameter sets searched", {
            format!("{}, worth {}", card.parameter_sets, trimmed(card.k_eff))
        }),
        (
            "Parameters",
            match card.oos_kind {
                OutOfSample::WalkForward => "chosen on earlier data only".to_owned(),
                _ => "conventional; others chose them with hindsight".to_owned(),
            },
        ),
        ("Best set overfitted", share(card.pbo)),
        ("Warm-up, horizon, block", {
            format!("{}, {}, {} bars", card.warmup_bars, card.horizon_bars, card.mean_block)
        }),
        ("Left out for gaps", format!("{:.2} % of bars", 100.0 * card.missing_share)),
        ("Card, data", format!("{}, {}", card.id, card.data_hash)),
        ("Issued, expires", format!("{}, {}", card.issued, card.expires)),
    ];
    if let Some(news) = &card.news {
        facts.push(("News", news.words()));
    }
    if !years.is_empty() {
        facts.push(("Entered at the close", format!("{}: opens repeat it", years.join(", "))));
    }
    facts
}

/// Text with the characters replaced that mean something in HTML.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}
