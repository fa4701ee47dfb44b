//! The models that are served, with the prices by which spending is counted.

use serde_json::{Value, json};

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Answers as a scripted model does.
    Chat,
    /// The same, after thinking.
    Reasoning,
    /// Says what the user said last.
    Echo,
    /// Makes vectors of at most so many numbers.
    Embedding(u32),
}

/// A model.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// The name that is asked for.
    pub(super) id: &'static str,
    /// What an answer calls it: the same with a date.
    pub(super) snapshot: &'static str,
    pub(super) created: i64,
    pub(super) kind: Kind,
    /// The most tokens of a prompt and its answer together.
    pub(super) context: u32,
    /// The most tokens of one answer.
    pub(super) output: u32,
    /// US dollars for a thousand million tokens, of the prompt and of the answer: the venue's list of
    /// November 2026, in a unit without fractions.
    pub(super) price: (u64, u64),
}

/// What a reasoning model thinks before it says a word, in tokens.
pub(super) const REASONING_TOKENS: u32 = 64;

/// All models; the first is what a client takes that takes any.
pub(super) const MODELS: [Model; 8] = [
    chat("gpt-4o-mini", "gpt-4o-mini-2024-07-18", 1_721_172_741, (150, 600)),
    chat("gpt-4o", "gpt-4o-2024-08-06", 1_715_367_049, (2_500, 10_000)),
    chat("gpt-4.1", "gpt-4.1-2025-04-14", 1_744_316_542, (2_000, 8_000)),
    chat("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 1_744_318_173, (400, 1_600)),
    Model {
        kind: Kind::Reasoning,
        context: 200_000,
        output: 100_000,
        ..chat("o4-mini", "o4-mini-2025-04-16", 1_744_225_351, (1_100, 4_400))
    },
    Model { kind: Kind::Echo, ..chat("echo", "echo-2026-11-01", 1_793_491_200, (150, 600)) },
    embedding("text-embedding-3-small", 1_536, 20),
    embedding("text-embedding-3-large", 3_072, 130),
];

const fn chat(id: &'static str, snapshot: &'static str, created: i64, price: (u64, u64)) -> Model {
    Model { id, snapshot, created, kind: Kind::Chat, context: 128_000, output: 16_384, price }
}

const fn embedding(id: &'static str, dimensions: u32, price: u64) -> Model {
    let kind = Kind::Embedding(dimensions);
    Model { kind, context: 8_192, output: 0, ..chat(id, id, 1_705_948_997, (price, 0)) }
}

impl Model {
    /// Finds a model by its name or by its snapshot's.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        MODELS.iter().find(|model| model.id == name || model.snapshot == name)
    }

    /// What tokens cost, in thousand-millionths of a US dollar.
    pub(super) fn nano_usd(&self, prompt: u32, completion: u32) -> u64 {
        let (first, second) = self.price;
        u64::from(prompt) * first + u64::from(completion) * second
    }

    /// How the list shows it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id, "object": "model", "created": self.created, "owned_by": "system",
        })
    }
}
