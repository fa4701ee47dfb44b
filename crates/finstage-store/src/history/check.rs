//! Whether the shelf is what the manifest says: every file that counts, byte for byte and bar for bar, and
//! every file that does not.

use std::path::PathBuf;

use super::NO_TAIL;
use super::period::FileName;
use super::shelf::{History, Series, path_of};
use crate::Error;

/// What a check of the shelf found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShelfCheck {
    /// Files that count.
    pub files: u64,
    /// Bars in them.
    pub bars: u64,
    /// What is wrong, in words.
    pub faults: Vec<String>,
    /// Files that do not count: unfinished, replaced, or of somebody else.
    pub orphans: Vec<PathBuf>,
}

impl History {
    /// Reads every file that counts and looks for those that do not; changes nothing.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`; a damaged file is no error but the result.
    pub fn check(&self) -> Result<ShelfCheck, Error> {
        let mut check = ShelfCheck::default();
        for (symbol, id) in self.records.series()? {
            let series = Series { id, dir: self.series_dir(&symbol, id.interval) };
            let (periods, _) = self.records.shelf(id, NO_TAIL)?;
            let rows: Vec<_> = periods.iter().filter_map(|row| row.file).collect();
            for row in &rows {
                check.files += 1;
                match self.read_file(&series, row) {
                    Ok(bars) if bars.len() as u64 == row.content.bars => {
                        check.bars += row.content.bars;
                    }
                    Ok(bars) => {
                        let path = path_of(&series.dir, FileName::new(row.period, row.generation));
                        let (path, counted, wanted) =
                            (path.display(), bars.len(), row.content.bars);
                        check
                            .faults
                            .push(format!("{path} has {counted} bars, {wanted} were written"));
                    }
                    Err(error) => check.faults.push(error.to_string()),
                }
            }
            let counting: Vec<String> = rows
                .iter()
                .map(|row| FileName::new(row.period, row.generation).to_string())
                .collect();
            let failed = |e| Error::io("listing", &series.dir, e);
            let names = self.files.list(&series.dir).map_err(failed)?;
            let orphans = names.into_iter().filter(|name| !counting.contains(name));
            check.orphans.extend(orphans.map(|name| series.dir.join(name)));
        }
        Ok(check)
    }

    /// The files that count, below the folder of the history, with their bytes.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn counting_files(&self) -> Result<Vec<(PathBuf, u64)>, Error> {
        let mut all = Vec::new();
        for (symbol, id) in self.records.series()? {
            let dir = super::period::folder(&symbol, id.interval);
            let (periods, _) = self.records.shelf(id, NO_TAIL)?;
            for row in periods.iter().filter_map(|row| row.file) {
                let name = FileName::new(row.period, row.generation).to_string();
                all.push((dir.join(name), row.content.bytes));
            }
        }
        Ok(all)
    }
}
