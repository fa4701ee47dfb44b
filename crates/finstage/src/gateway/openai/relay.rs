//! A stream on its way: passed on event by event, read on the side for what it used and whether it is whole.

use bytes::Bytes;
use finstage_llm::{Event, MAX_EVENT_BYTES, SseParser, Usage};
use serde_json::{Value, json};

use super::body;

/// What passes, and what was seen of it.
#[derive(Debug)]
pub(super) struct Relay {
    /// Whether the event that tells the usage ends here: the program has not asked for it.
    hides_usage: bool,
    parser: SseParser,
    /// The beginning of an event that is not whole yet.
    begun: Vec<u8>,
    pub(super) usage: Option<Usage>,
    is_done: bool,
    is_finished: bool,
}

impl Relay {
    pub(super) fn new(hides_usage: bool) -> Self {
        Self {
            hides_usage,
            parser: SseParser::default(),
            begun: Vec::new(),
            usage: None,
            is_done: false,
            is_finished: false,
        }
    }

    /// Passes on what is no stream of events, and takes its end for the end.
    pub(super) fn unread() -> Self {
        Self { is_done: true, ..Self::new(false) }
    }

    /// Whether the answer came to its end: it said so, or named the reason why it stopped.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_done || self.is_finished
    }

    /// Takes the next piece; what of it passes.
    pub(super) fn take(&mut self, piece: Bytes) -> Bytes {
        if !self.hides_usage {
            self.see(&piece);
            return piece;
        }
        self.begun.extend_from_slice(&piece);
        let mut passing = Vec::with_capacity(self.begun.len());
        while let Some(end) = event_end(&self.begun) {
            let event: Vec<u8> = self.begun.drain(..end).collect();
            if !self.see(&event) {
                passing.extend_from_slice(&event);
            }
        }
        // So long an event is none that is waited for.
        if self.begun.len() > MAX_EVENT_BYTES {
            passing.append(&mut self.begun);
        }
        passing.into()
    }

    /// What is left at the end of the stream.
    pub(super) fn rest(&mut self) -> Bytes {
        let rest = std::mem::take(&mut self.begun);
        self.see(&rest);
        if let Some(last) = std::mem::take(&mut self.parser).finish() {
            self.read(&last);
        }
        rest.into()
    }

    /// Looks at a piece; whether all that it ends is the event that tells the usage.
    fn see(&mut self, piece: &[u8]) -> bool {
        let mut events = Vec::new();
        if let Err(why) = self.parser.push(piece, &mut events) {
            tracing::warn!("gateway: a stream is passed on unread: {why}");
            self.parser = SseParser::default();
        }
        let mut is_usage = false;
        for event in &events {
            is_usage |= self.read(event);
        }
        is_usage && events.len() == 1
    }

    /// Whether an event only tells the usage.
    fn read(&mut self, event: &Event) -> bool {
        let data = event.data.trim();
        if data == "[DONE]" {
            self.is_done = true;
            return false;
        }
        if let Some(usage) = body::usage(data.as_bytes()) {
            self.usage = Some(usage);
        }
        let Ok(chunk) = serde_json::from_str::<Value>(data) else { return false };
        let choices = chunk.get("choices").and_then(Value::as_array);
        let has_reason =
            |choice: &Value| choice.get("finish_reason").is_some_and(|why| !why.is_null());
        let ends = ["response.completed", "response.failed", "response.incomplete", "error"];
        let kind = chunk.get("type").and_then(Value::as_str).unwrap_or_default();
        self.is_finished |= choices.is_some_and(|choices| choices.iter().any(has_reason))
            || ends.contains(&kind)
            || chunk.get("error").is_some_and(|error| !error.is_null());
        choices.is_some_and(Vec::is_empty) && chunk.get("usage").is_some_and(Value::is_object)
    }
}

/// The event that says that the rest of the answer is missing. SDKs raise it.
pub(super) fn broken(why: &str) -> Bytes {
    let error = json!({"error": {
        "message": format!("the answer was cut: {why}"),
        "type": "server_error", "param": null, "code": "stream_cut",
    }});
    format!("data: {error}\n\n").into()
}

/// Where the first event ends: behind its empty line.
fn event_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut is_empty = true;
    while at < bytes.len() {
        match bytes[at] {
            b'\r' if at + 1 == bytes.len() => return None,
            end @ (b'\r' | b'\n') => {
                at += if end == b'\r' && bytes[at + 1] == b'\n' { 2 } else { 1 };
                if is_empty {
                    return Some(at);
                }
                is_empty = true;
            }
            _ => {
                is_empty = false;
                at += 1;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USAGE: &str =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10}}";
    const WORD: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"안녕\"},\"finish_reason\":null}],\"usage\":null}";
    const LAST: &str =
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}";

    fn passed(relay: &mut Relay, pieces: &[&[u8]]) -> String {
        let mut out = Vec::new();
        for piece in pieces {
            out.extend_from_slice(&relay.take(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&relay.rest());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_usage_is_read_and_hidden_from_who_did_not_ask_for_it() {
        let text = [": hello", WORD, LAST, USAGE, "data: [DONE]", ""].join("\n\n");
        let mut relay = Relay::new(true);
        let said = passed(&mut relay, &[text.as_bytes()]);
        assert_eq!(said, text.replace(&format!("{USAGE}\n\n"), ""));
        assert_eq!(relay.usage.map(|usage| (usage.prompt, usage.completion)), Some((19, 10)));
        assert!(relay.is_whole());
        let mut relay = Relay::new(false);
        assert_eq!(passed(&mut relay, &[text.as_bytes()]), text);
        assert!(relay.usage.is_some() && relay.is_whole());
    }

    #[test]
    fn a_stream_that_stops_in_the_middle_is_not_whole() {
        let mut relay = Relay::new(true);
        passed(&mut relay, &[WORD.as_bytes(), b"\n\ndata: {\"choi"]);
        assert!(!relay.is_whole());
        // Some servers leave the last word out.
        let mut relay = Relay::new(true);
        passed(&mut relay, &[LAST.as_bytes(), b"\n\n"]);
        assert!(relay.is_whole());
        let mut relay = Relay::new(true);
        passed(&mut relay, &[WORD.as_bytes(), b"\n\ndata: [DONE]"]);
        assert!(relay.is_whole());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn wherever_it_is_cut_the_same_passes(
            end in prop::sample::select(vec!["\n\n", "\r\n\r\n", "\r\r"]),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let text = [": c", WORD, USAGE, LAST, "data: [DONE]", ""].join(end);
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            let mut relay = Relay::new(true);
            let said = passed(&mut relay, &pieces);
            prop_assert_eq!(said, text.replace(&format!("{USAGE}{end}"), ""));
            prop_assert!(relay.usage.is_some() && relay.is_whole());
        }
    }
}
