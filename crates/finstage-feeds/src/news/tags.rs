//! Which instruments a text names.

use std::collections::{BTreeMap, HashMap};

use finstage_model::{Document, Symbol};

use crate::registry::Listing;

/// Finds instruments by symbol, English and Korean name. Names are looked for as they are written, in
/// capitals too, and as whole words; a longer name goes before one that it begins with, so that news of
/// Bitcoin Cash is not news of Bitcoin. Behind a Korean name particles may follow.
#[derive(Debug, Default)]
pub struct Tagger {
    /// By the first two characters; longest first.
    names: HashMap<(char, char), Vec<Name>>,
    /// Looks for instruments that matter less.
    others: Option<Box<Self>>,
}

#[derive(Debug)]
struct Name {
    text: String,
    symbol: Symbol,
    /// A bare ticker of one or two letters is a word: it must stand after `$` or in brackets.
    is_marked: bool,
}

impl Tagger {
    /// A tagger that knows these instruments by symbol and, where they are in the list, by name.
    pub fn new<'a, 'b>(
        symbols: impl IntoIterator<Item = &'a Symbol>,
        listings: impl Iterator<Item = &'b Listing>,
    ) -> Self {
        let mut tagger = Self::default();
        let by_symbol: BTreeMap<&'b Symbol, &'b Listing> =
            listings.map(|listing| (&listing.symbol, listing)).collect();
        for symbol in symbols {
            let bare = symbol.name().split(['.', '=']).next().unwrap_or_default();
            tagger.add(bare.trim_start_matches('^'), symbol);
            if let Some(listing) = by_symbol.get(symbol) {
                for name in [listing.name, listing.korean] {
                    let name = name.split(" (").next().unwrap_or(name);
                    let class = [" Class A", " Class B", " Class C", " A", " C"];
                    let name = class.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                    tagger.add(name, symbol);
                    tagger.add(&name.to_uppercase(), symbol);
                    // Papers write Nvidia where the company writes NVIDIA; short ones are said by letter.
                    let is_shouted = name.len() > 4 && name.bytes().all(|b| b.is_ascii_uppercase());
                    if let Some((first, rest)) = name.split_at_checked(1).filter(|_| is_shouted) {
                        tagger.add(&format!("{first}{}", rest.to_lowercase()), symbol);
                    }
                }
            }
        }
        for names in tagger.names.values_mut() {
            names.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then_with(|| a.text.cmp(&b.text)));
        }
        tagger
    }

    /// The same, and what `others` finds beside: what this one finds does not depend on it.
    #[must_use]
    pub fn with_others(mut self, others: Self) -> Self {
        self.others = Some(Box::new(others));
        self
    }

    fn add(&mut self, text: &str, symbol: &Symbol) {
        let mut chars = text.chars();
        let Some(first) = chars.next() else { return };
        let second = chars.next().unwrap_or(' ');
        let is_short = text.len() <= 2;
        let names = self.names.entry((first, second)).or_default();
        if !names.iter().any(|name| name.text == text && name.symbol == *symbol) {
            let (text, symbol) = (text.to_owned(), symbol.clone());
            names.push(Name { text, symbol, is_marked: is_short });
        }
    }

    /// The instruments that a text names, in its order, each once, at most
    /// [`Document::MAX_SYMBOLS`].
    #[must_use]
    pub fn tags(&self, text: &str) -> Vec<Symbol> {
        let mut found: Vec<Symbol> = Vec::new();
        let (mut before, mut at) = (' ', 0);
        while let Some(first) = text[at..].chars().next() {
            let rest = &text[at..];
            let named = if before.is_alphanumeric() { None } else { self.named(rest, before) };
            let length = named.map_or(first.len_utf8(), |name| name.text.len());
            if let Some(name) = named {
                // Shares of one company have one name: all are meant.
                for same in self.same(name) {
                    if !found.contains(&same.symbol) && found.len() < Document::MAX_SYMBOLS {
                        found.push(same.symbol.clone());
                    }
                }
            }
            before = rest[..length].chars().next_back().unwrap_or(first);
            at += length;
        }
        found
    }

    /// Adds what others find in a text, as far as there is room.
    pub(super) fn add_others(&self, text: &str, found: &mut Vec<Symbol>) {
        let Some(others) = self.others.as_ref().filter(|_| found.len() < Document::MAX_SYMBOLS)
        else {
            return;
        };
        for symbol in others.tags(text) {
            if !found.contains(&symbol) && found.len() < Document::MAX_SYMBOLS {
                found.push(symbol);
            }
        }
    }

    fn same<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Name> {
        let mut chars = name.text.chars();
        let key = (chars.next().unwrap_or(' '), chars.next().unwrap_or(' '));
        self.names.get(&key).into_iter().flatten().filter(move |other| other.text == name.text)
    }

    /// The longest name that begins here.
    fn named(&self, rest: &str, before: char) -> Option<&Name> {
        let mut chars = rest.chars();
        let (first, second) = (chars.next()?, chars.next().unwrap_or(' '));
        let fits = |name: &&Name| {
            let Some(after) = rest.strip_prefix(name.text.as_str()) else { return false };
            let next = after.chars().next().unwrap_or(' ');
            let ends_korean = name.text.chars().next_back().is_some_and(is_hangul);
            let is_whole = if ends_korean {
                !next.is_ascii_alphanumeric()
            } else {
                !next.is_alphanumeric() || is_hangul(next)
            };
            let is_marked = before == '$' || (before == '(' && next == ')') || before == ':';
            is_whole && (is_marked || !name.is_marked)
        };
        let exact = self.names.get(&(first, second)).and_then(|names| names.iter().find(fits));
        // Tickers of one letter.
        exact.or_else(|| self.names.get(&(first, ' ')).and_then(|names| names.iter().find(fits)))
    }
}

const fn is_hangul(c: char) -> bool {
    matches!(c, '가'..='힣')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    fn tagged(text: &str) -> Vec<String> {
        let all = registry::all().iter();
        let symbols = all.clone().map(|row| &row.symbol).filter(|symbol| {
            ["binance:BTCUSDT", "binance:BCHUSDT"].contains(&symbol.as_str())
                || symbol.venue() == "yahoo"
        });
        let f: Symbol = "yahoo:F".parse().unwrap();
        let tagger = Tagger::new(symbols.chain([&f]), all);
        tagger.tags(text).iter().map(|symbol| symbol.name().to_owned()).collect()
    }

    #[test]
    fn whole_names_are_found_and_parts_of_words_are_not() {
        for (text, symbols) in [
            ("Apple's profit, and MSFT too", "AAPL MSFT"),
            ("An apple pie. Pineapple. AAPLX", ""),
            ("APPLE SHARES SURGE", "AAPL"),
            ("Bitcoin Cash falls", "BCHUSDT"),
            ("Bitcoin cash-out", "BTCUSDT"),
            ("삼성전자가 급등, 005930", "005930.KS"),
            ("신삼성전자", ""),
            ("Alphabet ($GOOGL) rises", "GOOGL GOOG"),
            ("F for fail, Ford (F) rises", "F"),
            ("Nvidia를 샀다", "NVDA"),
            ("é", ""),
        ] {
            assert_eq!(tagged(text).join(" "), symbols, "{text}");
        }
    }
}
