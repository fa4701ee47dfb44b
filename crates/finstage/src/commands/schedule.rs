//! `finstage schedule`

use finstage_model::{Clock as _, Timestamp};
use finstage_net::SystemClock;
use finstage_server::ScheduleItem;
use finstage_store::records::{StoreKind, TaskState};

use super::{data_dir, load_without_channels, print_json, print_table, say, tasks};
use crate::cli::{Global, Schedule};
use crate::exit::{Exit, Failure, Result};
use crate::jobs::{shown, table};
use crate::wiring;

pub(super) fn run(global: &Global, args: &Schedule) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    let now = SystemClock.now();
    match args {
        Schedule::List => {
            let records = wiring::read_records(&dir)?;
            let world = world(&records)?;
            let jobs = table::jobs(&loaded.settings, world);
            list(global, &shown::schedules(&jobs, &records, now)?)
        }
        Schedule::Run { name } => {
            let records = wiring::reopen_records(&dir)?;
            let jobs = table::jobs(&loaded.settings, world(&records)?);
            let Some(job) = jobs.iter().find(|job| job.name == name) else {
                let why =
                    format!("there is no job \"{name}\": write one of {}", table::NAMES.join(" "));
                return Err(Failure::usage(why));
            };
            let before = records.task_lane_before(job.name, now)?;
            let waits = before.is_some_and(|one| one.state != TaskState::Waiting);
            let submitted = records.task_submit(job.run_now(), now)?;
            let words = match waits {
                true => "submitted; it runs when the one before has ended",
                false => "submitted; a running service takes it up within a second",
            };
            tasks::said(global, &records.task(submitted.id)?, words)
        }
    }
}

fn world(records: &finstage_store::Records) -> Result<StoreKind> {
    Ok(records.kind()?.unwrap_or(StoreKind::Real))
}

fn list(global: &Global, items: &[ScheduleItem]) -> Result<Exit> {
    if global.json {
        print_json(&items)?;
        return Ok(Exit::Done);
    }
    // Whole seconds are enough for people.
    let text = |at: Option<&Timestamp>| {
        at.map_or_else(|| "-".to_owned(), |at| Timestamp::from_secs(at.secs()).to_string())
    };
    let cells = |item: &ScheduleItem| {
        vec![
            item.name.clone(),
            item.when.clone(),
            item.catch_up.to_owned(),
            text(item.last_at.as_ref()),
            if item.enabled { text(item.next.first()) } else { "off".to_owned() },
            item.describes.clone(),
        ]
    };
    let names = ["name", "when", "catch_up", "last", "next", "describes"];
    print_table(&names, &items.iter().map(cells).collect::<Vec<_>>())?;
    if items.iter().all(|item| item.last_at.is_none()) {
        say(global, format_args!("no service ran here yet: `finstage serve` runs what is listed"));
    }
    Ok(Exit::Done)
}
