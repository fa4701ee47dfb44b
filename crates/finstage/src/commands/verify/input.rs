//! Series to be judged, from files or from the store.

use std::path::Path;

use finstage_feeds::registry;
use finstage_model::{Call, Interval, Symbol};
use finstage_research::study::Instrument;
use finstage_store::history::{Factors, History, read_factor_file};

use crate::cli::{BarArgs, Global, Verify as Args};
use crate::commands::import::{read_bars, symbol_of};
use crate::evidence::{self, adjustment};
use crate::exit::{Failure, Result};

/// The series of `--input`.
pub(super) fn of_files(global: &Global, args: &Args) -> Result<Vec<Instrument>> {
    if !args.symbol.is_empty() && args.symbol.len() != args.input.len() {
        let (names, files) = (args.symbol.len(), args.input.len());
        let message =
            format!("--symbol names {names} instruments for {files} files: name each file");
        return Err(Failure::usage(message));
    }
    let bar_args = |place: usize| BarArgs {
        symbol: args.symbol.get(place).cloned(),
        interval: args.interval,
        tz: args.tz.clone(),
        lenient: args.lenient,
    };
    let symbols = args
        .input
        .iter()
        .enumerate()
        .map(|(place, file)| symbol_of(file, &bar_args(place)))
        .collect::<Result<Vec<Symbol>>>()?;
    let factors = factors(args, &symbols)?;
    let mut instruments = Vec::new();
    for (place, file) in args.input.iter().enumerate() {
        let bars = read_bars(global, file, &bar_args(place))?;
        let (symbol, adjust) = (&symbols[place], |day| adjustment(&factors[place], day));
        let instrument =
            evidence::instrument((symbol, registry::hours(symbol)), &bars.bars, &adjust)
                .map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?;
        instruments.push(instrument);
    }
    Ok(instruments)
}

/// The series of `--symbols`, adjusted by the factors that are stored beside them.
pub(super) fn of_store(history: &History, args: &Args) -> Result<Vec<Instrument>> {
    let interval = args.interval.unwrap_or(Interval::D1);
    let mut instruments = Vec::new();
    for symbol in &args.symbols {
        let instrument = evidence::series(history, symbol, interval)?;
        instruments.push(instrument.ok_or_else(|| {
            Failure::usage(format!(
                "{symbol}: no {interval} bars are stored of it: `finstage bars list` says what is, `import` adds some"
            ))
        })?);
    }
    Ok(instruments)
}

/// The factors of each input; none where none are named.
fn factors(args: &Args, symbols: &[Symbol]) -> Result<Vec<Factors>> {
    let mut all = vec![Factors::default(); symbols.len()];
    let by_place = args.factors.len() == symbols.len();
    for (number, text) in args.factors.iter().enumerate() {
        let named = text.split_once('=').and_then(|(name, file)| {
            let place = symbols.iter().position(|symbol| symbol.as_str() == name)?;
            Some((place, file))
        });
        let (place, file) = match named {
            Some(named) => named,
            None if by_place && !text.contains('=') => (number, text.as_str()),
            None => {
                return Err(Failure::usage(format!(
                    "--factors {text}: whose are they? write SYMBOL=FILE with a symbol of the inputs"
                )));
            }
        };
        all[place] = read_factor_file(Path::new(file)).map_err(Failure::usage)?;
    }
    Ok(all)
}

/// Strategies as typed: by comma or one by one; commas within parentheses part parameters.
pub(super) fn calls(texts: &[String]) -> Result<Vec<Call>> {
    let mut calls = Vec::new();
    for text in texts {
        let (mut depth, mut begin) = (0usize, 0);
        for (place, letter) in text.char_indices().chain([(text.len(), ',')]) {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                ',' if depth == 0 || place == text.len() => {
                    calls.push(text[begin..place].trim().parse().map_err(Failure::usage)?);
                    begin = place + 1;
                }
                _ => {}
            }
        }
    }
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_parted_by_commas_outside_parentheses() {
        let texts = ["golden_cross(20,100), rsi_oversold".to_owned(), "low_volume".to_owned()];
        let said: Vec<String> = calls(&texts).unwrap().iter().map(Call::to_string).collect();
        assert_eq!(said, ["golden_cross(20,100)", "rsi_oversold", "low_volume"]);
        assert!(calls(&["a,,b".to_owned()]).is_err());
        assert!(calls(&["a(1".to_owned()]).is_err());
    }
}
