//! Tells the server what happens, as it happens.

use std::sync::Arc;

use finstage_model::{Clock, Event, Output, Payload};
use finstage_server::Live;

use crate::live::{Freshness, Names, Observer};

/// Tells the server what another observer is told. What was said before is not told again: the
/// records have it.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) inner: Arc<dyn Observer>,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Observer for Telling {
    fn said(&self, names: &Names, event: &Event, outputs: &[Output], freshness: Freshness) {
        self.inner.said(names, event, outputs, freshness);
        if freshness == Freshness::Again {
            return;
        }
        let symbol = match &event.payload {
            Payload::Trade(trade) => names.symbol(trade.instrument),
            _ => None,
        };
        self.live.event(symbol, event);
        let mut is_said = false;
        for output in outputs {
            match output {
                Output::Bar(bar) => {
                    if let Some(symbol) = names.symbol(bar.instrument) {
                        self.live.bar(symbol, bar);
                    }
                }
                Output::Signal(signal) => {
                    let took = self.clock.now().since(event.ts_recv);
                    self.live.analysed(names.strategy(signal.strategy), took);
                    is_said = true;
                }
                Output::Alert(_) => is_said = true,
                Output::Verdict(_) => {}
            }
        }
        if is_said {
            self.live.said();
        }
    }
}
