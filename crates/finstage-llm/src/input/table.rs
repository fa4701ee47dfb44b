//! Rows of a CSV file.

use std::io::BufRead;

use csv::{ByteRecord, ReaderBuilder};

use super::lines::{Lines, Pieces};
use super::template::{Template, missing};
use super::{Place, Question};
use crate::Error;

/// Columns whose value names a row, the first that is there.
pub(super) const NAMES: [&str; 2] = ["custom_id", "id"];

#[derive(Debug)]
pub(super) struct Table<R> {
    csv: csv::Reader<Pieces<R>>,
    record: ByteRecord,
    place: Place,
    columns: Vec<String>,
    name: Option<usize>,
    /// Whether nothing behind can be read.
    is_broken: bool,
}

impl<R: BufRead> Table<R> {
    /// Reads the head of a table that has the columns of the template.
    pub(super) fn new(lines: Lines<R>, template: &Template) -> Result<Self, Error> {
        let place = lines.place().clone();
        let mut csv = ReaderBuilder::new();
        let csv = csv.has_headers(false).flexible(true).from_reader(lines.into_pieces());
        let (record, columns) = (ByteRecord::new(), Vec::new());
        let mut table = Self { csv, record, place, columns, name: None, is_broken: false };
        if !table.advance()? {
            return Ok(table);
        }
        for index in 0..table.record.len() {
            let column = table.field(index)?.trim().to_owned();
            if table.columns.contains(&column) {
                let message = format!("two columns are called \"{column}\": rename one");
                return Err(table.place.wrong(message));
            }
            table.columns.push(column);
        }
        for column in template.columns() {
            if table.index(column).is_none() {
                let message = missing(column, table.columns.iter().map(String::as_str));
                return Err(table.place.wrong(message));
            }
        }
        table.name = NAMES.iter().find_map(|name| table.index(name));
        Ok(table)
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn next(&mut self, template: &Template) -> Result<Option<Question>, Error> {
        if !self.advance()? {
            return Ok(None);
        }
        let (found, wanted) = (self.record.len(), self.columns.len());
        if found != wanted {
            let message = format!(
                "{found} columns where the head has {wanted}: a value with a comma or a line's end needs quotes"
            );
            return Err(self.place.wrong(message));
        }
        for index in 0..found {
            self.field(index)?;
        }
        let value = |index: usize| self.field(index).expect("just checked");
        let text = template.fill(|column, text| {
            let index = self.index(column);
            text.push_str(index.map(value).unwrap_or_default());
            index.is_some()
        });
        let text = text.expect("the head has all columns of the template");
        let name = self.name.map(|index| value(index).to_owned());
        Ok(Some(Question { line: self.place.line, name, text }))
    }

    fn index(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known == column)
    }

    fn field(&self, index: usize) -> Result<&str, Error> {
        std::str::from_utf8(&self.record[index]).map_err(|_| self.place.not_utf8())
    }

    /// Reads the next record, and says on which line it begins.
    fn advance(&mut self) -> Result<bool, Error> {
        if self.is_broken {
            return Ok(false);
        }
        self.csv.get_mut().begin();
        let read = self.csv.read_byte_record(&mut self.record);
        let breaks = self.record.iter().flatten().filter(|&&byte| byte == b'\n').count() as u64;
        let pieces = self.csv.get_ref();
        let last = pieces.line() + u64::from(!pieces.is_at_line_end());
        self.place.line = last.saturating_sub(breaks);
        self.is_broken = pieces.is_too_long() || read.is_err();
        if pieces.is_too_long() {
            return Err(self.place.too_long());
        }
        match read {
            Ok(is_there) => Ok(is_there),
            Err(e) => Err(self.place.unreadable(e)),
        }
    }
}
