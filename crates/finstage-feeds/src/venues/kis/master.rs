//! The master files: every name of KOSPI and KOSDAQ, published each day.
//!
//! `kospi_code.mst.zip` and `kosdaq_code.mst.zip` hold one text in code page 949. A line is a short code
//! (9 bytes), a standard code (12), the Korean name, and a tail of fixed width, which is counted from the
//! right because the name has no fixed length: 227 bytes for KOSPI, 221 for KOSDAQ, and in some copies
//! one more. The tail begins with the group: `ST` a share, `EF` a fund.

use std::fmt;
use std::io::{Cursor, Read as _};

use encoding_rs::EUC_KR;
use zip::ZipArchive;

use crate::registry::ListingCategory;

/// The largest file that is read, packed or not.
pub const MAX_BYTES: usize = 32 << 20;

/// Where the files are published.
pub const KOSPI: &str = "https://new.real.download.dws.co.kr/common/master/kospi_code.mst.zip";
/// See [`KOSPI`].
pub const KOSDAQ: &str = "https://new.real.download.dws.co.kr/common/master/kosdaq_code.mst.zip";

const SHORT_CODE: usize = 9;
const STANDARD_CODE: usize = 12;
/// Lengths of the tail, by market and copy.
const TAILS: [usize; 4] = [227, 228, 221, 222];
/// Groups that one watches. The rest are warrants and rights, which come and go by the thousand.
const GROUPS: [(&str, ListingCategory); 9] = [
    ("ST", ListingCategory::Stock),
    ("FS", ListingCategory::Stock),
    ("DR", ListingCategory::Stock),
    ("RT", ListingCategory::Stock),
    ("IF", ListingCategory::Stock),
    ("MF", ListingCategory::Etf),
    ("EF", ListingCategory::Etf),
    ("FE", ListingCategory::Etf),
    ("EN", ListingCategory::Etf),
];

/// An instrument of a master file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterRow {
    /// The short code: `005930`.
    pub code: String,
    /// The international number: `KR7005930003`.
    pub isin: String,
    /// The Korean name.
    pub name: String,
    /// What it is.
    pub category: ListingCategory,
}

/// What a master file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Master {
    /// Shares and funds, in the order of the file.
    pub rows: Vec<MasterRow>,
    /// Warrants and rights that were passed over.
    pub others: usize,
}

/// Why a file is no master file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterError(String);

impl fmt::Display for MasterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MasterError {}

/// Reads a master file, packed or not.
///
/// # Errors
/// When it is neither a master file nor an archive of one; names the line.
pub fn read(bytes: &[u8]) -> Result<Master, MasterError> {
    if bytes.starts_with(b"PK") {
        return lines(&unpack(bytes)?);
    }
    lines(bytes)
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, MasterError> {
    let broken = |why: &dyn fmt::Display| MasterError(format!("the archive cannot be read: {why}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| broken(&e))?;
    let is_master = |name: &&str| name.to_ascii_lowercase().ends_with(".mst");
    let name = archive.file_names().find(is_master).map(str::to_owned);
    let name = name.ok_or_else(|| broken(&"there is no .mst in it"))?;
    let file = archive.by_name(&name).map_err(|e| broken(&e))?;
    let mut text = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut text).map_err(|e| broken(&e))?;
    if text.len() > MAX_BYTES {
        return Err(broken(&format_args!("{name} has more than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

fn lines(text: &[u8]) -> Result<Master, MasterError> {
    let lines = (1..).zip(text.split(|byte| *byte == b'\n'));
    let lines = lines.map(|(number, line)| (number, line.strip_suffix(b"\r").unwrap_or(line)));
    let lines = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace));
    let lines: Vec<(usize, &[u8])> = lines.collect();
    // All tails of a file are alike; a name may look like the begin of another one.
    let fitting =
        |tail: &usize| lines.iter().filter(|(_, line)| group(line, *tail).is_some()).count();
    let tail = TAILS.into_iter().max_by_key(|tail| (fitting(tail), std::cmp::Reverse(*tail)));
    let tail = tail.unwrap_or(TAILS[0]);
    let mut master = Master::default();
    for (number, line) in &lines {
        let wrong = || MasterError(format!("line {number} is none of a KIS master file"));
        let group = group(line, tail).ok_or_else(wrong)?;
        match GROUPS.iter().find(|(known, _)| known.as_bytes() == group) {
            Some((_, category)) => {
                master.rows.push(row(&line[..line.len() - tail], *category).ok_or_else(wrong)?);
            }
            None => master.others += 1,
        }
    }
    if master.rows.is_empty() {
        return Err(MasterError("there is no share and no fund in it".to_owned()));
    }
    Ok(master)
}

/// The group of a line whose tail has that length; `None` where it cannot have.
fn group(line: &[u8], tail: usize) -> Option<&[u8]> {
    let start = line.len().checked_sub(tail).filter(|start| *start > SHORT_CODE + STANDARD_CODE)?;
    let tail = &line[start..];
    let (group, rest) = tail.split_at(2);
    // Behind the group stands a digit: how large the company is.
    let fits = group.iter().all(u8::is_ascii_uppercase) && !rest[0].is_ascii_uppercase();
    (fits && tail.is_ascii()).then_some(group)
}

/// What stands before the tail.
fn row(head: &[u8], category: ListingCategory) -> Option<MasterRow> {
    let (codes, name) = head.split_at(SHORT_CODE + STANDARD_CODE);
    let (short, standard) = codes.split_at(SHORT_CODE);
    let (code, isin, name) = (text(short)?, text(standard)?, text(name)?);
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_name = !name.is_empty() && !name.chars().any(char::is_control);
    (is_code && is_name).then_some(MasterRow { code, isin, name, category })
}

/// Bytes of code page 949 as text without the padding.
fn text(bytes: &[u8]) -> Option<String> {
    let text = EUC_KR.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;

    use super::*;

    /// A line as the venue writes it: the tail begins with the group and the size of the company.
    fn line(code: &str, isin: &str, name: &str, (group, tail): (&str, usize)) -> Vec<u8> {
        let (name, _, _) = EUC_KR.encode(name);
        let mut line = format!("{code:<9}{isin:<12}").into_bytes();
        line.extend_from_slice(&name);
        // Names are padded to a width in bytes.
        line.resize(line.len().max(61), b' ');
        line.extend_from_slice(
            format!("{group:<tail$}", group = format!("{group}10027")).as_bytes(),
        );
        line.push(b'\n');
        line
    }

    fn kospi(tail: usize) -> Vec<u8> {
        [
            line("005930", "KR7005930003", "삼성전자", ("ST", tail)),
            line("069500", "KR7069500007", "KODEX 200", ("EF", tail)),
            line("Q530031", "KRG530000316", "삼성 레버리지 WTI원유 선물 ETN", ("EN", tail)),
            line("0001A0", "KR70001A0009", "펲시똠방각하", ("ST", tail)),
            line("57J001", "KRA57J001D12", "한국J001삼성전자콜", ("EW", tail)),
        ]
        .concat()
    }

    fn names(master: &Master) -> Vec<(&str, &str, &str)> {
        let row = |row: &'_ MasterRow| row.category.name();
        master.rows.iter().map(|r| (r.code.as_str(), r.name.as_str(), row(r))).collect()
    }

    #[test]
    fn names_are_korean_and_the_tail_is_counted_from_the_right() {
        let expected = [
            ("005930", "삼성전자", "stock"),
            ("069500", "KODEX 200", "etf"),
            ("Q530031", "삼성 레버리지 WTI원유 선물 ETN", "etf"),
            // Letters that code page 949 has beyond EUC-KR.
            ("0001A0", "펲시똠방각하", "stock"),
        ];
        for tail in TAILS {
            let master = read(&kospi(tail)).unwrap();
            assert_eq!(names(&master), expected, "tail of {tail}");
            assert_eq!(master.others, 1, "warrants are counted only");
            assert_eq!(master.rows[0].isin, "KR7005930003");
        }
        let unix = kospi(227);
        let ended = |line: &[u8]| [line, b"\r\n"].concat();
        let lines = unix.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n');
        let windows: Vec<u8> = lines.flat_map(ended).collect();
        assert_eq!(read(&windows).unwrap(), read(&unix).unwrap());
    }

    #[test]
    fn a_name_in_capitals_is_not_taken_for_the_tail() {
        // Names that fill their width, so that a longer tail would begin in them.
        let long = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMN";
        let text = line("123456", "KR7123456000", long, ("ST", 221));
        assert_eq!(names(&read(&text).unwrap()), [("123456", long, "stock")]);
    }

    #[test]
    fn the_archive_is_unpacked() {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file("readme.txt", SimpleFileOptions::default()).unwrap();
        archive.start_file("kosdaq_code.mst", SimpleFileOptions::default()).unwrap();
        archive.write_all(&kospi(221)).unwrap();
        let packed = archive.finish().unwrap().into_inner();
        assert_eq!(read(&packed).unwrap(), read(&kospi(221)).unwrap());
        let cut = read(&packed[..packed.len() - 30]).unwrap_err();
        assert!(cut.to_string().starts_with("the archive cannot be read"), "{cut}");
    }

    #[test]
    fn another_file_is_refused_with_the_line() {
        let mut text = kospi(227);
        text.extend_from_slice(b"oops\n");
        assert_eq!(read(&text).unwrap_err().to_string(), "line 6 is none of a KIS master file");
        assert!(read(b"timestamp,open,high,low,close,volume\n2026-01-02,1,1,1,1,1\n").is_err());
        assert!(read(b"").is_err());
    }
}
