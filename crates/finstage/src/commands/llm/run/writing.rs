//! Rows on their way from those who ask to the output.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::park_timeout;
use std::time::Duration;

use finstage_llm::{Left, Output};
use finstage_model::Clock;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::reading::TurnsOut;
use crate::exit::Result;
use crate::llm::{FLUSH_EVERY, Keeper};

/// The most that are taken at once.
const AT_ONCE: usize = 256;
/// So long it is waited for more where there were few: to be woken for each costs more than to write it.
const GATHER: Duration = Duration::from_millis(2);

/// Writes what comes back.
pub(super) struct Writing {
    pub(super) output: Output,
    pub(super) left: mpsc::Receiver<Left>,
    pub(super) turns: Option<TurnsOut>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) clock: Arc<dyn Clock>,
    /// Rows that ended.
    pub(super) ended: Arc<AtomicU64>,
    pub(super) handle: Handle,
}

impl Writing {
    /// Writes until nothing comes any more.
    ///
    /// # Errors
    /// Exit 6 when the disk fails: what was written is whole lines.
    pub(super) fn run(mut self) -> Result<()> {
        let mut some = Vec::with_capacity(AT_ONCE);
        let mut keep_at = self.clock.now().plus(FLUSH_EVERY);
        loop {
            let now = self.clock.now();
            if now >= keep_at {
                self.keeper.flush().map_err(|e| super::super::failed(&e))?;
                keep_at = now.plus(FLUSH_EVERY);
            }
            let wait = self.output.due().map(|due| due.since(now));
            let more = self.left.recv_many(&mut some, AT_ONCE);
            let came = match wait {
                None => Some(self.handle.block_on(more)),
                Some(wait) => self.handle.block_on(async { timeout(wait, more).await }).ok(),
            };
            match came {
                Some(0) => break,
                Some(_) => {}
                None => self.output.flush().map_err(|e| super::super::failed(&e))?,
            }
            let are_few = some.len() < AT_ONCE / 4;
            for left in some.drain(..) {
                let turn = |line| self.turns.as_ref().and_then(|turns| turns.take(line));
                let now = self.clock.now();
                let written = match &left {
                    Left::Done(done) => {
                        self.ended.fetch_add(1, Ordering::Relaxed);
                        let turn = turn(done.row.line);
                        self.output.put(done, turn, now)
                    }
                    Left::NotDone(row) => match turn(row.line) {
                        Some(turn) => self.output.skip(turn, now),
                        None => Ok(()),
                    },
                };
                written.map_err(|e| super::super::failed(&e))?;
            }
            if are_few {
                park_timeout(GATHER);
            }
        }
        self.keeper.flush().map_err(|e| super::super::failed(&e))?;
        let now = self.clock.now();
        self.output.close(now).map_err(|e| super::super::failed(&e))
    }
}
