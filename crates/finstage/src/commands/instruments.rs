//! `finstage instruments`

mod ask;
mod kis_master;

use std::path::Path;

use finstage_engine::nearest;
use finstage_feeds::registry::{self, Listing};
use finstage_feeds::{MarketHours, SessionTimes};
use finstage_model::{Clock as _, Symbol, Timestamp};
use finstage_net::SystemClock;
use finstage_store::records::{OwnListing, StoreKind};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{data_dir, load_without_channels, print_json, print_line, print_table, say, say_none};
use crate::cli::{Global, InstrumentAdd, Instruments, ListingArgs};
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

pub(super) fn run(global: &Global, args: &Instruments) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    wiring::register_own_listings(&dir)?;
    match args {
        Instruments::Add(args) => add(global, &dir, args)?,
        Instruments::Remove { symbol } => remove(global, &dir, symbol)?,
        Instruments::Ask { symbols } => return ask::ask(global, (&loaded, &dir), symbols),
        Instruments::List(only) => list(global, registry::everything(), only)?,
        Instruments::Search { text, only } => {
            if !text.contains(char::is_alphanumeric) {
                return Err(Failure::usage(format!(
                    "\"{text}\" has no letter and no digit: write a part of a symbol or of a name"
                )));
            }
            list(global, registry::search(text).into_iter(), only)?;
        }
        Instruments::Show { symbol, at } => {
            let listing = find(symbol)?;
            let zone = &loaded.settings.timezone;
            let zone = TimeZone::get(zone).map_err(Failure::usage)?;
            let at = at.unwrap_or_else(|| SystemClock.now());
            if global.json {
                print_json(&shown(listing, at))?;
            } else {
                lines(listing, at, &zone).iter().try_for_each(|line| print_line(line))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn add(global: &Global, dir: &Path, args: &InstrumentAdd) -> Result<()> {
    if let Some(master) = &args.from_kis_master {
        return kis_master::add(global, dir, master);
    }
    let InstrumentAdd { symbol, name, name_ko, category, currency, calendar, .. } = args;
    let (Some(symbol), Some(name)) = (symbol, name.as_deref().map(str::trim)) else {
        return Err(Failure::usage("name the instrument: venue:SYMBOL --name NAME"));
    };
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(Failure::usage("--name: write a name of one line"));
    }
    let listing = OwnListing {
        symbol: symbol.clone(),
        name: name.to_owned(),
        name_ko: name_ko.as_deref().map_or(name, str::trim).to_owned(),
        category: category.name().to_owned(),
        currency: currency.clone(),
        calendar: calendar.clone(),
    };
    std::fs::create_dir_all(dir).map_err(|e| Failure::from_writing(dir, &e))?;
    let is_new = wiring::open_records(dir, StoreKind::Real)?.put_own_listing(&listing)?;
    let done = if is_new { "added" } else { "changed" };
    say(global, format_args!("{symbol} {done}"));
    list(global, std::iter::once(wiring::listing_of(listing)), &ListingArgs::default())
}

fn remove(global: &Global, dir: &Path, symbol: &Symbol) -> Result<()> {
    let known = dir.join("records.db").exists()
        && wiring::open_records(dir, StoreKind::Real)?.remove_own_listing(symbol)?;
    if !known {
        return Err(Failure::usage(format!(
            "{symbol} was not added here: `finstage instruments list` shows what is known"
        )));
    }
    say(global, format_args!("{symbol} is forgotten"));
    Ok(())
}

fn list<'a>(
    global: &Global,
    rows: impl Iterator<Item = &'a Listing>,
    only: &ListingArgs,
) -> Result<()> {
    let fits = |row: &&Listing| {
        only.category.is_none_or(|category| row.category == category)
            && only.group.as_deref().is_none_or(|group| row.group == Some(group))
    };
    let rows: Vec<&Listing> = rows.filter(fits).collect();
    if rows.is_empty() {
        say_none(global, "instruments", true);
        return Ok(());
    }
    if global.json {
        return rows.iter().try_for_each(|row| print_line(&object(row).to_string()));
    }
    let cells = |row: &&Listing| {
        let hours = row.hours.map_or("-", MarketHours::name);
        let (group, currency) = (row.group.unwrap_or("-"), row.currency.unwrap_or("-"));
        // The Korean name is last: its letters are two columns wide.
        let cells = [row.symbol.as_str(), row.category.name(), group, currency, hours, row.name];
        cells.into_iter().chain([row.korean]).map(str::to_owned).collect()
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let names = ["symbol", "category", "group", "currency", "calendar", "name", "name_ko"];
    print_table(&names, &rows)
}

/// The one instrument that a text names.
fn find(text: &str) -> Result<&'static Listing> {
    match registry::named(text)[..] {
        [one] => Ok(one),
        [] => {
            let symbols = registry::everything().map(|row| row.symbol.as_str());
            let names = registry::everything().map(|row| row.symbol.name());
            let near = match text.contains(':') {
                true => nearest(text, symbols),
                false => nearest(text, names),
            };
            let near = near.filter(|_| !text.is_empty());
            let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
            Err(Failure::usage(format!(
                "no instrument \"{text}\" is in the registry{near}: find one with \"finstage instruments search TEXT\""
            )))
        }
        ref several => {
            let symbols: Vec<&str> = several.iter().map(|row| row.symbol.as_str()).collect();
            let symbols = symbols.join(", ");
            Err(Failure::usage(format!("\"{text}\" names {symbols}: write one of these")))
        }
    }
}

/// What a person reads.
fn lines(listing: &Listing, at: Timestamp, zone: &TimeZone) -> Vec<String> {
    let mut lines = state(listing, at, zone);
    lines.push(match registry::quote_delay_s(&listing.symbol) {
        None => "quotes     not known how late".into(),
        Some(0) => "quotes     not delayed".into(),
        Some(late) => format!("quotes     delayed by {} min", late.div_ceil(60)),
    });
    lines
}

fn state(listing: &Listing, at: Timestamp, zone: &TimeZone) -> Vec<String> {
    let Listing { symbol, name, korean, .. } = listing;
    let korean = if korean == name { String::new() } else { format!(", {korean}") };
    let group = listing.group.map(|group| format!(", {group}")).unwrap_or_default();
    let mut lines = vec![
        format!("{symbol}: {name}{korean}"),
        format!("category   {}{group}", listing.category),
        format!("currency   {}", listing.currency.unwrap_or("none")),
    ];
    let Some(hours) = listing.hours else {
        lines.push("calendar   none: the hours of this market are not known".into());
        return lines;
    };
    if hours == MarketHours::Always {
        lines.push("calendar   always: open around the clock".into());
        return lines;
    }
    let (first, last) = hours.covers();
    lines.push(format!("calendar   {hours}, {}, days from {first} to {last}", hours.zone()));
    let clocks = |at: Timestamp| clocks(at, hours, zone);
    match hours.around(at) {
        Err(refusal) => lines.push(format!("market     not known: {refusal}")),
        Ok(SessionTimes { current, next }) => {
            let state = if current.is_some() { "open" } else { "closed" };
            lines.push(format!("market     {state} at {}", clocks(at)));
            if let Some(session) = current {
                lines.push(format!("closes     {}", clocks(session.close)));
            }
            let opens = next.map(|session| clocks(session.open));
            let opens = opens.unwrap_or_else(|| format!("not known: after {last}"));
            lines.push(format!("opens      {opens}"));
            if let (None, Some(session)) = (current, next) {
                lines.push(format!("closes     {}", clocks(session.close)));
            }
        }
    }
    lines
}

/// A moment on the market's clock, and on the reader's where that is another one.
fn clocks(at: Timestamp, hours: MarketHours, zone: &TimeZone) -> String {
    let clock = |zone: &TimeZone| match jiff::Timestamp::from_second(at.secs()) {
        Ok(instant) => instant.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string(),
        Err(_) => at.to_string(), // cannot happen: jiff's range is the wider one
    };
    let there = TimeZone::get(hours.zone()).map_or_else(|_| at.to_string(), |zone| clock(&zone));
    let here = clock(zone);
    if here == there { there } else { format!("{there} = {here}") }
}

/// A row in the contract's words.
fn object(listing: &Listing) -> Value {
    json!({
        "symbol": listing.symbol,
        "name": listing.name,
        "name_ko": listing.korean,
        "category": listing.category.name(),
        "group": listing.group,
        "currency": listing.currency,
        "calendar": listing.hours.map(MarketHours::name),
        "quote_delay_s": registry::quote_delay_s(&listing.symbol),
    })
}

/// A row with the market's state. Where that is not known `open` is null, and `unknown` says why.
fn shown(listing: &Listing, at: Timestamp) -> Value {
    let mut value = object(listing);
    value["at"] = json!(at);
    value["zone"] = json!(listing.hours.map(MarketHours::zone));
    let always = listing.hours == Some(MarketHours::Always);
    let times = listing.hours.map(|hours| hours.around(at).map_err(|refusal| refusal.to_string()));
    let times = times.unwrap_or_else(|| Err("the hours of this market are not known".into()));
    value["unknown"] = json!(times.as_ref().err());
    let times = times.ok();
    value["open"] = json!(times.map(|times| times.current.is_some()));
    let times = times.filter(|_| !always);
    let session = times.and_then(|times| times.current.or(times.next));
    value["closes_at"] = json!(session.map(|session| session.close));
    value["opens_at"] = json!(times.and_then(|times| times.next).map(|session| session.open));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(symbol: &str, at: &str, zone: &str) -> Vec<String> {
        lines(find(symbol).unwrap(), at.parse().unwrap(), &TimeZone::get(zone).unwrap())
    }

    #[test]
    fn an_open_market_says_when_it_closes_on_both_clocks() {
        assert_eq!(
            read("AAPL", "2026-11-27T15:00:00Z", "Asia/Seoul"),
            [
                "yahoo:AAPL: Apple, 애플",
                "category   stock, nasdaq100",
                "currency   USD",
                "calendar   us, America/New_York, days from 1998-01-01 to 2035-12-31",
                "market     open at Fri 2026-11-27 10:00 EST = Sat 2026-11-28 00:00 KST",
                "closes     Fri 2026-11-27 13:00 EST = Sat 2026-11-28 03:00 KST",
                "opens      Mon 2026-11-30 09:30 EST = Mon 2026-11-30 23:30 KST",
                "quotes     not delayed",
            ]
        );
    }

    #[test]
    fn a_closed_market_says_when_it_opens_and_one_clock_is_written_once() {
        let lines = read("삼성전자", "2026-12-31T01:00:00Z", "Asia/Seoul");
        assert_eq!(lines[4], "market     closed at Thu 2026-12-31 10:00 KST");
        assert_eq!(lines[5], "opens      Mon 2027-01-04 10:00 KST");
        assert_eq!(lines[6], "closes     Mon 2027-01-04 15:30 KST");
        assert_eq!(lines[7], "quotes     delayed by 20 min");
    }

    #[test]
    fn hours_that_are_not_known_are_not_guessed() {
        let lines = read("005930", "2028-01-03", "UTC");
        assert!(lines[4].starts_with("market     not known: calendar \"kr\" does not cover"));
        let future = shown(find("ES=F").unwrap(), "2026-11-27".parse().unwrap());
        let null = &Value::Null;
        assert_eq!((&future["open"], &future["opens_at"], &future["calendar"]), (null, null, null));
        assert_eq!(future["unknown"], "the hours of this market are not known");
        assert_eq!(
            read("BTCUSDT", "2026-11-28", "UTC")[3],
            "calendar   always: open around the clock"
        );
    }

    #[test]
    fn programs_get_the_next_open_and_close_in_utc() {
        let at = |text: &str| shown(find("005930").unwrap(), text.parse().unwrap());
        let open = at("2026-11-30T01:00:00Z");
        assert_eq!(
            (&open["open"], &open["closes_at"], &open["opens_at"]),
            (&json!(true), &json!("2026-11-30T06:30:00Z"), &json!("2026-12-01T00:00:00Z"))
        );
        let closed = at("2026-11-29T01:00:00Z");
        assert_eq!(
            (&closed["open"], &closed["closes_at"], &closed["opens_at"]),
            (&json!(false), &json!("2026-11-30T06:30:00Z"), &json!("2026-11-30T00:00:00Z"))
        );
    }

    #[test]
    fn a_symbol_that_is_not_there_gets_the_nearest_one() {
        let said = |text: &str| find(text).unwrap_err().to_string();
        assert_eq!(
            said("yahoo:APPL"),
            "no instrument \"yahoo:APPL\" is in the registry (did you mean yahoo:AAPL?): find one with \"finstage instruments search TEXT\""
        );
    }
}
