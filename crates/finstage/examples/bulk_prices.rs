//! Prices of a list without the command: one desk for each venue, one batcher, rows as they come.
//!
//! ```sh
//! cargo run -p finstage --example bulk_prices -- binance:BTCUSDT kraken:XBTUSD yahoo:AAPL
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its result")]

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use finstage_feeds::prices::{BulkPrices, PriceDesk, PriceTold};
use finstage_feeds::{hosts, venues};
use finstage_model::Symbol;
use finstage_net::batch::{BatchMode, Batcher, DynamicRules};
use finstage_net::{Client, ClientOptions, Remote, RemoteOptions, SystemClock};

/// Prices of a list
#[derive(Debug, Parser)]
struct Arguments {
    /// Instruments, venue:SYMBOL
    #[arg(required = true, value_name = "SYMBOL")]
    symbols: Vec<Symbol>,
}

/// What asks a venue that wants no key, at the limits that its file names.
fn desk(name: &str, client: &Client) -> Option<PriceDesk> {
    let venue = venues::find(name)?;
    let endpoints = venue.profile.endpoints();
    let poll = venue.poller(&endpoints, None)?;
    let options = RemoteOptions {
        hosts: hosts(&endpoints.rest).map(str::to_owned).collect(),
        ..RemoteOptions::default()
    };
    let remote = Remote::with(name, venue.profile.terms, options);
    Some(PriceDesk::new(venue.profile, poll, client.at(&remote), Arc::new(SystemClock)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { symbols } = Arguments::parse();
    let Ok(client) = Client::new(ClientOptions::default()) else {
        eprintln!("no TLS on this platform");
        return ExitCode::from(3);
    };
    let names: BTreeSet<&str> = symbols.iter().map(Symbol::venue).collect();
    let desks: BulkPrices = names.into_iter().filter_map(|name| desk(name, &client)).collect();
    let mut batcher = Batcher::new(BatchMode::Dynamic(DynamicRules::default()));
    let told = |told: PriceTold<'_>| match told {
        PriceTold::Row { symbol, result: Ok(told) } => {
            println!("{symbol} {} {}", told.price, told.currency.as_deref().unwrap_or("-"));
        }
        PriceTold::Row { symbol, result: Err(why) } => println!("{symbol} - {why}"),
        PriceTold::Batch(report) => {
            eprintln!("{} in {:?}, {} failed", report.size, report.took, report.failed);
        }
    };
    desks.ask(&symbols, &mut batcher, told).await;
    let summary = batcher.summary();
    eprintln!("{:.1} % failed, next size {:?}", 100.0 * summary.error_rate(), summary.batch_size);
    ExitCode::from(u8::from(summary.failed > 0))
}
