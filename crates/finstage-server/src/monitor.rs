//! What the binary's monitor knows of the service: what the page of metrics and readiness show of it.

use serde::Serialize;

/// A check of readiness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthCheck {
    /// Its name: a machine word.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// Whether the service is ready only while it holds.
    #[serde(skip)]
    pub required: bool,
    /// What was seen, in words.
    pub detail: String,
    /// The same in Korean, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail_ko: Option<String>,
}

impl HealthCheck {
    /// Whether the records can be read.
    #[must_use]
    pub fn of_records(records: &finstage_store::Records) -> Self {
        let error = records.meta("kind").err();
        Self {
            name: "records",
            ok: error.is_none(),
            required: true,
            detail_ko: error.is_none().then(|| "읽기 정상".to_owned()),
            detail: error.map_or_else(|| "readable".to_owned(), |error| error.to_string()),
        }
    }
}

/// What the monitor saw last.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MonitorGauges {
    /// Figures by the name of their family, as far as they are known.
    pub figures: Vec<(&'static str, f64)>,
    /// Tasks by state.
    pub tasks: Vec<(&'static str, u64)>,
    /// Statements by operation and table.
    pub statements: Vec<StatementGauge>,
    /// Errors and warnings in the log, by component.
    pub errors: Vec<(String, &'static str, u64)>,
    /// Ready minutes among all minutes, by span.
    pub availability: Vec<(&'static str, f64)>,
    /// What holds of the limits: 0, 1 warning, 2 critical.
    pub thresholds: Vec<(&'static str, u8)>,
    /// The checks of readiness.
    pub checks: Vec<HealthCheck>,
}

/// What statements of an operation on a table cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementGauge {
    /// `select`, `insert` and so on.
    pub operation: &'static str,
    /// The table; empty where there is none.
    pub table: String,
    /// What they cost.
    pub cost: finstage_store::records::Cost,
}

/// What the server answered since it began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HttpTotals {
    /// Answers.
    pub answers: u64,
    /// Answers that failed with 5xx.
    pub failures: u64,
    /// Seconds from heads of requests to their answers, all together.
    pub seconds: f64,
    /// How often an answer that was kept could be given again.
    pub cache_hits: u64,
    /// How often one was looked for.
    pub cache_asked: u64,
}
