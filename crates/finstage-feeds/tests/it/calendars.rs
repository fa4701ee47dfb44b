//! Calendars against days on which there were prices: the series in the folder named by
//! `FINSTAGE_SHARED`, else in `../shared` beside the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use finstage_feeds::MarketHours;
use finstage_model::{Day, Span};

/// The stamps of a series, or nothing where the data is not there.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn stamps(name: &str) -> Option<Vec<String>> {
    #[expect(clippy::disallowed_methods, reason = "tests are told where reference data lies")]
    let named = std::env::var_os("FINSTAGE_SHARED").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let file = named.unwrap_or_else(beside).join("data").join(name);
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no reference data at {} (set FINSTAGE_SHARED)", file.display());
        return None;
    };
    let rows = text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned());
    Some(rows.collect())
}

fn sessions(from: Day, to: Day) -> BTreeMap<Day, Span> {
    let days = (from.days()..=to.days()).map(Day::from_days);
    days.filter_map(|day| Some((day, MarketHours::Us.session(day).unwrap()?))).collect()
}

#[test]
fn us_sessions_are_the_days_on_which_there_were_prices_and_no_other() {
    for (name, count) in [
        ("gspc_d_1999_2018.csv", 5031),
        ("aapl_d_1998_2021.csv", 5849),
        ("bac_d_1998_2021.csv", 5849),
        ("nvda_d_1999_2014.csv", 4012),
    ] {
        let Some(stamps) = stamps(name) else { continue };
        let traded: BTreeSet<Day> = stamps.iter().map(|stamp| stamp.parse().unwrap()).collect();
        assert_eq!(traded.len(), count, "{name}");
        let found = sessions(*traded.first().unwrap(), *traded.last().unwrap());
        let open: BTreeSet<Day> = found.into_keys().collect();
        let missing: Vec<&Day> = traded.difference(&open).collect();
        let invented: Vec<&Day> = open.difference(&traded).collect();
        assert!(missing.is_empty() && invented.is_empty(), "{name}: {missing:?} {invented:?}");
    }
}

#[test]
fn us_half_days_are_the_days_on_which_prices_ended_at_one() {
    let Some(stamps) = stamps("aapl_h_2017_2021.csv") else { return };
    // The file writes New York's time with a Z: the last bar of a day begins an hour before its end.
    let mut last_hours: BTreeMap<Day, u32> = BTreeMap::new();
    for stamp in &stamps {
        let hour: u32 = stamp[11..13].parse().unwrap();
        let last = last_hours.entry(stamp[..10].parse().unwrap()).or_insert(hour);
        *last = hour.max(*last);
    }
    let (from, to) = (*last_hours.keys().next().unwrap(), *last_hours.keys().last().unwrap());
    let sessions = sessions(from, to);
    assert!(sessions.keys().eq(last_hours.keys()), "the days differ");
    let mut half_days = 0;
    for (day, span) in sessions {
        let minutes = span.close.since(span.open).as_secs() / 60;
        let expected = if last_hours[&day] < 15 { 210 } else { 390 };
        assert_eq!(minutes, expected, "{day}");
        half_days += u32::from(expected == 210);
    }
    assert!(half_days > 8, "{half_days} half-days in four years");
}

#[test]
fn the_open_in_utc_moves_by_an_hour_where_clocks_change() {
    for (day, open, close) in [
        ("2024-03-08", "2024-03-08T14:30:00Z", "2024-03-08T21:00:00Z"),
        ("2024-03-11", "2024-03-11T13:30:00Z", "2024-03-11T20:00:00Z"),
        ("2024-11-01", "2024-11-01T13:30:00Z", "2024-11-01T20:00:00Z"),
        ("2024-11-04", "2024-11-04T14:30:00Z", "2024-11-04T21:00:00Z"),
        // Before 2007 clocks changed in April and in October.
        ("2006-03-31", "2006-03-31T14:30:00Z", "2006-03-31T21:00:00Z"),
        ("2006-04-03", "2006-04-03T13:30:00Z", "2006-04-03T20:00:00Z"),
    ] {
        let session = MarketHours::Us.session(day.parse().unwrap()).unwrap().unwrap();
        assert_eq!((session.open, session.close), (open.parse().unwrap(), close.parse().unwrap()));
    }
    for day in ["2024-01-05", "2024-07-05"] {
        let session = MarketHours::Korea.session(day.parse().unwrap()).unwrap().unwrap();
        assert_eq!(session.open.to_string(), format!("{day}T00:00:00Z"));
    }
}
