//! Reference values of TA-Lib, read where they lie: the folder named by `FINSTAGE_SHARED`, else
//! `../shared` beside the workspace.

use std::path::PathBuf;

use finstage_quant::{ALL, BarColumns, Spec};

/// Agreement that is asked for: the references accumulate their sums in another order.
const TOLERANCE: f64 = 1e-9;

#[test]
fn goog_daily_from_2004_agrees_with_talib() {
    let Some(shared) = shared_folder() else { return };
    compare(&shared, "goog_d_2004_2013", "");
}

#[test]
fn twenty_years_of_gspc_agree_with_talib() {
    let Some(shared) = shared_folder() else { return };
    compare(&shared, "gspc_d_1999_2018", "__sampled");
}

#[test]
fn twenty_thousand_minutes_of_btc_agree_with_talib() {
    let Some(shared) = shared_folder() else { return };
    compare(&shared, "btcperp_m_202201a", "__sampled");
}

/// What TA-Lib does not have, or no reference column was made of.
const NO_REFERENCE: [&str; 4] = ["ICHIMOKU", "RSI_CUTLER", "VOLUME_RATIO", "VWAP_SESSION"];

/// The least number of reference columns that must have been compared.
const LEAST_COLUMNS: usize = 60;

const GROUPS: [&str; 4] =
    ["overlap_studies", "momentum_indicators", "volatility_indicators", "volume_indicators"];

/// Compares every column of the reference files whose indicator is listed here.
fn compare(shared: &Shared, series: &str, suffix: &str) {
    let bars = Bars::read(&shared.read(&format!("data/{series}.csv")));
    let mut compared = Vec::new();
    for group in GROUPS {
        let text = shared.read(&format!("golden/talib/{series}__{group}{suffix}.csv"));
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(';').collect()).collect();
        for (place, column) in header.iter().enumerate().skip(1) {
            let Some((spec, params, output)) = listed(column) else { continue };
            let mut columns = vec![Vec::new(); spec.outputs.len()];
            (spec.column)(&params, &bars.columns(), &mut columns);
            for row in &rows {
                let index: usize = row[0].parse().unwrap();
                let ours = columns[output][index];
                // TA-Lib has no "not yet" in its one whole-number output, and says 0 there.
                let early = spec.outputs[output] == "trend" && row[place] == "0";
                let reference = if early { "" } else { row[place] };
                agree(ours, reference, &format!("{series} {column}[{index}]"));
            }
            compared.push(spec.name);
        }
    }
    for spec in ALL {
        let expected = !NO_REFERENCE.contains(&spec.name);
        assert_eq!(compared.contains(&spec.name), expected, "reference column for {}", spec.name);
    }
    assert!(compared.len() >= LEAST_COLUMNS, "only {} columns", compared.len());
    println!("{series}: {} columns agree", compared.len());
}

/// Panics unless `ours` is the reference value, or both are not there.
fn agree(ours: f64, reference: &str, what: &str) {
    if reference.is_empty() {
        assert!(ours.is_nan(), "{what}: we say {ours}, the reference nothing");
        return;
    }
    let theirs: f64 = reference.parse().unwrap();
    let near = (ours - theirs).abs() <= TOLERANCE * theirs.abs().max(1.0);
    assert!(near, "{what}: we say {ours}, the reference {theirs}");
}

/// What a column header `RSI(timeperiod=14).real` asks for, if it is listed here.
fn listed(column: &str) -> Option<(&'static Spec, Vec<f64>, usize)> {
    let (name, rest) = column.split_once('(')?;
    let (params, output) = rest.split_once(").")?;
    let spec = Spec::find(name)?;
    let given: Option<Vec<_>> = params
        .split(',')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').map(|(name, value)| (Some(name), value.parse().unwrap())))
        .collect();
    // Refused here: only bands around other averages than the simple one.
    let params = spec.values(&given?).ok()?;
    Some((spec, params, spec.outputs.iter().position(|known| *known == output)?))
}

/// The bars of a file.
struct Bars {
    prices: [Vec<f64>; 5],
}

impl Bars {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("timestamp,open,high,low,close,volume"));
        let mut prices: [Vec<f64>; 5] = Default::default();
        for line in lines {
            for (column, cell) in prices.iter_mut().zip(line.split(',').skip(1)) {
                column.push(cell.parse().unwrap());
            }
        }
        Self { prices }
    }

    fn columns(&self) -> BarColumns<'_> {
        let [open, high, low, close, volume] = &self.prices;
        BarColumns { open_time: &[], open, high, low, close, volume }
    }
}

/// The folder of reference data.
pub(crate) struct Shared {
    folder: PathBuf,
}

impl Shared {
    pub(crate) fn read(&self, path: &str) -> String {
        let path = self.folder.join(path);
        std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("reading reference data {}: {error}", path.display()))
    }
}

/// The folder, or `None` with a printed reason when there is none and none was asked for.
pub(crate) fn shared_folder() -> Option<Shared> {
    #[expect(clippy::disallowed_methods, reason = "names the folder of reference data, tests only")]
    let named = std::env::var("FINSTAGE_SHARED").ok();
    let asked_for = named.is_some();
    let folder = named.map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    if !asked_for && !folder.is_dir() {
        println!("skipped: no reference data at {} (set FINSTAGE_SHARED)", folder.display());
        return None;
    }
    Some(Shared { folder })
}
