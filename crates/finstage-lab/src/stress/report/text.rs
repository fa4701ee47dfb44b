//! The report in a box: for a terminal, a mail, a log of a build.

use std::fmt::Write as _;

use super::super::Severity;
use super::compose::{About, Block, Page};

/// Columns between the edges.
const WIDE: usize = 86;

pub(super) fn render(page: &Page) -> String {
    let mut out = String::new();
    edge(&mut out, ['┌', '┐'], &page.title);
    for section in &page.sections {
        // A screen is small: settings stand in the other forms.
        if section.about == About::Settings {
            continue;
        }
        if section.about != About::Summary {
            edge(&mut out, ['├', '┤'], &section.title);
        }
        for block in &section.blocks {
            draw(&mut out, block);
        }
    }
    edge(&mut out, ['└', '┘'], "");
    out
}

fn draw(out: &mut String, block: &Block) {
    match block {
        Block::Pairs(rows) => {
            let width = rows.iter().map(|(name, _)| columns(name)).max().unwrap_or(0);
            for (name, value) in rows {
                let lead = format!("{name}{}  ", " ".repeat(width - columns(name)));
                wrapped(out, &lead, value);
            }
        }
        Block::Table { texts, names, rows } => table(out, *texts, names, rows),
        Block::Finding { severity, name, text, advice } => {
            let mark = if *severity >= Severity::Medium { '!' } else { '·' };
            let lead =
                format!("{mark} {name}{} ", " ".repeat(6_usize.saturating_sub(columns(name))));
            wrapped(out, &lead, text);
            if let Some(advice) = advice {
                wrapped(
                    out,
                    &format!("{}→ ", " ".repeat(columns(&lead).saturating_sub(2))),
                    advice,
                );
            }
        }
        Block::Quiet(text) => wrapped(out, "", text),
    }
}

fn table(out: &mut String, texts: usize, names: &[String], rows: &[Vec<String>]) {
    let width = |place: usize| {
        let cells = rows.iter().map(|row| columns(&row[place]));
        cells.chain([columns(&names[place])]).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..names.len()).map(width).collect();
    // A long name gives way, figures do not.
    let others: usize = widths[1..].iter().map(|width| width + 2).sum();
    widths[0] = widths[0].min(WIDE.saturating_sub(2 + others)).max(8);
    for row in [names].into_iter().chain(rows.iter().map(Vec::as_slice)) {
        let mut text = String::new();
        for (place, cell) in row.iter().enumerate() {
            let cell = cut(cell, widths[place]);
            let space = " ".repeat(widths[place] - columns(&cell));
            let gap = if place == 0 { "" } else { "  " };
            match place < texts {
                true => text.extend([gap, &cell, &space]),
                false => text.extend([gap, &space, &cell]),
            }
        }
        line(out, &text);
    }
}

/// A paragraph behind `lead`, broken between words.
fn wrapped(out: &mut String, lead: &str, text: &str) {
    let room = (WIDE - 2).saturating_sub(columns(lead)).max(20);
    let mut lead = lead.to_owned();
    let mut now = String::new();
    let mut flush = |now: &mut String| {
        line(out, &format!("{lead}{now}"));
        lead = " ".repeat(columns(&lead));
        now.clear();
    };
    for word in text.split_whitespace() {
        let gap = usize::from(!now.is_empty());
        if !now.is_empty() && columns(&now) + gap + columns(word) > room {
            flush(&mut now);
        }
        if !now.is_empty() {
            now.push(' ');
        }
        now.push_str(&cut(word, room));
    }
    flush(&mut now);
}

fn edge(out: &mut String, [left, right]: [char; 2], title: &str) {
    let title = cut(title, WIDE - 4);
    let title = if title.is_empty() { title } else { format!("─ {title} ") };
    let _ = writeln!(out, "{left}{title}{}{right}", "─".repeat(WIDE - columns(&title)));
}

fn line(out: &mut String, text: &str) {
    let text = cut(text, WIDE - 2);
    let _ = writeln!(out, "│ {text}{} │", " ".repeat(WIDE - 2 - columns(&text)));
}

/// At most so many columns of a text, without anything that moves a terminal's cursor.
fn cut(text: &str, most: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if columns(&text) <= most {
        return text;
    }
    let mut short = String::new();
    for c in text.chars() {
        if columns(&short) + columns(c.encode_utf8(&mut [0; 4])) + 1 > most {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// The columns that a terminal gives to a text: two for letters of East Asia.
fn columns(text: &str) -> usize {
    let is_wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}')
    };
    text.chars().map(|c| 1 + usize::from(is_wide(c))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_never_breaks_the_box() {
        let mut out = String::new();
        wrapped(&mut out, "lead ", &"wörter und 한국어 ".repeat(20));
        line(&mut out, &"x".repeat(200));
        table(
            &mut out,
            1,
            &["a".into(), "b".into()],
            &[vec!["GET /".repeat(60), "1\u{1b}[2J".into()]],
        );
        assert!(out.lines().all(|line| columns(line) == WIDE + 2), "{out}");
        assert!(!out.contains('\u{1b}'));
    }
}
