//! The dashboard's files, embedded by their exact names: no name that a request can write leads to a
//! file of this machine.

use std::io::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::answer::Answer;

/// A file of the page.
pub(crate) struct Asset {
    pub(crate) path: &'static str,
    kind: &'static str,
    body: &'static [u8],
    /// The same, compressed, where that is worth it.
    packed: Option<Bytes>,
    etag: String,
}

/// Smaller files are sent as they are.
const PACKED_MIN_BYTES: usize = 1_024;

macro_rules! embedded {
    ($($path:literal => $file:literal, $kind:literal;)*) => {
        &[$(($path, include_bytes!(concat!("../dashboard/dist/", $file)), $kind)),*]
    };
}

/// Every file: the path it is asked for by, where it lies, what it is.
const FILES: &[(&str, &[u8], &str)] = embedded! {
    "/" => "index.html", "text/html; charset=utf-8";
    "/assets/app.js" => "assets/app.js", "text/javascript; charset=utf-8";
    "/assets/app.css" => "assets/app.css", "text/css; charset=utf-8";
    "/assets/chart.js" => "assets/chart.js", "text/javascript; charset=utf-8";
    "/assets/favicon.svg" => "assets/favicon.svg", "image/svg+xml";
    "/assets/licences.txt" => "assets/licences.txt", "text/plain; charset=utf-8";
};

static ASSETS: LazyLock<Vec<Asset>> =
    LazyLock::new(|| FILES.iter().map(|(path, body, kind)| Asset::new(path, body, kind)).collect());

impl Asset {
    fn new(path: &'static str, body: &'static [u8], kind: &'static str) -> Self {
        let mut etag = String::from("\"");
        for byte in &Sha256::digest(body)[..12] {
            etag.push_str(&format!("{byte:02x}"));
        }
        etag.push('"');
        Self { path, kind, body, packed: pack(body), etag }
    }

    /// The file for somebody who has the version `known` already, if any, and reads gzip or not.
    pub(crate) fn answer(&self, known: Option<&str>, reads_gzip: bool) -> Answer {
        let mut answer = match &self.packed {
            Some(packed) if reads_gzip => {
                Answer::of(self.kind, packed.clone()).with("content-encoding", "gzip")
            }
            _ => Answer::of(self.kind, Bytes::from_static(self.body)),
        };
        answer = answer
            .with("etag", self.etag.clone())
            .with("vary", "accept-encoding")
            .with("cache-control", "no-cache");
        if known.is_some_and(|known| known.split(',').any(|one| one.trim() == self.etag)) {
            answer.status = hyper::StatusCode::NOT_MODIFIED;
            answer.body = Bytes::new();
        }
        answer
    }
}

/// The file of that path.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

fn pack(body: &[u8]) -> Option<Bytes> {
    if body.len() < PACKED_MIN_BYTES {
        return None;
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(body).ok()?;
    let packed = packer.finish().ok()?;
    (packed.len() < body.len()).then(|| Bytes::from(packed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_exact_name_only() {
        assert!(find("/").is_some());
        for path in
            ["", "/index.html", "//", "/../Cargo.toml", "/%2e%2e/x", "/assets/", "/assets/../x"]
        {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn whoever_has_a_file_is_not_sent_it_again() {
        let page = find("/").unwrap();
        let first = page.answer(None, true);
        let etag = &first.headers.iter().find(|(name, _)| *name == "etag").unwrap().1;
        let again = page.answer(Some(etag), true);
        assert_eq!(again.status, hyper::StatusCode::NOT_MODIFIED);
        assert!(again.body.is_empty());
        assert_eq!(page.answer(Some("\"other\""), true).status, hyper::StatusCode::OK);
    }
}
