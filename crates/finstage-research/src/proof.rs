//! One page about one signal: what was said, why, what became of it, and how to check that nothing
//! of it was changed afterwards. Everything in one file, no script, no request to anywhere.
//!
//! Nothing on the page depends on when or where it was made, except for outcomes that came since.

use std::fmt::Write;

use finstage_model::{
    Bar, Direction, Horizon, Interval, Outcome, Price, SignalId, Symbol, Timestamp,
};

use crate::backtest::{Chart, Escaped, Line, Mark, STYLE, amount, percent};

/// Bars before the signal's own that a chart shows.
pub const BARS_BEFORE: u32 = 120;
/// Bars after it.
pub const BARS_AFTER: u32 = 300;

mod card;

pub use self::card::Evidence;

/// What belongs to this page only.
const OWN_STYLE: &str = include_str!("proof/proof.css");

/// What is known of a signal.
#[derive(Debug, Clone)]
pub struct Proof<'a> {
    /// Its identity.
    pub id: SignalId,
    /// About what.
    pub symbol: &'a Symbol,
    /// On bars of which length.
    pub interval: Interval,
    /// Where it expects the price to go.
    pub direction: Direction,
    /// Open time of the bar it was said on.
    pub open_time: Timestamp,
    /// Close time of that bar.
    pub at: Timestamp,
    /// Close of that bar.
    pub price: Price,
    /// How far the condition was exceeded.
    pub strength: f64,
    /// Strategy with parameters, canonical.
    pub strategy: &'a str,
    /// The rule in words.
    pub words: &'a str,
    /// The numbers it rests on, by name.
    pub facts: &'a [(String, f64)],
    /// `verified`, `unproven`, `rejected`, `withheld`, or `pending`.
    pub verdict: &'a str,
    /// Why, in half a sentence, unless verified.
    pub why: Option<&'a str>,
    /// What the verdict rests on, where there was evidence when it was said.
    pub evidence: Option<Evidence<'a>>,
    /// Bars around it, oldest first.
    pub bars: &'a [Bar],
    /// What became of it so far.
    pub outcomes: &'a [Became],
    /// Its place in the track record, once it is there.
    pub place: Option<Place<'a>>,
    /// Which program made the page: `finstage 0.1.0`.
    pub made_by: &'a str,
}

/// An outcome with the prices that it follows from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Became {
    /// The outcome.
    pub outcome: Outcome,
    /// When and at which price it is entered.
    pub entry: (Timestamp, Price),
    /// When and at which price it is left.
    pub exit: (Timestamp, Price),
    /// Number of its entry in the track record.
    pub number: u64,
}

/// A place in the track record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Number of the entry, from 1.
    pub number: u64,
    /// The text that the hash is of.
    pub text: &'a str,
    /// SHA-256 of that text.
    pub hash: &'a str,
    /// Entries and hash of the last one when the page was made.
    pub head: (u64, &'a str),
}

/// A page of HTML about a signal. It is bounded by the bars and outcomes that it is given.
#[must_use]
pub fn page(proof: &Proof<'_>) -> String {
    let mut page = Page(String::with_capacity(60_000));
    page.head(proof);
    page.chart(proof);
    page.verdict(proof);
    page.outcomes(proof);
    page.place(proof);
    page.put(format_args!(
        "<footer>Made by {}. A statement about prices, no advice.</footer>\n</main></body></html>\n",
        Escaped(proof.made_by)
    ));
    page.0
}

struct Page(String);

impl Page {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a string cannot fail");
    }

    fn head(&mut self, proof: &Proof<'_>) {
        let symbol = Escaped(proof.symbol.as_str());
        let (side, word) = match proof.direction {
            Direction::Long => ("up", "long"),
            Direction::Short => ("down", "short"),
        };
        self.put(format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <title>{symbol} {word} {at}</title>\n<style>\n{STYLE}{OWN_STYLE}</style></head>\n\
             <body><main>\n<h1>{symbol}: {side} expected</h1>\n<p class=\"rule\">{words}</p>\n\
             <p class=\"quiet\">Known at {at}, the close of a bar of {interval}</p>\n\
             <section class=\"tiles\">\n",
            at = proof.at,
            interval = proof.interval,
            words = Escaped(proof.words),
        ));
        self.tile("Verdict", proof.verdict, proof.why.unwrap_or("by its evidence card"));
        self.tile("Price", &proof.price.to_string(), "close of the bar it was said on");
        self.tile("Strength", &number(proof.strength), "how far the condition was exceeded");
        for (name, value) in proof.facts {
            self.tile(name, &number(*value), "on that bar");
        }
        self.put(format_args!("</section>\n"));
    }

    fn tile(&mut self, name: &str, value: &str, note: &str) {
        let (name, value, note) = (Escaped(name), Escaped(value), Escaped(note));
        self.put(format_args!(
            "<div class=\"tile\"><span>{name}</span><b>{value}</b><small>{note}</small></div>\n"
        ));
    }

    fn chart(&mut self, proof: &Proof<'_>) {
        let bars = proof.bars;
        let place = bars.binary_search_by_key(&proof.open_time, |bar| bar.open_time);
        let Ok(place) = place else {
            self.put(format_args!(
                "<section><h2>Price</h2>\n<p>The bars around the signal are not stored.</p>\
                 </section>\n"
            ));
            return;
        };
        let is_long = proof.direction == Direction::Long;
        let price = proof.price.to_f64();
        let mut marks =
            vec![Mark { from: (place, price), to: (place, price), is_long, is_won: true }];
        for Became { outcome, entry, exit, .. } in proof.outcomes {
            let bar = |at: Timestamp| bars.binary_search_by_key(&at, |bar| bar.open_time).ok();
            if let (Some(from), Some(to)) = (bar(entry.0), bar(exit.0)) {
                marks.push(Mark {
                    from: (from, entry.1.to_f64()),
                    to: (to, exit.1.to_f64()),
                    is_long,
                    is_won: outcome.hit,
                });
            }
        }
        let side = if is_long { "long" } else { "short" };
        self.put(format_args!(
            "<section><h2>Price around the signal</h2>\n<p class=\"key\"><i class=\"close\"></i>close \
             <i class=\"hold\"></i>high and low <i class=\"dot {side}\"></i>the signal "
        ));
        if marks.len() > 1 {
            self.put(format_args!(
                "<i class=\"won\"></i>to a horizon: came as expected <i class=\"lost\"></i>did not"
            ));
        }
        self.put(format_args!("</p>\n"));
        let column = |price: fn(&Bar) -> Price| -> Vec<f64> {
            bars.iter().map(|bar| price(bar).to_f64()).collect()
        };
        let (highs, lows) = (column(|bar| bar.high), column(|bar| bar.low));
        let closes = column(|bar| bar.close);
        let times: Vec<Timestamp> = bars.iter().map(|bar| bar.open_time).collect();
        let lines = vec![
            Line { class: "hold", values: &highs },
            Line { class: "hold", values: &lows },
            Line { class: "close", values: &closes },
        ];
        self.0.push_str(&Chart { times: &times, lines, marks: &marks, floor: None }.html());
        self.put(format_args!("</section>\n"));
    }

    fn verdict(&mut self, proof: &Proof<'_>) {
        let (verdict, strategy) = (Escaped(proof.verdict), Escaped(proof.strategy));
        self.put(format_args!("<section><h2>Why this verdict</h2>\n<p>{verdict}"));
        match proof.why {
            Some(why) => self.put(format_args!(": {}.</p>\n", Escaped(why))),
            None => self.put(format_args!(".</p>\n")),
        }
        match &proof.evidence {
            Some(evidence) => self.evidence(proof.verdict, evidence, proof.at),
            None => self.put(format_args!(
                "<p>Evidence card: none. No measurement spoke for this rule on this market then.</p>\n"
            )),
        }
        self.put(format_args!(
            "<div class=\"wide\"><table class=\"terms\"><tbody>\n\
             <tr><th>Rule</th><td>{strategy}</td></tr>\n\
             <tr><th>Signal</th><td>{}</td></tr>\n\
             <tr><th>Bar</th><td>{} of {}, opened {}</td></tr>\n</tbody></table></div></section>\n",
            proof.id,
            proof.interval,
            Escaped(proof.symbol.as_str()),
            proof.open_time,
        ));
    }

    fn outcomes(&mut self, proof: &Proof<'_>) {
        self.put(format_args!("<section><h2>What became of it</h2>\n"));
        if proof.outcomes.is_empty() {
            self.put(format_args!(
                "<p>No horizon has passed and been settled yet.</p></section>\n"
            ));
            return;
        }
        self.put(format_args!(
            "<div class=\"wide\"><table class=\"trades\"><thead><tr><th>After</th><th>Came as \
             expected</th><th>Return</th><th>Best</th><th>Worst</th><th>Entry</th><th>Exit</th>\
             <th>Entry no.</th></tr></thead><tbody>\n"
        ));
        for horizon in Horizon::ALL {
            let mut of = proof.outcomes.iter().filter(|became| became.outcome.horizon == horizon);
            let Some(Became { outcome, entry, exit, number }) = of.next() else { continue };
            let (hit, tone) = if outcome.hit { ("yes", "good") } else { ("no", "bad") };
            self.put(format_args!(
                "<tr><td>{horizon}</td><td class=\"{tone}\">{hit}</td><td>{}</td><td>{}</td>\
                 <td>{}</td><td>{} <small>{}</small></td><td>{} <small>{}</small></td>\
                 <td>{number}</td></tr>\n",
                percent(100.0 * outcome.ret),
                percent(100.0 * outcome.mfe),
                percent(-100.0 * outcome.mae),
                entry.1,
                entry.0,
                exit.1,
                exit.0,
            ));
        }
        self.put(format_args!(
            "</tbody></table></div>\n<p class=\"quiet\">Entry at the open after the signal's bar, \
             exit at the open after the horizon, before costs. Return is that of the price; best \
             and worst are the greatest moves for and against the expectation on the way.</p>\
             </section>\n"
        ));
    }

    fn place(&mut self, proof: &Proof<'_>) {
        self.put(format_args!("<section><h2>How to check this</h2>\n"));
        let Some(Place { number, text, hash, head }) = proof.place else {
            self.put(format_args!(
                "<p>Not in the track record yet. A running service adds what it said once an hour; \
                 <code>finstage track-record export</code> does so without one.</p></section>\n"
            ));
            return;
        };
        let (text, hash, last) = (Escaped(text), Escaped(hash), Escaped(head.1));
        let entries = amount(head.0 as f64, 0);
        self.put(format_args!(
            "<p>This signal is entry {number} of the track record. Its hash is the SHA-256 of this \
             text, which holds the hash of the entry before:</p>\n\
             <pre>{text}</pre>\n<pre>{hash}</pre>\n<ol>\
             <li>Compare: <code>printf %s 'TEXT' | sha256sum</code> gives that hash.</li>\
             <li>Ask for the whole record (<code>finstage track-record export -o \
             track.jsonl</code>). Line {number} begins with that hash.</li>\
             <li><code>finstage track-record verify track.jsonl</code> follows the chain and computes \
             every outcome again, on any machine.</li>\
             <li>The head was <code>{last}</code> after {entries} entries when this page was made. \
             With <code>--head</code> and this hash, a record that was written anew is found out.</li>\
             </ol></section>\n"
        ));
    }
}

/// At most six decimals, no zeros at the end.
fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.replace('-', "−") }
}

#[cfg(test)]
mod tests;
