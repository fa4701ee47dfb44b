//! The files of all symbols: a line of fixed width each, in the bytes of Windows for Korea (cp949), packed.
//!
//! A line is short code (9), standard code (12), name (40), then columns of fixed width that are counted
//! from the right, because the name is as long as it is: 228 characters for KOSPI and 222 for KOSDAQ, the
//! end of the line among them.

use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::about::isin;
use super::domestic::shares;
use super::listings::{Board, Stock, all};

/// Where the files are, on the port of everything else.
pub(super) const FOLDER: &str = "/common/master/";

/// Widths of the columns behind the name.
const KOSPI: &[usize] = &[
    2, 1, 4, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9,
    5, 5, 1, 1, 1, 2, 1, 1, 1, 2, 2, 2, 3, 1, 3, 12, 12, 8, 15, 21, 2, 7, 1, 1, 1, 1, 1, 9, 9, 9,
    5, 9, 8, 9, 3, 1, 1, 1,
];
const KOSDAQ: &[usize] = &[
    2, 1, 4, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9, 5, 5, 1, 1, 1,
    2, 1, 1, 1, 2, 2, 2, 3, 1, 3, 12, 12, 8, 15, 21, 2, 7, 1, 1, 1, 1, 9, 9, 9, 5, 9, 8, 9, 3, 1,
    1, 1,
];

/// A file by its name, packed.
pub(super) fn file(name: &str) -> Option<Vec<u8>> {
    let (inner, lines) = match name {
        "kospi_code.mst.zip" => {
            let boards = all(Board::Kospi).chain(all(Board::Etf));
            ("kospi_code.mst", boards.flat_map(|stock| line(&stock, KOSPI)).collect::<Vec<u8>>())
        }
        "kosdaq_code.mst.zip" => {
            ("kosdaq_code.mst", all(Board::Kosdaq).flat_map(|stock| line(&stock, KOSDAQ)).collect())
        }
        _ => return None,
    };
    Some(packed(inner, &lines))
}

fn line(stock: &Stock, widths: &[usize]) -> Vec<u8> {
    let mut out = format!("{:<9}{:<12}", stock.code, isin(stock)).into_bytes();
    let name = cp949(stock.name);
    out.extend_from_slice(&name);
    out.resize(9 + 12 + 40, b' ');
    // Columns are counted from the price of reference on, the first one of nine places.
    let price = widths.iter().position(|width| *width == 9).unwrap_or_default();
    let count = shares(stock.code);
    for (place, width) in widths.iter().enumerate() {
        let width = *width;
        let text = match place.checked_sub(price) {
            None if place == 0 => if stock.board == Board::Etf { "EF" } else { "ST" }.to_owned(),
            None if place == 1 => "0".to_owned(),
            None if width == 4 => "0000".to_owned(),
            None => "N".to_owned(),
            Some(0) => format!("{:0width$}", stock.listing.start as u64),
            Some(1 | 2) => format!("{:0width$}", 1),
            // Par value, first day, thousands of shares, capital, last month of a year.
            Some(17) => format!("{:0width$}", 100),
            Some(18) => "20000104".to_owned(),
            Some(19) => format!("{:0width$}", (count / 1_000.0) as u64),
            Some(20) => format!("{:0width$}", (count * 100.0) as u64),
            Some(21) => "12".to_owned(),
            Some(_) if width == 1 => "N".to_owned(),
            Some(_) => "0".repeat(width),
        };
        debug_assert_eq!(text.len(), width, "column {place}");
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'\n');
    out
}

/// A text of the listings in the bytes of cp949; what is not in the table is a question mark.
fn cp949(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match (u8::try_from(c), CP949.iter().find(|(known, _)| *known == c)) {
            (Ok(byte), _) if byte.is_ascii() => out.push(byte),
            (_, Some((_, pair))) => out.extend_from_slice(&pair.to_be_bytes()),
            _ => out.push(b'?'),
        }
    }
    out
}

/// An archive with one file, as the format says (APPNOTE 6.3): a header, the bytes, the directory, its end.
fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let deflated = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let deflated = deflated.expect("memory takes every byte");
    // Version, flags, method 8, time, day (1980-01-01), sums and lengths.
    let mut about = Vec::new();
    for short in [20_u16, 0, 8, 0, 33] {
        about.extend_from_slice(&short.to_le_bytes());
    }
    for long in [crc.sum(), deflated.len() as u32, bytes.len() as u32] {
        about.extend_from_slice(&long.to_le_bytes());
    }
    about.extend_from_slice(&(name.len() as u16).to_le_bytes());
    let mut out = b"PK\x03\x04".to_vec();
    out.extend_from_slice(&about);
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&deflated);
    let directory = out.len() as u32;
    out.extend_from_slice(b"PK\x01\x02\x14\x00");
    out.extend_from_slice(&about);
    // No extra, no comment, first disk, no attributes, at the beginning.
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(name.as_bytes());
    let length = out.len() as u32 - directory;
    out.extend_from_slice(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&directory.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out
}

/// The letters of the listings' names. A table: one pair of bytes each.
#[rustfmt::skip]
const CP949: &[(char, u16)] = &[
    ('가', 0xb0a1), ('강', 0xb0ad), ('건', 0xb0c7), ('게', 0xb0d4), ('고', 0xb0ed), ('공', 0xb0f8), ('국', 0xb1b9),
    ('금', 0xb1dd), ('기', 0xb1e2), ('나', 0xb3aa), ('내', 0xb3bb), ('너', 0xb3ca), ('노', 0xb3eb), ('누', 0xb4a9),
    ('늘', 0xb4c3), ('닉', 0xb4d0), ('다', 0xb4d9), ('닥', 0xb4da), ('담', 0xb4e3), ('당', 0xb4e7), ('대', 0xb4eb),
    ('데', 0xb5a5), ('도', 0xb5b5), ('드', 0xb5e5), ('디', 0xb5f0), ('딩', 0xb5f9), ('라', 0xb6f3), ('람', 0xb6f7),
    ('래', 0xb7a1), ('레', 0xb7b9), ('려', 0xb7c1), ('력', 0xb7c2), ('로', 0xb7ce), ('록', 0xb7cf), ('롯', 0xb7d4),
    ('루', 0xb7e7), ('류', 0xb7f9), ('른', 0xb8a5), ('리', 0xb8ae), ('마', 0xb8b6), ('메', 0xb8de), ('명', 0xb8ed),
    ('모', 0xb8f0), ('물', 0xb9b0), ('미', 0xb9cc), ('바', 0xb9d9), ('반', 0xb9dd), ('버', 0xb9f6), ('베', 0xbaa3),
    ('보', 0xbab8), ('브', 0xbaea), ('비', 0xbaf1), ('빛', 0xbafb), ('산', 0xbbea), ('삼', 0xbbef), ('새', 0xbbf5),
    ('생', 0xbbfd), ('설', 0xbcb3), ('성', 0xbcba), ('셀', 0xbcbf), ('션', 0xbcc7), ('소', 0xbcd2), ('솔', 0xbcd6),
    ('스', 0xbdba), ('시', 0xbdc3), ('식', 0xbdc4), ('신', 0xbdc5), ('씨', 0xbebe), ('아', 0xbec6), ('알', 0xbecb),
    ('앤', 0xbed8), ('약', 0xbee0), ('어', 0xbeee), ('업', 0xbef7), ('에', 0xbfa1), ('엔', 0xbfa3), ('엘', 0xbfa4),
    ('엠', 0xbfa5), ('연', 0xbfac), ('오', 0xbfc0), ('온', 0xbfc2), ('우', 0xbfec), ('위', 0xc0a7), ('융', 0xc0b6),
    ('은', 0xc0ba), ('이', 0xc0cc), ('인', 0xc0ce), ('일', 0xc0cf), ('임', 0xc0d3), ('자', 0xc0da), ('재', 0xc0e7),
    ('전', 0xc0fc), ('제', 0xc1a6), ('젠', 0xc1a8), ('주', 0xc1d6), ('즈', 0xc1ee), ('지', 0xc1f6), ('직', 0xc1f7),
    ('차', 0xc2f7), ('처', 0xc3b3), ('체', 0xc3bc), ('초', 0xc3ca), ('카', 0xc4ab), ('칼', 0xc4ae), ('케', 0xc4c9),
    ('코', 0xc4da), ('콤', 0xc4de), ('크', 0xc5a9), ('테', 0xc5d7), ('텔', 0xc5da), ('톤', 0xc5e6), ('트', 0xc6ae),
    ('퍼', 0xc6db), ('펄', 0xc6de), ('포', 0xc6f7), ('푸', 0xc7aa), ('품', 0xc7b0), ('퓨', 0xc7bb), ('프', 0xc7c1),
    ('픽', 0xc7c8), ('하', 0xc7cf), ('학', 0xc7d0), ('한', 0xc7d1), ('항', 0xc7d7), ('행', 0xc7e0), ('헬', 0xc7ef),
    ('현', 0xc7f6), ('홀', 0xc8a6), ('화', 0xc8ad), ('활', 0xc8b0),
];

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// The file in an archive, read by the header at its front.
    fn unpacked(archive: &[u8]) -> Vec<u8> {
        assert_eq!(&archive[..4], b"PK\x03\x04");
        let name = usize::from(u16::from_le_bytes([archive[26], archive[27]]));
        let mut out = Vec::new();
        flate2::read::DeflateDecoder::new(&archive[30 + name..]).read_to_end(&mut out).unwrap();
        let mut crc = Crc::new();
        crc.update(&out);
        assert_eq!(crc.sum().to_le_bytes(), archive[14..18]);
        out
    }

    #[test]
    fn lines_have_their_columns_where_they_are_counted_from_the_right() {
        for (name, right, first) in
            [("kospi_code.mst.zip", 228, "005930"), ("kosdaq_code.mst.zip", 222, "247540")]
        {
            let file = unpacked(&file(name).unwrap());
            let mut lines = file.split_inclusive(|byte| *byte == b'\n');
            let line = lines.next().unwrap();
            assert_eq!(line.len(), 9 + 12 + 40 + right, "{name}");
            assert!(line.starts_with(first.as_bytes()));
            let columns = &line[line.len() - right..];
            assert!(columns.starts_with(b"ST"), "{name}");
            assert!(lines.all(|line| line.len() == 61 + right), "{name}");
        }
        assert!(file("other.zip").is_none());
    }

    #[test]
    fn names_are_the_bytes_that_windows_for_korea_writes() {
        // Published code points of KS X 1001: sam, seong, jeon, ja.
        assert_eq!(cp949("삼성전자"), [0xbb, 0xef, 0xbc, 0xba, 0xc0, 0xfc, 0xc0, 0xda]);
        assert_eq!(cp949("KT&G"), b"KT&G");
        let names = [Board::Kospi, Board::Kosdaq, Board::Etf].into_iter().flat_map(all);
        assert!(names.map(|stock| cp949(stock.name)).all(|name| !name.contains(&b'?')));
    }
}
