//! `finstage report`

use finstage_model::{Clock as _, Symbol};
use finstage_net::SystemClock;
use finstage_notify::notifiers::{MAX_TEXT_UNITS, telegram_markup};
use finstage_notify::{Repeat, Template};
use jiff::tz::TimeZone;

use super::bars::to_file;
use super::track_record::up_to_date;
use super::{data_dir, load_without_channels, print_json, print_line, say};
use crate::cli::{Global, Report, ReportDaily, ReportFormat, ReportHourly, StatusFormat};
use crate::exit::{Exit, Failure, Result};
use crate::report::{
    Asked, DailyReport, Due, Language, day_of, gather, hourly, html, job, provenance, text,
};
use crate::wiring;

pub(super) fn run(global: &Global, args: &Report) -> Result<Exit> {
    match args {
        Report::Daily(args) => daily(global, args),
        Report::Hourly(args) => status(global, args),
    }
}

fn status(global: &Global, args: &ReportHourly) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let settings = &loaded.settings;
    let dir = data_dir(global, &loaded);
    let records = wiring::read_records(&dir)?;
    let zone = TimeZone::get(&settings.timezone).map_err(Failure::usage)?;
    let feeds = settings.feeds.iter().flat_map(|feed| feed.symbols.iter().cloned());
    let watched: Vec<Symbol> = feeds.collect();
    let asked = hourly::Asked {
        now: SystemClock.now(),
        zone: &zone,
        watched: &watched,
        provenance: provenance(&records)?,
    };
    let report = hourly::gather(&wiring::history(&dir, &records), &asked)?;
    match args.format {
        Some(StatusFormat::Text) => {}
        _ if global.json || args.format == Some(StatusFormat::Json) => {
            print_json(&serde_json::json!(report))?;
            return Ok(Exit::Done);
        }
        _ => {}
    }
    print_line(&hourly::text(&report, args.lang.unwrap_or(settings.report.language)))?;
    Ok(Exit::Done)
}

fn daily(global: &Global, args: &ReportDaily) -> Result<Exit> {
    let format = format(global, args)?;
    let loaded = load_without_channels(global)?;
    let settings = &loaded.settings;
    let dir = data_dir(global, &loaded);
    let records = up_to_date(global, &dir)?;
    let zone = TimeZone::get(&settings.timezone).map_err(Failure::usage)?;
    let now = SystemClock.now();
    let today = day_of(now, &zone);
    let day = args.date.unwrap_or_else(|| today.previous());
    if day > today {
        return Err(Failure::usage(format!("--date: {day} has no report: today is {today}")));
    }
    let feeds = settings.feeds.iter().flat_map(|feed| feed.symbols.iter().cloned());
    let watched: Vec<Symbol> = feeds.collect();
    let asked = Asked {
        day,
        zone: &zone,
        now,
        watched: &watched,
        due: settings.report.daily.map(|time| Due { time, zone: &zone }),
    };
    let report = gather(&records, &wiring::history(&dir, &records), &asked)?;
    let language = args.lang.unwrap_or(settings.report.language);
    let shown = match format {
        ReportFormat::Text => text(&report, language),
        ReportFormat::Telegram => telegram(&report, language, zone),
        ReportFormat::Html => html(&report, language),
        ReportFormat::Json => serde_json::to_string_pretty(&report)
            .map_err(|e| Failure::usage(format!("writing JSON: {e}")))?,
    };
    let shown = shown.trim_end();
    match &args.output {
        None => print_line(shown)?,
        Some(path) => {
            to_file(path, |out| writeln!(out, "{shown}"))?;
            say(global, format_args!("report of {}: {}", report.date, path.display()));
        }
    }
    Ok(Exit::Done)
}

/// The form that was named, or that the file's name stands for.
fn format(global: &Global, args: &ReportDaily) -> Result<ReportFormat> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    if global.json {
        return Ok(ReportFormat::Json);
    }
    let Some(path) = args.output.as_deref() else { return Ok(ReportFormat::Text) };
    match path.extension().and_then(|end| end.to_str()) {
        Some("html" | "htm") => Ok(ReportFormat::Html),
        Some("json") => Ok(ReportFormat::Json),
        Some("txt" | "md") | None => Ok(ReportFormat::Text),
        Some(other) => Err(Failure::usage(format!(
            "{}: no report is written as .{other}: name a file.html, file.txt or file.json, or write --format",
            path.display()
        ))),
    }
}

/// The messages as a chat gets them, with an empty line between two.
fn telegram(report: &DailyReport, language: Language, zone: TimeZone) -> String {
    let notice = job::notice(report, language, report.until);
    let message = Template { zone, ..Template::default() }.notice(&notice, Repeat::No);
    let parts: Vec<String> = message.split(MAX_TEXT_UNITS).iter().map(telegram_markup).collect();
    parts.join("\n\n")
}
