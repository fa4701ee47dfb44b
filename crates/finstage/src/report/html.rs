//! The report as a page: one file, no script, no request to anywhere.

use std::fmt::{self, Write};

use finstage_research::backtest::Escaped;

use super::compose::{Block, Page};
use super::words::Language;

const STYLE: &str = include_str!("page.css");

pub(super) fn render(page: &Page, language: Language) -> String {
    let mut out = Html(String::with_capacity(40_000));
    let (lang, title) = (language.pick("en", "ko"), Escaped(&page.title));
    out.put(format_args!(
        "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n\
         <h1>{title}</h1>\n<p class=\"say\">{}</p>\n",
        Escaped(&page.subtitle)
    ));
    for remark in &page.remarks {
        out.put(format_args!("<p class=\"quiet\">{}</p>\n", Escaped(remark)));
    }
    for section in &page.sections {
        out.put(format_args!("<section><h2>{}</h2>\n", Escaped(section.title)));
        section.blocks.iter().for_each(|block| out.draw(block));
        out.put(format_args!("</section>\n"));
    }
    out.put(format_args!("<footer>{}</footer>\n</main></body></html>\n", Escaped(&page.footer)));
    out.0
}

struct Html(String);

impl Html {
    fn put(&mut self, text: fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a string cannot fail");
    }

    fn draw(&mut self, block: &Block) {
        match block {
            Block::Heading(title) => self.put(format_args!("<h3>{}</h3>\n", Escaped(title))),
            Block::Tiles(tiles) => {
                self.put(format_args!("<div class=\"tiles\">\n"));
                for (name, value) in tiles {
                    self.put(format_args!(
                        "<div class=\"tile\"><span>{}</span><b>{}</b></div>\n",
                        Escaped(name),
                        Escaped(value)
                    ));
                }
                self.put(format_args!("</div>\n"));
            }
            Block::Say(text) => self.put(format_args!("<p>{}</p>\n", Escaped(text))),
            Block::Quiet(text) => {
                self.put(format_args!("<p class=\"quiet\">{}</p>\n", Escaped(text)));
            }
            Block::Claim(title, lines) => {
                self.put(format_args!("<div class=\"claim\"><b>{}</b>\n", Escaped(title)));
                for line in lines {
                    self.put(format_args!("<p>{}</p>\n", Escaped(line)));
                }
                self.put(format_args!("</div>\n"));
            }
            Block::Table { texts, names, rows } => self.table(*texts, (names, rows)),
            Block::List(items) => {
                self.put(format_args!("<ul>\n"));
                for item in items {
                    self.put(format_args!("<li>{}</li>\n", Escaped(item)));
                }
                self.put(format_args!("</ul>\n"));
            }
            Block::Terms(terms) => {
                self.put(format_args!("<dl>\n"));
                for (word, meaning) in *terms {
                    let (word, meaning) = (Escaped(word), Escaped(meaning));
                    self.put(format_args!("<dt>{word}</dt><dd>{meaning}</dd>\n"));
                }
                self.put(format_args!("</dl>\n"));
            }
            Block::Hash(name, hash) => {
                let (name, hash) = (Escaped(name), Escaped(hash));
                self.put(format_args!("<p>{name} <code>{hash}</code></p>\n"));
            }
        }
    }

    /// On a phone every row becomes a block, each figure under its name.
    fn table(&mut self, texts: usize, (names, rows): (&[&'static str], &[Vec<String>])) {
        self.put(format_args!("<table><thead><tr>"));
        let class = |place: usize| if place < texts { "" } else { " class=\"n\"" };
        for (place, name) in names.iter().enumerate() {
            self.put(format_args!("<th{}>{}</th>", class(place), Escaped(name)));
        }
        self.put(format_args!("</tr></thead><tbody>\n"));
        for row in rows {
            self.put(format_args!("<tr>"));
            for (place, cell) in row.iter().enumerate() {
                let name = Escaped(names.get(place).copied().unwrap_or_default());
                let cell = Breakable(cell);
                self.put(format_args!("<td{} data-name=\"{name}\">{cell}</td>", class(place)));
            }
            self.put(format_args!("</tr>\n"));
        }
        self.put(format_args!("</tbody></table>\n"));
    }
}

/// Text where a line may break inside a strategy's parameters.
struct Breakable<'a>(&'a str);

impl fmt::Display for Breakable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.replace('(', "\u{200b}(").replace('_', "_\u{200b}");
        // A comma between digits parts thousands; between parameters follows a letter.
        let mut broken = String::with_capacity(text.len() + 16);
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            broken.push(letter);
            if letter == ',' && letters.peek().is_some_and(|next| next.is_alphabetic()) {
                broken.push('\u{200b}');
            }
        }
        Escaped(&broken).fmt(f)
    }
}
