//! `finstage seal`

use std::io;
use std::ops::Range;

use finstage_model::Clock as _;
use finstage_net::SystemClock;
use finstage_seal::{
    CounterFile, Counters, KeyId, KeyringFile, MAX_PLAIN_BYTES, SealError, Sealer, SealerOptions,
};
use serde_json::json;

use super::keys::{self, Watch};
use super::lines::{Line, Lines};
use super::{complain_of, say, write_out};
use crate::cli::{Global, Seal};
use crate::exit::{Exit, Failure, Result};

/// An envelope of several lines is closed early where it would hold more bytes.
const BATCH_MAX_BYTES: usize = 1 << 20;
/// What is written at once.
const WRITE_BYTES: usize = 256 << 10;

pub(super) fn run(global: &Global, args: &Seal) -> Result<Exit> {
    let file = keys::file(global, &args.ring)?;
    let ring = keys::open(&file)?;
    let counters = counters(&file, args.sender)?;
    let (sid, began) = (counters.sid(), SystemClock.now());
    let sealer = Sealer::new(ring.clone(), counters, SealerOptions::default());
    let mut work =
        Work { global, sealer, watch: Watch::new(ring), out: Vec::new(), count: Count::default() };
    let result = work.all(args.batch as usize);
    // What was sealed is not lost with what was not.
    write_out(&mut work.out)?;
    result?;
    let Count { lines, refused } = work.count;
    let counts = work.sealer.counts();
    let elapsed_s = SystemClock.now().since(began).as_secs_f64();
    let per_second = (counts.sealed as f64 / elapsed_s.max(1e-9)).round();
    let key = counts.key.map(|key| key.to_string());
    if global.json {
        let summary = json!({
            "sealed": counts.sealed, "failed": refused, "lines": lines, "kid": key, "sid": sid,
            "per_second": per_second, "elapsed_s": elapsed_s,
        });
        say(global, format_args!("{summary}"));
    } else {
        let sealed = counts.sealed;
        let with = key.map_or(String::new(), |key| format!(" with {key}"));
        say(
            global,
            format_args!(
                "{lines} lines sealed in {sealed} envelopes{with} by sender {sid}, {refused} refused, {per_second} a second"
            ),
        );
    }
    Ok(if refused == 0 { Exit::Done } else { Exit::CheckFailed })
}

/// The counters beside the keyring, for a sender that was named or one of its own.
fn counters(file: &KeyringFile, sender: Option<u32>) -> Result<Box<dyn Counters>> {
    let counters = CounterFile::open(&file.senders_path());
    let counters = counters.map_err(|error| Failure::new(Exit::Store, error))?;
    Ok(match sender {
        Some(sid) => Box::new(Named { sid, counters }),
        None => Box::new(counters),
    })
}

/// Counters under a number that somebody chose. Numbers of a key go to all senders of the file
/// together, so that no nonce comes twice even where two of them have the same.
struct Named {
    sid: u32,
    counters: CounterFile,
}

impl Counters for Named {
    fn sid(&self) -> u32 {
        self.sid
    }

    fn reserve(&mut self, key: KeyId, count: u64) -> io::Result<Range<u64>> {
        self.counters.reserve(key, count)
    }
}

/// What was read.
#[derive(Default)]
struct Count {
    /// Lines that were sealed.
    lines: u64,
    /// Lines that are too long.
    refused: u64,
}

struct Work<'a> {
    global: &'a Global,
    sealer: Sealer,
    watch: Watch,
    /// Envelopes that are not written yet.
    out: Vec<u8>,
    count: Count,
}

impl Work<'_> {
    /// Seals standard input, so many lines in an envelope.
    fn all(&mut self, batch: usize) -> Result<()> {
        let mut lines = Lines::new(io::stdin().lock(), MAX_PLAIN_BYTES);
        // Lines of the next envelope, with the breaks between them.
        let (mut plain, mut count) = (Vec::new(), 0);
        loop {
            if lines.may_wait() || self.out.len() >= WRITE_BYTES {
                write_out(&mut self.out)?;
            }
            let end = plain.len();
            if count > 0 {
                plain.push(b'\n');
            }
            let start = plain.len();
            let read = lines.read(&mut plain);
            let read = read.map_err(|e| Failure::usage(format!("reading standard input: {e}")))?;
            match read {
                None => {
                    plain.truncate(end);
                    if count > 0 {
                        self.envelope(&plain)?;
                    }
                    return Ok(());
                }
                Some(Line::TooLong) => {
                    plain.truncate(end);
                    self.count.refused += 1;
                    let why = format_args!("longer than {MAX_PLAIN_BYTES} bytes");
                    complain_of(lines.number(), &why);
                    continue;
                }
                Some(Line::Whole | Line::Unended) => self.count.lines += 1,
            }
            if count > 0 && plain.len() > BATCH_MAX_BYTES {
                self.envelope(&plain[..end])?;
                plain.drain(..start);
                count = 0;
            }
            count += 1;
            let is_last = read == Some(Line::Unended);
            if count == batch || is_last {
                self.envelope(&plain)?;
                plain.clear();
                count = 0;
            }
            if is_last {
                // Line breaks go over one to one, so that what is opened is what was sealed.
                self.out.pop();
            }
        }
    }

    fn envelope(&mut self, plain: &[u8]) -> Result<()> {
        self.watch.look(self.global);
        self.sealer.seal(plain, &mut self.out).map_err(|error| {
            let exit = match error {
                SealError::Counters(_) => Exit::Store,
                _ => Exit::Usage,
            };
            Failure::new(exit, error)
        })?;
        self.out.push(b'\n');
        Ok(())
    }
}
