//! Statistics as files that grow line by line and are put aside when they are large: JSON lines, CSV, or
//! one JSON document that is replaced; what is put aside can be packed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A JSON object a line.
    Jsonl,
    /// Columns with a header.
    Csv,
    /// The newest object alone.
    Json,
}

impl Form {
    /// All forms with their words.
    pub const WORDS: [(&str, Self); 3] =
        [("jsonl", Self::Jsonl), ("csv", Self::Csv), ("json", Self::Json)];

    const fn ending(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// What becomes of a file that was put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// It stays as it is.
    Plain,
    /// It is packed with gzip.
    Packed,
}

/// Where statistics go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsFiles {
    /// The folder.
    pub dir: PathBuf,
    /// The form.
    pub form: Form,
    /// The size at which a file is put aside.
    pub rotate_bytes: u64,
    /// How many that were put aside are kept.
    pub keep: u32,
    /// What becomes of them.
    pub aside: Aside,
}

impl StatsFiles {
    /// Adds one object; its fields become columns, so it must be flat and always have the same fields.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn add(&self, object: &Map<String, Value>) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let path = self.dir.join(format!("stats.{}", self.form.ending()));
        if self.form == Form::Json {
            let unfinished = path.with_extension("json.tmp");
            fs::write(&unfinished, serde_json::to_vec_pretty(object)?)?;
            return fs::rename(unfinished, path);
        }
        let header = (self.form == Form::Csv).then(|| names(object));
        if self.is_full(&path)
            || header.as_ref().is_some_and(|header| has_other_header(&path, header))
        {
            self.put_aside(&path)?;
        }
        let is_new = fs::metadata(&path).map_or(true, |about| about.len() == 0);
        let mut line = match self.form {
            Form::Csv => values(object),
            _ => serde_json::to_string(object)?,
        };
        if let Some(header) = header.filter(|_| is_new) {
            line = format!("{header}\n{line}");
        }
        let mut file = File::options().append(true).create(true).open(&path)?;
        // In one piece: a reader sees whole lines.
        file.write_all(format!("{line}\n").as_bytes())
    }

    fn is_full(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|about| about.len() >= self.rotate_bytes)
    }

    /// Moves every predecessor one on; only the oldest goes.
    fn put_aside(&self, path: &Path) -> io::Result<()> {
        let name = |number: u32, packed: bool| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}{}", if packed { ".gz" } else { "" }));
            PathBuf::from(name)
        };
        for packed in [false, true] {
            gone(fs::remove_file(name(self.keep.max(1), packed)))?;
            for number in (1..self.keep).rev() {
                gone(fs::rename(name(number, packed), name(number + 1, packed)))?;
            }
        }
        if self.keep == 0 {
            return gone(fs::remove_file(path));
        }
        let first = name(1, false);
        gone(fs::rename(path, &first))?;
        if self.aside == Aside::Packed {
            let unfinished = path.with_extension("gz.tmp");
            let mut packer = flate2::write::GzEncoder::new(
                File::create(&unfinished)?,
                flate2::Compression::default(),
            );
            io::copy(&mut File::open(&first)?, &mut packer)?;
            packer.finish()?.sync_all()?;
            fs::rename(unfinished, name(1, true))?;
            fs::remove_file(first)?;
        }
        Ok(())
    }
}

/// What was not there is gone already.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn has_other_header(path: &Path, header: &str) -> bool {
    use std::io::{BufRead as _, Read as _};
    let Ok(file) = File::open(path) else { return false };
    let mut first = String::new();
    let read = io::BufReader::new(file.take(header.len() as u64 + 2)).read_line(&mut first);
    read.is_ok_and(|bytes| bytes > 0) && first.trim_end() != header
}

fn names(object: &Map<String, Value>) -> String {
    object.keys().map(String::as_str).collect::<Vec<_>>().join(",")
}

fn values(object: &Map<String, Value>) -> String {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) if text.contains([',', '"', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    object.values().map(cell).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use serde_json::json;

    use super::*;

    fn object(n: u64) -> Map<String, Value> {
        let value = json!({"at": format!("t{n}"), "cpu": n as f64 / 8.0, "none": null});
        value.as_object().unwrap().clone()
    }

    fn files(dir: &Path, form: Form, aside: Aside) -> StatsFiles {
        StatsFiles { dir: dir.to_owned(), form, rotate_bytes: 120, keep: 2, aside }
    }

    #[test]
    fn lines_come_back_equal_and_only_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), Form::Jsonl, Aside::Packed);
        (0..20).for_each(|n| files.add(&object(n)).unwrap());
        let read = |name: &str| {
            let bytes = fs::read(dir.path().join(name)).unwrap();
            let mut text = String::new();
            match name.ends_with(".gz") {
                true => flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap(),
                false => (&*bytes).read_to_string(&mut text).unwrap(),
            };
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Map<_, _>>>()
        };
        let mut all = read("stats.jsonl.2.gz");
        all.extend(read("stats.jsonl.1.gz"));
        all.extend(read("stats.jsonl"));
        let first = 20 - all.len() as u64;
        assert!(first > 0 && all.len() > 6);
        assert_eq!(all, (first..20).map(object).collect::<Vec<_>>());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_table_has_its_header_in_every_file_and_other_columns_begin_another() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), Form::Csv, Aside::Plain);
        files.add(&object(1)).unwrap();
        let mut other = object(2);
        other.insert("more".into(), json!("a,\"b\""));
        files.add(&other).unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("stats.csv.1"), "at,cpu,none\nt1,0.125,\n");
        assert_eq!(read("stats.csv"), "at,cpu,more,none\nt2,0.25,\"a,\"\"b\"\"\",\n");
    }

    #[test]
    fn a_document_is_the_newest_object() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path(), Form::Json, Aside::Plain);
        (0..3).for_each(|n| files.add(&object(n)).unwrap());
        let read = fs::read(dir.path().join("stats.json")).unwrap();
        assert_eq!(serde_json::from_slice::<Map<_, _>>(&read).unwrap(), object(2));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
