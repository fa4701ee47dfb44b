//! `finstage metrics`

use finstage_server::{metrics_dashboard, metrics_rules};

use super::{print_json, print_line};
use crate::cli::Metrics;
use crate::exit::{Exit, Result};

pub(super) fn run(args: Metrics) -> Result<Exit> {
    match args {
        Metrics::Dashboard => print_json(&metrics_dashboard())?,
        Metrics::Rules => print_line(metrics_rules().trim_end())?,
    }
    Ok(Exit::Done)
}
