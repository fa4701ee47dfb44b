//! The report on a terminal or in a mail: plain text, tables aligned, Korean letters two columns wide.

use std::fmt::Write as _;

use super::compose::{Block, Page};

/// Columns that paragraphs are broken at.
const COLUMNS: usize = 100;

pub(super) fn render(page: &Page) -> String {
    let mut out = format!("{}\n{}\n", page.title, "=".repeat(columns(&page.title)));
    paragraph(&mut out, "", &page.subtitle);
    for remark in &page.remarks {
        paragraph(&mut out, "", remark);
    }
    for section in &page.sections {
        let _ = write!(out, "\n{}\n{}\n", section.title, "-".repeat(columns(section.title)));
        for block in &section.blocks {
            draw(&mut out, block);
        }
    }
    out.push('\n');
    paragraph(&mut out, "", &page.footer);
    out
}

fn draw(out: &mut String, block: &Block) {
    match block {
        Block::Heading(title) => {
            let _ = write!(out, "\n{title}\n");
        }
        Block::Tiles(tiles) => {
            let tiles: Vec<String> =
                tiles.iter().map(|(name, value)| format!("{name} {value}")).collect();
            paragraph(out, "", &tiles.join(" · "));
        }
        Block::Say(text) | Block::Quiet(text) => paragraph(out, "", &harmless(text)),
        Block::Claim(title, lines) => {
            paragraph(out, "", &harmless(title));
            lines.iter().for_each(|line| paragraph(out, "  ", &harmless(line)));
        }
        Block::Table { texts, names, rows } => table(out, *texts, (names, rows)),
        Block::List(items) => {
            items.iter().for_each(|item| paragraph(out, "- ", &harmless(item)));
        }
        Block::Terms(terms) => {
            for (word, meaning) in *terms {
                paragraph(out, "- ", &format!("{word}: {meaning}"));
            }
        }
        Block::Hash(name, hash) => {
            let _ = writeln!(out, "{} {}", harmless(name), harmless(hash));
        }
    }
}

/// Foreign text without anything that moves a terminal's cursor.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A paragraph, broken between words; later lines are indented as far as `lead` is wide.
fn paragraph(out: &mut String, lead: &str, text: &str) {
    let mut width = columns(lead);
    out.push_str(lead);
    let mut is_first = true;
    for word in text.split(' ') {
        let more = columns(word) + usize::from(!is_first);
        if !is_first && width + more > COLUMNS {
            let _ = write!(out, "\n{}", " ".repeat(columns(lead)));
            width = columns(lead);
            is_first = true;
        }
        if !is_first {
            out.push(' ');
        }
        out.push_str(word);
        width += columns(word) + usize::from(!is_first);
        is_first = false;
    }
    out.push('\n');
}

fn table(out: &mut String, texts: usize, (names, rows): (&[&'static str], &[Vec<String>])) {
    let cell = |row: &[String], place: usize| {
        row.get(place).map(|text| harmless(text)).unwrap_or_default()
    };
    let widths: Vec<usize> = (0..names.len())
        .map(|place| {
            let cells = rows.iter().map(|row| columns(&cell(row, place)));
            cells.chain([columns(names[place])]).max().unwrap_or(0)
        })
        .collect();
    let mut line = |cells: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for (place, width) in widths.iter().enumerate() {
            let cell = cells(place);
            let space = " ".repeat(width.saturating_sub(columns(&cell)));
            let gap = if place == 0 { "" } else { "  " };
            match place < texts {
                true => text.extend([gap, &cell, &space]),
                false => text.extend([gap, &space, &cell]),
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&|place| names[place].to_owned());
    for row in rows {
        line(&|place| cell(row, place));
    }
}

/// The columns that a terminal gives to a text: two for letters of East Asia.
fn columns(text: &str) -> usize {
    let wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}')
    };
    text.chars().map(|c| 1 + usize::from(wide(c))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_names_in_both_scripts() {
        let mut out = String::new();
        let rows =
            vec![vec!["비트코인".into(), "1".into()], vec!["x\u{1b}".into(), "1,000".into()]];
        table(&mut out, 1, (&["종목", "close"], &rows));
        assert_eq!(out, "종목      close\n비트코인      1\nx         1,000\n");
    }

    #[test]
    fn paragraphs_break_between_words_and_lose_none() {
        let text = "word ".repeat(60);
        let mut out = String::new();
        paragraph(&mut out, "- ", text.trim());
        assert!(out.lines().all(|line| line.len() <= COLUMNS));
        assert!(out.lines().skip(1).all(|line| line.starts_with("  word")));
        assert_eq!(out.matches("word").count(), 60);
    }
}
