//! The report in words: sections of paragraphs and tables, which every page draws its own way.

mod results;
mod sections;

pub(super) use self::sections::filled;

use finstage_model::Timestamp;
use finstage_notify::fill;

use super::DailyReport;
use super::numbers::Style;
use super::words::{Language, Words};

/// A page before it is drawn. Its texts are not escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) remarks: Vec<String>,
    pub(super) sections: Vec<Section>,
    pub(super) footer: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// A heading within a section.
    Heading(&'static str),
    /// Figures with their names.
    Tiles(Vec<(String, String)>),
    /// What there is to say.
    Say(String),
    /// A remark.
    Quiet(String),
    /// A claim with the lines that prove it.
    Claim(String, Vec<String>),
    /// Columns under their names; the first `texts` hold text, the others numbers.
    Table { texts: usize, names: Vec<&'static str>, rows: Vec<Vec<String>> },
    /// Items.
    List(Vec<String>),
    /// Words with their meanings.
    Terms(&'static [(&'static str, &'static str)]),
    /// A name and a hash.
    Hash(String, String),
}

/// What every part of a report writes with.
pub(super) struct Pen<'a> {
    pub(super) report: &'a DailyReport,
    pub(super) style: Style,
    pub(super) words: &'static Words,
}

impl<'a> Pen<'a> {
    pub(super) fn new(report: &'a DailyReport, language: Language) -> Self {
        Self { report, style: Style::new(language, &report.zone), words: language.words() }
    }

    pub(super) const fn language(&self) -> Language {
        self.style.language
    }

    /// "and 3 more", where a list was cut.
    fn more(&self, total: usize, shown: usize) -> Option<Block> {
        let more = total.checked_sub(shown).filter(|more| *more > 0)?;
        let more = Style::count(more as u64);
        Some(Block::Quiet(fill(self.words.more, &[("count", &more)])))
    }

    /// What the report is about.
    pub(super) fn scope(&self) -> String {
        let report = self.report;
        let pattern = match report.instruments_total {
            0 => return self.words.scope_none.to_owned(),
            1 => self.words.scope_one,
            _ => self.words.scope,
        };
        let count = Style::count(report.instruments_total as u64);
        fill(pattern, &[("venues", &report.venues.join(", ")), ("count", &count)])
    }

    pub(super) fn next(&self) -> String {
        match self.report.next {
            None => self.words.no_next.to_owned(),
            Some(at) => fill(self.words.next, &[("at", &self.zoned(at))]),
        }
    }

    /// A moment with its zone.
    pub(super) fn zoned(&self, at: Timestamp) -> String {
        format!("{} {}", self.style.moment(at), self.report.zone)
    }

    /// What is said in front of all where nothing is real.
    pub(super) fn simulated(&self) -> Option<&'static str> {
        (self.report.provenance == "simulated").then_some(self.words.simulated)
    }
}

pub(super) fn compose(report: &DailyReport, language: Language) -> Page {
    let pen = Pen::new(report, language);
    let words = pen.words;
    let span = [
        ("from", pen.style.moment(report.from)),
        ("until", pen.style.moment(report.until)),
        ("zone", report.zone.clone()),
    ];
    let span: Vec<(&str, &str)> = span.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mut remarks = vec![words.as_recorded.to_owned()];
    if !report.is_complete {
        remarks.insert(0, words.not_over.to_owned());
    }
    if let Some(simulated) = pen.simulated() {
        remarks.insert(0, simulated.to_owned());
    }
    let sections = vec![
        pen.market(),
        pen.signals(),
        pen.alerts(),
        pen.outcomes(),
        pen.evidence(),
        pen.data(),
        pen.chains(),
        Section { title: words.glossary, blocks: vec![Block::Terms(language.glossary())] },
        Section {
            title: words.disclaimer,
            blocks: vec![Block::List(
                language.limits().iter().map(|&limit| limit.into()).collect(),
            )],
        },
    ];
    let made_by = fill(words.made_by, &[("version", crate::VERSION)]);
    Page {
        title: format!("{}: {}", words.title, pen.style.long_date(report.date)),
        subtitle: format!("{}. {}", pen.scope(), fill(words.span, &span)),
        remarks,
        sections,
        footer: format!("{} {made_by}", pen.next()),
    }
}
