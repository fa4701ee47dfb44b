//! The evidence on the page: what is known about signals of this kind, for people who know no
//! statistics, with the figures behind it.

use std::time::Duration;

use finstage_model::{Card, Proof as Figures, Timestamp};

use super::Page;
use crate::backtest::{Escaped, amount, percent};

/// What a ruling rests on.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The figures that went with the alert.
    pub figures: &'a Figures,
    /// The whole card, as long as it is in force.
    pub card: Option<&'a Card>,
}

/// A value with the ends of its 95 % interval, as fractions.
#[derive(Debug, Clone, Copy)]
struct Span {
    value: f64,
    low: f64,
    high: f64,
}

impl Span {
    fn of(value: Option<f64>, low: Option<f64>, high: Option<f64>) -> Option<Self> {
        Some(Self { value: value?, low: low?, high: high? })
    }
}

/// What a span is drawn against: a value and what it is.
struct Against<'a>(f64, &'a str);

impl Page {
    /// The card in words, drawings and figures. `at` is when the signal was known.
    pub(super) fn evidence(&mut self, verdict: &str, evidence: &Evidence<'_>, at: Timestamp) {
        if let Some(card) = evidence.card {
            self.put(format_args!("<p class=\"say\">{}</p>\n", Escaped(&card.words)));
        }
        let verdict = match verdict {
            "verified" | "rejected" => verdict,
            _ => "unproven",
        };
        self.put(format_args!("<div class=\"cases\">\n"));
        self.how_often(verdict, evidence.figures);
        self.how_much(verdict, evidence);
        self.how_likely_luck(evidence);
        self.how_fresh(evidence, at);
        self.put(format_args!("</div>\n"));
        match evidence.card {
            Some(card) => {
                self.against(card);
                self.details(card);
            }
            None => self.put(format_args!(
                "<p class=\"quiet\">Card {}. A newer one is in force since; these are the figures that \
                 the signal was judged by.</p>\n",
                evidence.figures.card
            )),
        }
    }

    fn how_often(&mut self, verdict: &str, figures: &Figures) {
        let Figures { horizon, n, n_eff, .. } = *figures;
        self.put(format_args!(
            "<div class=\"case\"><h3>How often was it right?</h3>\n<p>There were {} signals like this one, on \
             {} separate occasions that do not overlap in time. ",
            amount(n as f64, 0),
            amount(n_eff as f64, 0)
        ));
        let span = Span::of(figures.hit_rate, figures.hit_low, figures.hit_high);
        let (Some(span), Some(base)) = (span, figures.base_rate) else {
            self.put(format_args!("That is too few to say how often.</p></div>\n"));
            return;
        };
        let share = |value: f64| format!("{:.1} %", 100.0 * value);
        self.put(format_args!(
            "{horizon} later the price had gone the expected way after <b>{}</b> of them. Of any bars it \
             had after {}.</p>\n",
            share(span.value),
            share(base)
        ));
        let against = Against(base, "any bars");
        self.drawing((verdict, span), &against, &share);
        self.put(format_args!("</div>\n"));
    }

    fn how_much(&mut self, verdict: &str, evidence: &Evidence<'_>) {
        let figures = evidence.figures;
        self.put(format_args!("<div class=\"case\"><h3>Was it worth the cost?</h3>\n<p>"));
        let span = Span::of(figures.theta_net, figures.net_low, figures.net_high);
        let Some(span) = span else {
            self.put(format_args!("There is too little to say.</p></div>\n"));
            return;
        };
        let part = |value: f64| percent(100.0 * value);
        let costs = evidence.card.map_or_else(
            || "costs".to_owned(),
            |card| format!("costs of {:.2} % for a round trip", 200.0 * card.cost),
        );
        self.put(format_args!(
            "Compared with entering on just any bar, it came to <b>{}</b> a time after {costs}",
            part(span.value)
        ));
        if let Some(mean) = figures.mean_net {
            self.put(format_args!(", and to {} without that comparison", part(mean)));
        }
        let sense = if span.low > 0.0 {
            "The whole 95 % interval lies above zero: the edge was there"
        } else if span.high < 0.0 {
            "The whole 95 % interval lies below zero: it lost"
        } else {
            "The 95 % interval includes zero: there may be no edge at all"
        };
        self.put(format_args!(". {sense}.</p>\n"));
        self.drawing((verdict, span), &Against(0.0, "zero"), &part);
        self.put(format_args!("</div>\n"));
    }

    fn how_likely_luck(&mut self, evidence: &Evidence<'_>) {
        let figures = evidence.figures;
        self.put(format_args!("<div class=\"case\"><h3>Could it be luck?</h3>\n<p>"));
        if let Some(p) = evidence.card.and_then(|card| card.p_value) {
            self.put(format_args!(
                "A rule that knows nothing does as well with a chance of <b>{}</b> (p). ",
                chance(p)
            ));
        }
        let tried = amount(figures.family as f64, 0);
        match figures.q_value {
            Some(q) => self.put(format_args!(
                "But {tried} such questions were asked in all, and whoever asks often finds something: with \
                 all of them counted, <b>{}</b> of what looks as good as this is luck (q).",
                chance(q)
            )),
            None => self.put(format_args!(
                "With so few occasions that cannot be told; {tried} other questions could be."
            )),
        }
        if let Some(card) = evidence.card {
            match card.look {
                0 => self.put(format_args!(
                    " This was not one of the looks at which an idea may be promoted."
                )),
                look => self.put(format_args!(
                    " This was look number {look} at the idea, where q may be {} at most.",
                    chance(card.threshold)
                )),
            }
        }
        self.put(format_args!("</p></div>\n"));
    }

    fn how_fresh(&mut self, evidence: &Evidence<'_>, at: Timestamp) {
        let figures = evidence.figures;
        self.put(format_args!("<div class=\"case\"><h3>How fresh is it?</h3>\n<p>"));
        if let Some((from, to)) = evidence.card.and_then(|card| Some((card.from?, card.to?))) {
            self.put(format_args!("It rests on bars from {} to {}. ", from.day(), to.day()));
        }
        self.put(format_args!(
            "At the end of the signal's bar, the evidence was <b>{}</b> old; it counts until {}.</p></div>\n",
            age(at.since(figures.issued)),
            figures.expires
        ));
    }

    /// A value with its interval on a line, with what it is compared with.
    fn drawing(
        &mut self,
        (verdict, span): (&str, Span),
        against: &Against<'_>,
        words: &dyn Fn(f64) -> String,
    ) {
        let Span { value, low, high } = span;
        let &Against(other, name) = against;
        let (first, last) = (low.min(other), high.max(other));
        let room = 0.08 * (last - first).max(f64::MIN_POSITIVE);
        let at = |value: f64| 100.0 * (value - first + room) / (last - first + 2.0 * room);
        // Each label is shifted by as much of itself as its place is of the line: none leaves the page.
        let (other_at, value_at) = (at(other), at(value));
        self.put(format_args!(
            "<div class=\"span {verdict}\"><em style=\"left:{other_at:.2}%;\
             transform:translateX(-{other_at:.2}%)\">{name} {}</em>\
             <i style=\"left:{other_at:.2}%\"></i><b style=\"left:{:.2}%;width:{:.2}%\"></b>\
             <u style=\"left:{value_at:.2}%\"></u><small style=\"left:{value_at:.2}%;\
             transform:translateX(-{value_at:.2}%)\">{}, 95 %: {} to {}</small></div>\n",
            if other == 0.0 { String::new() } else { words(other) },
            at(low),
            at(high) - at(low),
            words(value),
            words(low),
            words(high),
        ));
    }

    fn against(&mut self, card: &Card) {
        if card.reasons.is_empty() {
            self.put(format_args!(
                "<p>Nothing stands against it: all that is asked of an idea holds.</p>\n"
            ));
            return;
        }
        self.put(format_args!("<p>What stands against it:</p>\n<ul>\n"));
        for reason in &card.reasons {
            self.put(format_args!("<li>{}</li>\n", Escaped(reason.words())));
        }
        self.put(format_args!("</ul>\n"));
    }

    /// What somebody needs who measures it again.
    fn details(&mut self, card: &Card) {
        let members: Vec<String> = card
            .members
            .iter()
            .map(|member| format!("{} ({} signals)", member.symbol, member.n))
            .collect();
        let rows = [
            ("Card", card.id.to_string()),
            ("Measured on", members.join(", ")),
            ("Bars", format!("{}, data hash {}", card.interval, card.data_hash)),
            ("Horizon", format!("{}, {} bars after the entry", card.horizon, card.horizon_bars)),
            ("Parameters", "conventional; others chose them with hindsight".to_owned()),
            ("Smallest edge that would be seen", maybe(card.mde)),
            ("Last third of the time", maybe(card.theta_last_third)),
            ("Against bars of the same volatility", maybe(card.theta_volatility_matched)),
            ("Bootstrap", format!("{} draws, seed {}", card.draws, card.seed)),
            ("Ledger of trials", card.ledger_head.clone()),
            ("Made by", format!("finstage {}", card.code_version)),
        ];
        self.put(format_args!(
            "<details><summary>Figures to measure it again</summary>\n\
             <div class=\"wide\"><table class=\"terms\"><tbody>\n"
        ));
        let news = card.news.as_ref().map(|news| ("News", news.words()));
        for (name, value) in rows.into_iter().chain(news) {
            self.put(format_args!("<tr><th>{name}</th><td>{}</td></tr>\n", Escaped(&value)));
        }
        self.put(format_args!("</tbody></table></div></details>\n"));
    }
}

fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| percent(100.0 * value))
}

/// A chance as percent, never as nothing.
fn chance(value: f64) -> String {
    let value = 100.0 * value;
    if value < 0.01 {
        return "less than 0.01 %".to_owned();
    }
    let text = format!("{value:.2}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Days, or hours and minutes below two days.
fn age(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes {
        0..60 => format!("{minutes} minutes"),
        60..2_880 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_and_ages_are_said_as_people_say_them() {
        for (value, text) in [
            (0.03, "3 %"),
            (0.4, "40 %"),
            (0.000_48, "0.05 %"),
            (1e-6, "less than 0.01 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(chance(value), text);
        }
        let of = |minutes: u64| age(Duration::from_secs(60 * minutes));
        assert_eq!([of(3), of(195), of(5 * 1_440)], ["3 minutes", "3 h 15 min", "5 days"]);
    }
}
