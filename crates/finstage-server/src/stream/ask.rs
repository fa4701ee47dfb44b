//! What clients say, and what they want to hear.

use std::collections::BTreeSet;

use finstage_model::Symbol;
use serde::Deserialize;
use serde_json::{Value, json};

/// The most symbols that one subscription names.
pub(crate) const MAX_SYMBOLS: usize = 1_000;
/// Everything that can be done.
pub(super) const ACTIONS: [&str; 6] = [
    "subscribe",
    "unsubscribe",
    "heartbeat",
    "get_status",
    "get_current_prices",
    "get_price_history",
];
/// Everything that can be heard.
pub(super) const TYPES: [&str; 6] =
    ["prices", "technical_analysis", "signals", "alerts", "system", "all"];

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    pub(super) action: String,
    pub(super) r#type: Option<String>,
    pub(super) symbols: Option<Vec<Symbol>>,
    pub(super) since: Option<String>,
    pub(super) symbol: Option<Symbol>,
    /// Judged where it is used, so that its error can name it.
    pub(super) limit: Option<Value>,
}

/// Of which instruments somebody wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Want {
    /// Of none.
    #[default]
    Nothing,
    /// Of every one.
    All,
    /// Of these.
    Only(BTreeSet<Symbol>),
}

/// What a client wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wants {
    pub(crate) prices: Want,
    pub(crate) bars: Want,
    pub(crate) signals: Want,
    pub(crate) alerts: Want,
    pub(crate) system: bool,
}

impl Want {
    pub(crate) fn has(&self, symbol: &Symbol) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Only(symbols) => symbols.contains(symbol),
        }
    }

    /// Adds these; all when none is named. Refused above [`MAX_SYMBOLS`].
    fn add(&mut self, symbols: Option<&[Symbol]>) -> Result<(), String> {
        let Some(symbols) = symbols.filter(|symbols| !symbols.is_empty()) else {
            *self = Self::All;
            return Ok(());
        };
        let mut wanted = match self {
            Self::All => return Ok(()),
            Self::Only(known) => known.clone(),
            Self::Nothing => BTreeSet::new(),
        };
        wanted.extend(symbols.iter().cloned());
        if wanted.len() > MAX_SYMBOLS {
            return Err(format!(
                "more than {MAX_SYMBOLS} symbols: leave \"symbols\" out to hear of all"
            ));
        }
        *self = Self::Only(wanted);
        Ok(())
    }

    /// Takes these out; all when none is named.
    fn remove(&mut self, symbols: Option<&[Symbol]>) {
        match (&mut *self, symbols) {
            (Self::Only(known), Some(symbols)) => {
                symbols.iter().for_each(|symbol| {
                    known.remove(symbol);
                });
                if known.is_empty() {
                    *self = Self::Nothing;
                }
            }
            _ => *self = Self::Nothing,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Nothing => json!([]),
            Self::All => json!("all"),
            Self::Only(symbols) => json!(symbols),
        }
    }
}

impl Wants {
    fn of_type(&mut self, kind: &str) -> Option<Vec<&mut Want>> {
        Some(match kind {
            "prices" => vec![&mut self.prices],
            "technical_analysis" => vec![&mut self.bars],
            "signals" => vec![&mut self.signals],
            "alerts" => vec![&mut self.alerts],
            "system" => Vec::new(),
            "all" => vec![&mut self.prices, &mut self.bars, &mut self.signals, &mut self.alerts],
            _ => return None,
        })
    }

    /// Adds a type, of these symbols or of all.
    pub(super) fn add(&mut self, kind: &str, symbols: Option<&[Symbol]>) -> Result<(), String> {
        let wants = self.of_type(kind).ok_or_else(|| unknown_type(kind))?;
        wants.into_iter().try_for_each(|want| want.add(symbols))?;
        self.system |= matches!(kind, "system" | "all");
        Ok(())
    }

    /// Takes out a type, of these symbols or of all.
    pub(super) fn remove(&mut self, kind: &str, symbols: Option<&[Symbol]>) -> Result<(), String> {
        let wants = self.of_type(kind).ok_or_else(|| unknown_type(kind))?;
        wants.into_iter().for_each(|want| want.remove(symbols));
        self.system &= !matches!(kind, "system" | "all");
        Ok(())
    }

    pub(super) fn value(&self) -> Value {
        json!({
            "prices": self.prices.value(),
            "technical_analysis": self.bars.value(),
            "signals": self.signals.value(),
            "alerts": self.alerts.value(),
            "system": self.system,
        })
    }
}

fn unknown_type(kind: &str) -> String {
    let short: String = kind.chars().take(40).collect();
    format!("no type \"{short}\": write one of {}", TYPES.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(names: &[&str]) -> Vec<Symbol> {
        names.iter().map(|name| format!("sim:{name}").parse().unwrap()).collect()
    }

    #[test]
    fn a_subscription_without_symbols_is_one_to_every_symbol() {
        let mut wants = Wants::default();
        wants.add("prices", None).unwrap();
        assert!(wants.prices.has(&symbols(&["ANY"])[0]));
        assert!(!wants.signals.has(&symbols(&["ANY"])[0]));
        wants.add("prices", Some(&symbols(&["A"]))).unwrap();
        assert_eq!(wants.prices, Want::All, "naming one takes none away");
        wants.add("all", None).unwrap();
        assert!(wants.system && wants.alerts == Want::All);
        wants.remove("all", None).unwrap();
        assert_eq!(wants, Wants::default());
    }

    #[test]
    fn subscriptions_to_symbols_add_up_and_are_bounded() {
        let mut wants = Wants::default();
        wants.add("alerts", Some(&symbols(&["A", "B"]))).unwrap();
        wants.add("alerts", Some(&symbols(&["C"]))).unwrap();
        wants.remove("alerts", Some(&symbols(&["A"]))).unwrap();
        assert_eq!(wants.alerts, Want::Only(symbols(&["B", "C"]).into_iter().collect()));
        let many: Vec<String> = (0..=MAX_SYMBOLS).map(|i| format!("S{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(wants.add("alerts", Some(&symbols(&many))).unwrap_err().contains("1000 symbols"));
        assert!(wants.add("weather", None).unwrap_err().contains("write one of"));
    }
}
