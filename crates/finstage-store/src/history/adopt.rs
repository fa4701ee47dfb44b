//! Taking files of the shelf into a manifest that was lost.

use std::path::PathBuf;

use finstage_model::{Interval, Timestamp};

use super::parquet;
use super::period::FileName;
use super::shelf::{History, Series, path_of};
use crate::files::OpenMode;
use crate::records::{Content, Publication, SeriesId};
use crate::{Error, ErrorKind};

/// What came of taking files in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adopted {
    /// Files that count now and did not.
    pub files: u64,
    /// Bars in them.
    pub bars: u64,
    /// Files that cannot be read; they are left alone.
    pub refused: Vec<PathBuf>,
}

impl History {
    /// Lets every whole file of a known instrument count whose period has none that does; of several
    /// the one with the highest number.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn adopt(&self) -> Result<Adopted, Error> {
        let mut adopted = Adopted::default();
        for instrument in self.records.instruments()? {
            for interval in Interval::ALL {
                let id = SeriesId { instrument: instrument.id, interval };
                let dir = self.series_dir(&instrument.symbol, interval);
                self.adopt_series(&Series { id, dir }, &mut adopted)?;
            }
        }
        Ok(adopted)
    }

    fn adopt_series(&self, series: &Series, adopted: &mut Adopted) -> Result<(), Error> {
        let failed = |e| Error::io("listing", &series.dir, e);
        let names = self.files.list(&series.dir).map_err(failed)?;
        let mut files: Vec<FileName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        files.retain(|file| !file.unfinished);
        files.sort_by_key(|file| (file.period, std::cmp::Reverse(file.generation)));
        for file in files {
            let (periods, _) = self.records.shelf(series.id, super::NO_TAIL)?;
            let known = periods.iter().find(|row| row.period == file.period);
            if known.is_some_and(|row| row.file.is_some()) {
                continue;
            }
            let Some(content) = self.content_of(series, file)? else {
                adopted.refused.push(path_of(&series.dir, file));
                continue;
            };
            let mut claimed = known.map_or(0, |row| row.claimed);
            while claimed < file.generation {
                claimed = self.records.claim(series.id, &[file.period])?[0];
            }
            let none = Timestamp::MIN..Timestamp::MIN;
            let publication = Publication {
                period: file.period,
                base: None,
                file: Some((file.generation, content)),
                tail_range: none,
                tail: Vec::new(),
                moves_tail: false,
            };
            self.records.publish(series.id, &[publication])?;
            adopted.files += 1;
            adopted.bars += content.bars;
        }
        Ok(())
    }

    /// What is in a file; `None` where it is not whole.
    fn content_of(&self, series: &Series, file: FileName) -> Result<Option<Content>, Error> {
        let path = path_of(&series.dir, file);
        let failed = |e| Error::io("reading", &path, e);
        let opened = self.files.open(&path, OpenMode::Read).map_err(failed)?;
        let size = opened.size().map_err(failed)?;
        if size > super::MAX_FILE_BYTES {
            return Err(Error::new(ErrorKind::Refused, format!("{} is too large", path.display())));
        }
        let mut bytes = vec![0; size as usize];
        let read = opened.read_at(0, &mut bytes).map_err(failed)?;
        bytes.truncate(read);
        let checksum = crc32c::crc32c(&bytes);
        let Ok(bars) = parquet::decode(bytes, series.id) else { return Ok(None) };
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok(None) };
        let (first, last, bars) = (first.open_time, last.open_time, bars.len() as u64);
        Ok(Some(Content { bars, first, last, bytes: size, checksum }))
    }
}
