use crate::{Alert, AlertKind, Bar, Ruling, Signal, Verdict};

/// Everything that leaves the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A bar that the engine accepted or built has closed.
    Bar(Bar),
    /// A strategy said something.
    Signal(Box<Signal>),
    /// The verifier ruled on a signal.
    Verdict(Verdict),
    /// An alert was made, to be sent or withheld.
    Alert(Box<Alert>),
}

const _: () = assert!(size_of::<Output>() <= 96);

impl Output {
    /// Appends a canonical byte form: equal outputs give equal bytes and different ones different
    /// bytes. Floats go in by their bits, so a difference in the last place shows. Dense ids are
    /// left out where a content id says the same, because they differ between stores.
    pub fn canonical(&self, to: &mut Vec<u8>) {
        match self {
            Self::Bar(bar) => {
                to.push(1);
                to.extend(bar.instrument.0.to_le_bytes());
                to.extend(bar.interval.as_str().as_bytes());
                to.extend(bar.open_time.nanos().to_le_bytes());
                for price in [bar.open, bar.high, bar.low, bar.close] {
                    to.extend(price.nanos().to_le_bytes());
                }
                to.extend(bar.volume.nanos().to_le_bytes());
                to.extend(bar.trades.to_le_bytes());
            }
            Self::Signal(signal) => {
                to.push(2);
                to.extend(signal.id.0.to_le_bytes());
                to.extend(signal.at.nanos().to_le_bytes());
                to.extend(signal.price.nanos().to_le_bytes());
                to.extend(signal.strength.to_bits().to_le_bytes());
                for fact in signal.facts.iter() {
                    to.extend(fact.name.as_str().as_bytes());
                    to.push(0x1f);
                    to.extend(fact.value.to_bits().to_le_bytes());
                }
            }
            Self::Verdict(verdict) => {
                to.push(3);
                to.extend(verdict.signal.0.to_le_bytes());
                to.extend(verdict.ruling.as_str().as_bytes());
                to.extend(verdict.ruling.reason().map_or("", |r| r.as_str()).as_bytes());
                if let Ruling::Verified { card } = verdict.ruling {
                    to.extend(card.0.to_le_bytes());
                }
            }
            Self::Alert(alert) => {
                to.push(4);
                to.extend(alert.id.0.to_le_bytes());
                to.extend(alert.words.as_bytes());
                to.push(0x1f);
                to.extend(alert.price.nanos().to_le_bytes());
                to.extend(alert.at.nanos().to_le_bytes());
                to.extend(alert.said_at.nanos().to_le_bytes());
                to.extend(alert.data_age_ms.to_le_bytes());
                to.extend(format!("{:?}", alert.decision).as_bytes());
                // The id of a card is a hash of all its figures.
                if let AlertKind::Signal { proof, size, .. } = &alert.kind {
                    for (mark, proof) in [(b'p', proof), (b's', size)] {
                        let Some(proof) = proof else { continue };
                        // A mark for the new one only: what was said earlier keeps its digest.
                        to.extend((mark == b's').then_some(mark));
                        to.extend(proof.card.0.to_le_bytes());
                    }
                }
            }
        }
        to.push(b'\n');
    }
}
