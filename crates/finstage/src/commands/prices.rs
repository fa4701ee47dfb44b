//! `finstage prices`

mod statistics;

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::prices::{BulkPrices, PriceError, PriceErrorKind, PriceTold, Quotation};
use finstage_model::{Clock, Price, Symbol, Timestamp};
use finstage_net::SystemClock;
use finstage_net::batch::{BatchMode, Batcher, DynamicRules};
use serde::Serialize;

use self::statistics::Statistics;
use super::progress::Progress;
use super::serve::stop_on_signal;
use super::{data_dir, load_without_channels, print_line, say};
use crate::cli::{Global, Prices};
use crate::exit::{Exit, Failure, Result};
use crate::venues::{Door, Means, doors_of};
use crate::wiring;

/// Between two batches where nothing else is said.
const DELAY: Duration = Duration::from_secs(1);
/// From so many on it is said how far a list is.
const LONG_LIST: usize = 20;
/// The longest list that is read, in bytes.
const LIST_MAX_BYTES: u64 = 16 << 20;

pub(super) fn run(global: &Global, args: &Prices) -> Result<Exit> {
    if args.delay.is_some() && args.batch_size.is_none() && !args.dynamic {
        return Err(Failure::usage(
            "--delay is a pause between batches: add --batch-size N or --dynamic",
        ));
    }
    let loaded = load_without_channels(global)?;
    let mut symbols = args.symbols.clone();
    if let Some(file) = &args.file {
        symbols.extend(list(file)?);
    }
    if symbols.is_empty() {
        return Err(Failure::usage("the list is empty: name at least one venue:SYMBOL"));
    }
    let statistics = Statistics::to(global, args.stats.as_deref())?;
    let dir = data_dir(global, &loaded);
    // What is a fund is known from there.
    wiring::register_own_listings(&dir)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = wiring::client()?;
        let means = Means { settings: &loaded.settings, client: &client, dir: &dir, clock: &clock };
        match args.first {
            true => first(global, &symbols, means).await,
            false => all(global, (args, &symbols), means, statistics).await,
        }
    })
}

/// The symbols of a file. Several may stand on a line, parted by commas or spaces.
fn list(file: &Path) -> Result<Vec<Symbol>> {
    let shown =
        if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
    let failed = |why: &dyn std::fmt::Display| Failure::usage(format!("{shown}: {why}"));
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().lock().take(LIST_MAX_BYTES + 1).read_to_string(&mut text),
        false => std::fs::File::open(file)
            .and_then(|opened| opened.take(LIST_MAX_BYTES + 1).read_to_string(&mut text)),
    };
    if read.map_err(|e| failed(&e))? as u64 > LIST_MAX_BYTES {
        return Err(failed(&format_args!(
            "more than {LIST_MAX_BYTES} bytes are no list of symbols"
        )));
    }
    let mut symbols = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.split('#').next().unwrap_or_default();
        for word in line.split([',', ' ', '\t', ';']).filter(|word| !word.is_empty()) {
            let symbol = word.parse();
            symbols.push(symbol.map_err(|e| Failure::usage(format!("{shown}:{number}: {e}")))?);
        }
    }
    Ok(symbols)
}

fn mode(args: &Prices) -> BatchMode {
    let size = args.batch_size.map(|size| size as usize);
    match (args.dynamic, size) {
        (true, size) => {
            let usual = DynamicRules::default();
            let size = size.unwrap_or(usual.size);
            BatchMode::Dynamic(DynamicRules {
                size,
                delay: args.delay.unwrap_or(usual.delay),
                ..usual
            })
        }
        (false, Some(size)) => BatchMode::Fixed { size, delay: args.delay.unwrap_or(DELAY) },
        (false, None) if args.all_at_once => BatchMode::AllAtOnce,
        (false, None) => BatchMode::Paced,
    }
}

/// A row of the result.
#[derive(Serialize)]
struct Row<'a> {
    symbol: &'a Symbol,
    price: Option<Price>,
    currency: Option<&'a str>,
    at: Option<Timestamp>,
    error: Option<String>,
}

fn print(symbol: &Symbol, result: &Result<Quotation, PriceError>) -> Result<()> {
    let told = result.as_ref().ok();
    let row = Row {
        symbol,
        price: told.map(|quotation| quotation.price),
        currency: told.and_then(|quotation| quotation.currency.as_deref()),
        at: told.map(|quotation| quotation.at),
        error: result.as_ref().err().map(ToString::to_string),
    };
    let text = serde_json::to_string(&row);
    print_line(&text.map_err(|e| Failure::usage(format!("writing JSON: {e}")))?)
}

/// What became of all rows.
#[derive(Debug, Default)]
struct Tally {
    ok: usize,
    failed: usize,
    /// The kind of all errors; `None` as soon as they differ.
    kind: Option<PriceErrorKind>,
}

impl Tally {
    fn count(&mut self, result: &Result<Quotation, PriceError>) {
        match result {
            Ok(_) => self.ok += 1,
            Err(why) => {
                let is_first = self.failed == 0;
                self.failed += 1;
                self.kind = if is_first {
                    Some(why.kind())
                } else {
                    self.kind.filter(|kind| *kind == why.kind())
                };
            }
        }
    }

    /// Where nothing came at all, the reason decides.
    fn exit(&self) -> Exit {
        match (self.ok, self.failed, self.kind) {
            (_, 0, _) => Exit::Done,
            (0, _, Some(PriceErrorKind::Unauthorized)) => Exit::Auth,
            (0, _, Some(PriceErrorKind::Unreachable | PriceErrorKind::Limited)) => Exit::Remote,
            _ => Exit::CheckFailed,
        }
    }
}

async fn all(
    global: &Global,
    (args, symbols): (&Prices, &[Symbol]),
    means: Means<'_>,
    mut statistics: Statistics<'_>,
) -> Result<Exit> {
    let doors = doors_of(symbols, means)?;
    for door in doors.values() {
        door.enter().await?;
    }
    let desks = doors.values().map(Door::prices).collect::<Result<BulkPrices>>()?;
    let mut batcher = Batcher::new(mode(args)).with_concurrency(args.concurrency as usize);
    let mut tally = Tally::default();
    // Rows on a terminal show by themselves how far it is, and a short list is soon done.
    let is_long = args.progress_every.is_some() || symbols.len() >= LONG_LIST;
    let shows = is_long && !std::io::stdout().is_terminal();
    let every = args.progress_every.map(|every| every as usize);
    let progress = shows.then(|| Progress::new(global, "prices", symbols.len()).every(every));
    let mut trouble = None;
    let mut stop = stop_on_signal();
    let told = |told: PriceTold<'_>| match told {
        PriceTold::Row { symbol, result } => {
            tally.count(result);
            trouble = trouble.take().or(print(symbol, result).err());
            progress.iter().for_each(|progress| progress.add(1));
        }
        PriceTold::Batch(report) => statistics.batch(report, progress.as_ref()),
    };
    let was_stopped = tokio::select! {
        () = desks.ask(symbols, &mut batcher, told) => false,
        _ = stop.wait_for(|stop| *stop) => true,
    };
    progress.iter().for_each(Progress::finish);
    statistics.end(&batcher.summary())?;
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    if was_stopped {
        let (come, all) = (tally.ok + tally.failed, symbols.len());
        say(global, format_args!("interrupted: {come} of {all} prices came"));
        return Ok(Exit::Interrupted);
    }
    Ok(tally.exit())
}

/// The first good answer among several names of one thing.
async fn first(global: &Global, symbols: &[Symbol], means: Means<'_>) -> Result<Exit> {
    let mut desks = Vec::new();
    let (mut asked, mut closed) = (Vec::new(), Vec::new());
    for symbol in symbols {
        match Door::open(symbol.venue(), means).and_then(|door| door.prices()) {
            // One that needs a key that is not there leaves the race to the others.
            Err(why) => closed.push(Failure::new(why.exit, format!("{symbol}: {why}"))),
            Ok(desk) => {
                desks.push(desk);
                asked.push(symbol.clone());
            }
        }
    }
    if asked.is_empty() {
        return closed.into_iter().next().map_or(Ok(Exit::Done), Err);
    }
    for why in &closed {
        say(global, format_args!("not asked: {why}"));
    }
    let desks: BulkPrices = desks.into_iter().collect();
    let mut stop = stop_on_signal();
    let won = tokio::select! {
        won = desks.first(&asked) => won,
        _ = stop.wait_for(|stop| *stop) => return Ok(Exit::Interrupted),
    };
    match won {
        Ok((symbol, quotation)) => {
            print(&symbol, &Ok(quotation))?;
            Ok(Exit::Done)
        }
        Err(why) => {
            let exit = match why.kind() {
                PriceErrorKind::Unauthorized => Exit::Auth,
                _ => Exit::Remote,
            };
            Err(Failure::new(exit, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Prices {
        use clap::Parser as _;
        let words = std::iter::once("finstage").chain(line.split_whitespace());
        match crate::cli::Cli::try_parse_from(words).unwrap().command {
            crate::cli::Command::Prices(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_choose_how_items_are_parted() {
        let mode = |options: &str| mode(&parsed(&format!("prices a:B {options}")));
        assert_eq!(mode(""), BatchMode::Paced);
        assert_eq!(mode("--all-at-once"), BatchMode::AllAtOnce);
        let fixed = |size, ms| BatchMode::Fixed { size, delay: Duration::from_millis(ms) };
        assert_eq!(mode("--batch-size 20"), fixed(20, 1_000));
        assert_eq!(mode("--batch-size 20 --delay 500ms"), fixed(20, 500));
        assert_eq!(mode("--dynamic"), BatchMode::Dynamic(DynamicRules::default()));
        let own =
            DynamicRules { size: 30, delay: Duration::from_secs(2), ..DynamicRules::default() };
        assert_eq!(mode("--dynamic --batch-size 30 --delay 2s"), BatchMode::Dynamic(own));
    }

    #[test]
    fn a_list_may_hold_remarks_and_several_symbols_a_line_and_a_wrong_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("list.txt");
        std::fs::write(
            &file,
            "\u{feff}# mine\nkis:005930, yahoo:^GSPC\n\nbinance:BTCUSDT # coin\n",
        )
        .unwrap();
        let names: Vec<String> = list(&file).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["kis:005930", "yahoo:^GSPC", "binance:BTCUSDT"]);
        std::fs::write(&file, "kis:005930\nAAPL\n").unwrap();
        let why = list(&file).unwrap_err().to_string();
        assert!(why.contains("list.txt:2: \"AAPL\" is not a symbol"), "{why}");
    }
}
