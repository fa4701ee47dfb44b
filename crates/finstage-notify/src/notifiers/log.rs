//! The log as a channel: one line per alert to a writer of the binary's choice; one for each part of
//! a notice.
//!
//! It goes through the same outbox as every other channel, so what stands in the log was
//! recorded as delivered, once per alert.

use finstage_store::records::Item;

use super::Kind;
use crate::message::{Line, Message, clean};
use crate::notifier::{Accepted, Delivery, Notifier, Outgoing, Reply};
use crate::pacer::Pace;
use crate::template::Template;

pub(super) const KIND: Kind =
    Kind { name: "log", describes: "one line per alert in the service's log", needs: &[] };

/// The most characters of one line; more than the template writes, so that no id is cut off.
pub const MAX_LINE_CHARS: usize = 10_000;

/// The longest part of a notice that becomes one line: each of its line ends takes three characters.
const MAX_PART_UNITS: usize = 5_000;

/// Writes alerts as single lines.
#[derive(Debug, Default)]
pub struct Log {
    template: Template,
}

impl Log {
    /// A log notifier with these words.
    #[must_use]
    pub const fn new(template: Template) -> Self {
        Self { template }
    }
}

impl Notifier for Log {
    fn name(&self) -> &str {
        KIND.name
    }

    fn pace(&self) -> Pace {
        Pace::UNLIMITED
    }

    fn render(&self, item: &Item, delivery: &Delivery<'_>) -> Vec<Outgoing> {
        let line = |part: &Message| {
            let lines = part.lines().iter().map(Line::plain);
            let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
            let text = lines.join(" · ");
            Outgoing::Line(clean(&text, MAX_LINE_CHARS))
        };
        match item {
            Item::Alert(alert) => {
                vec![line(&self.template.message(alert, delivery.repeat, delivery.note))]
            }
            Item::Notice(notice) => {
                let message = self.template.notice(notice, delivery.repeat);
                message.split(MAX_PART_UNITS).iter().map(line).collect()
            }
        }
    }

    /// A line has no answer; a service that gives one to this channel is a mistake of ours.
    fn accepted(&self, reply: &Reply<'_>) -> Accepted {
        Accepted::Refused { reason: format!("status {} answers a line of the log", reply.status) }
    }
}
