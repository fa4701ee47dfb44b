//! Reference values of TA-Lib, read where they lie: the folder named by `FINSTAGE_SHARED`, else
//! `../shared` beside the workspace.

use std::path::PathBuf;

use finstage_quant::{ALL, Spec};

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

/// Compares every column of the two reference files whose indicator is listed here.
fn compare(shared: &Shared, series: &str, suffix: &str) {
    let closes = closes(&shared.read(&format!("data/{series}.csv")));
    let mut compared = Vec::new();
    for group in ["overlap_studies", "momentum_indicators"] {
        let text = shared.read(&format!("golden/talib/{series}__{group}{suffix}.csv"));
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(';').collect()).collect();
        for (place, column) in header.iter().enumerate().skip(1) {
            let Some((spec, params, output)) = listed(column) else { continue };
            let mut columns = vec![Vec::new(); spec.outputs.len()];
            (spec.column)(&params, &closes, &mut columns);
            for row in &rows {
                let index: usize = row[0].parse().unwrap();
                agree(columns[output][index], row[place], &format!("{series} {column}[{index}]"));
            }
            compared.push(spec.name);
        }
    }
    for spec in ALL {
        assert!(compared.contains(&spec.name), "no reference column for {}", spec.name);
    }
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
        .map(|pair| pair.split_once('=').map(|(name, value)| (Some(name), value.parse().unwrap())))
        .collect();
    // Refused here: only bands around other averages than the simple one.
    let params = spec.values(&given?).ok()?;
    Some((spec, params, spec.outputs.iter().position(|known| *known == output)?))
}

/// The column `close` of a file of bars.
fn closes(text: &str) -> Vec<f64> {
    let mut lines = text.lines();
    let mut header = lines.next().unwrap_or_default().split(',');
    let place = header.position(|name| name == "close").expect("a column \"close\"");
    lines.map(|line| line.split(',').nth(place).unwrap().parse().unwrap()).collect()
}

/// The folder of reference data.
struct Shared {
    folder: PathBuf,
}

impl Shared {
    fn read(&self, path: &str) -> String {
        let path = self.folder.join(path);
        std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("reading reference data {}: {error}", path.display()))
    }
}

/// The folder, or `None` with a printed reason when there is none and none was asked for.
fn shared_folder() -> Option<Shared> {
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
