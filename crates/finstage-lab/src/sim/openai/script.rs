//! What the scripted model says: from the question and the seeds, never from chance or time.
//!
//! A question about sentiment gets a word and a score, counted from words that rise and fall in what the
//! user said last; one that wants JSON gets JSON that fits; the echo says what the user said; everything else
//! gets a sentence or two about a market.

use serde_json::{Value, json};

use super::catalog::{Kind, REASONING_TOKENS};
use super::chat::{Chat, Form};
use super::schema;
use super::tokens::{count_tokens, first};
use crate::rng::{Rng, mix};

const RISING: [&str; 14] = [
    "beat", "gain", "good", "great", "grow", "higher", "jump", "profit", "rally", "record", "rise",
    "soar", "surge", "상승",
];
const FALLING: [&str; 14] = [
    "bad", "crash", "drop", "fall", "fear", "hack", "loss", "lower", "miss", "plunge", "poor",
    "slump", "weak", "하락",
];
const WORDS: [&str; 24] = [
    "the",
    "market",
    "volume",
    "rose",
    "while",
    "buyers",
    "wait",
    "for",
    "a",
    "close",
    "above",
    "its",
    "average",
    "and",
    "risk",
    "stays",
    "low",
    "until",
    "news",
    "comes",
    "from",
    "거래량",
    "café",
    "→",
];

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) said: Said,
    pub(super) finish: &'static str,
    /// Tokens of what is said.
    pub(super) tokens: u32,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Text(String),
    Refusal(String),
    Call { id: String, name: String, arguments: String },
}

/// All answers to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) choices: Vec<Choice>,
    pub(super) prompt_tokens: u32,
    pub(super) completion_tokens: u32,
    pub(super) reasoning_tokens: u32,
}

/// What a scenario does to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Twist {
    #[default]
    None,
    /// It refuses.
    Refuses,
    /// It ends too early, as if the tokens had run out.
    Short,
}

/// Answers a question.
pub(super) fn answer(chat: &Chat, (seed, twist): (u64, Twist)) -> Answers {
    let seed = mix(seed, hash(chat), chat.seed);
    let reasoning = match chat.model.kind {
        Kind::Reasoning => REASONING_TOKENS.min(chat.max_tokens),
        _ => 0,
    };
    let one = |i: u32| {
        let mut rng = Rng::new(mix(seed, u64::from(i), 1));
        let said = say(chat, twist, &mut rng);
        cut(said, chat, (chat.max_tokens - reasoning, twist))
    };
    let choices: Vec<Choice> = (0..chat.choices).map(one).collect();
    let said: u32 = choices.iter().map(|choice| choice.tokens).sum();
    let reasoning_tokens = reasoning * chat.choices;
    let completion_tokens = said + reasoning_tokens;
    Answers { choices, prompt_tokens: chat.prompt_tokens, completion_tokens, reasoning_tokens }
}

/// What the answer depends on beside the seeds: the model and what was said, not how it is asked for.
fn hash(chat: &Chat) -> u64 {
    let texts = [chat.model.id, &chat.said];
    let bytes = texts.iter().flat_map(|text| text.bytes());
    bytes.fold(0, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
    })
}

fn say(chat: &Chat, twist: Twist, rng: &mut Rng) -> Said {
    if twist == Twist::Refuses {
        return Said::Refusal("I'm sorry, I cannot assist with that request.".to_owned());
    }
    match &chat.form {
        Form::Call(name, parameters) => Said::Call {
            id: id("call_", 24, rng.next_u64()),
            name: name.clone(),
            arguments: if parameters.is_null() {
                "{}".to_owned()
            } else {
                schema::value(parameters, rng).to_string()
            },
        },
        Form::Schema(schema) => Said::Text(schema::value(schema, rng).to_string()),
        Form::Object => Said::Text(object(chat, rng).to_string()),
        Form::Text if chat.model.kind == Kind::Echo => Said::Text(chat.last.clone()),
        Form::Text if asks_for_sentiment(chat) => {
            let (word, score) = sentiment(&chat.last);
            Said::Text(format!("{word} {score:.2}"))
        }
        Form::Text => {
            let count = 6 + rng.below(18) as usize;
            Said::Text(words(count, rng))
        }
    }
}

/// Ends an answer where a stop sequence or the most tokens say so.
fn cut(said: Said, chat: &Chat, (most, twist): (u32, Twist)) -> Choice {
    let stop = |text: String| match chat.stop.iter().filter_map(|stop| text.find(stop)).min() {
        Some(at) => text[..at].to_owned(),
        None => text,
    };
    let limit = |text: &str| match twist {
        Twist::Short => most.min(count_tokens(text) / 3),
        _ => most,
    };
    let shorten = |text: String| {
        let (full, most) = (count_tokens(&text), limit(&text));
        if full <= most { (text, full, false) } else { (first(&text, most).to_owned(), most, true) }
    };
    let ended = |is_cut: bool, whole| if is_cut { "length" } else { whole };
    match said {
        Said::Text(text) => {
            let (text, tokens, is_cut) = shorten(stop(text));
            Choice { said: Said::Text(text), finish: ended(is_cut, "stop"), tokens }
        }
        Said::Refusal(text) => {
            let (text, tokens, is_cut) = shorten(text);
            Choice { said: Said::Refusal(text), finish: ended(is_cut, "stop"), tokens }
        }
        Said::Call { id, name, arguments } => {
            let (arguments, tokens, is_cut) = shorten(arguments);
            let tokens = tokens + count_tokens(&name);
            let said = Said::Call { id, name, arguments };
            Choice { said, finish: ended(is_cut, "tool_calls"), tokens }
        }
    }
}

fn asks_for_sentiment(chat: &Chat) -> bool {
    ["sentiment", "감성", "감정"].iter().any(|word| chat.said.to_lowercase().contains(word))
}

/// A word and a score from -1 to 1: what rises less what falls, of both and one.
fn sentiment(text: &str) -> (&'static str, f64) {
    let text = text.to_lowercase();
    let count = |words: &[&str]| {
        words.iter().map(|word| text.matches(word).count() as u32).map(f64::from).sum::<f64>()
    };
    let (up, down) = (count(&RISING), count(&FALLING));
    let score = (up - down) / (up + down + 1.0);
    let word = match score {
        s if s > 0.0 => "positive",
        s if s < 0.0 => "negative",
        _ => "neutral",
    };
    (word, score)
}

fn object(chat: &Chat, rng: &mut Rng) -> Value {
    let (word, score) = sentiment(&chat.last);
    let score = (score * 100.0).round() / 100.0;
    json!({"sentiment": word, "score": score, "reason": words(6, rng)})
}

/// A sentence of so many words.
pub(super) fn words(count: usize, rng: &mut Rng) -> String {
    let mut text = String::with_capacity(count * 7);
    for i in 0..count {
        if i > 0 {
            text.push(' ');
        }
        text.push_str(WORDS[rng.below(WORDS.len() as u64) as usize]);
    }
    text
}

/// A name of letters and digits after a prefix, made of a draw.
pub(super) fn id(prefix: &str, letters: usize, draw: u64) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rng = Rng::new(draw);
    let mut made = String::with_capacity(prefix.len() + letters);
    made.push_str(prefix);
    made.extend((0..letters).map(|_| char::from(ALPHABET[rng.below(62) as usize])));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(change: &Value) -> Answers {
        let mut body = json!({
            "model": "gpt-4o-mini",
            "messages": [{"role": "user", "content": "Sentiment of: profits surge to a record"}],
        });
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        answer(&Chat::read(&body).unwrap(), (7, Twist::None))
    }

    fn text(answers: &Answers) -> &str {
        match &answers.choices[0].said {
            Said::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_question_about_sentiment_gets_a_word_and_a_score() {
        assert_eq!(text(&ask(&json!({}))), "positive 0.75");
        let bad = [json!({"role": "user", "content": "sentiment: crash and fear, no gain"})];
        assert_eq!(text(&ask(&json!({"messages": bad}))), "negative -0.25");
        let none = [json!({"role": "user", "content": "sentiment: it is Monday"})];
        assert_eq!(text(&ask(&json!({"messages": none}))), "neutral 0.00");
    }

    #[test]
    fn the_same_question_and_seed_get_the_same_answer_and_others_get_others() {
        let free = |seed: i64| json!({"seed": seed, "n": 3, "messages": [{"role": "user", "content": "news?"}]});
        assert_eq!(ask(&free(1)), ask(&free(1)));
        assert_ne!(ask(&free(1)).choices, ask(&free(2)).choices);
        let choices = ask(&free(1)).choices;
        assert!(choices[0] != choices[1] && choices[1] != choices[2]);
    }

    #[test]
    fn an_answer_ends_at_a_stop_sequence_or_when_its_tokens_are_used() {
        let echo = |change: Value| {
            let mut body = json!({
                "model": "echo", "messages": [{"role": "user", "content": "one two three four"}],
            });
            for (key, value) in change.as_object().unwrap() {
                body[key] = value.clone();
            }
            answer(&Chat::read(&body).unwrap(), (7, Twist::None))
        };
        let whole = echo(json!({}));
        assert_eq!((text(&whole), whole.choices[0].finish), ("one two three four", "stop"));
        let stopped = echo(json!({"stop": [" four", " three"]}));
        assert_eq!((text(&stopped), stopped.choices[0].finish), ("one two", "stop"));
        let short = echo(json!({"max_tokens": 2}));
        assert_eq!((text(&short), short.choices[0].finish), ("one two ", "length"));
        assert_eq!((short.prompt_tokens, short.completion_tokens), (4 + 5 + 3, 2));
    }

    #[test]
    fn a_model_that_thinks_may_use_up_all_tokens_and_say_nothing() {
        let all = ask(&json!({"model": "o4-mini", "max_completion_tokens": 40}));
        assert_eq!((text(&all), all.choices[0].finish, all.reasoning_tokens), ("", "length", 40));
        let some = ask(&json!({"model": "o4-mini", "max_completion_tokens": 90}));
        assert_eq!((text(&some), some.reasoning_tokens), ("positive 0.75", 64));
    }

    #[test]
    fn a_demanded_call_has_arguments_that_fit() {
        let tools = json!([{"type": "function", "function": {"name": "get_price", "parameters": {
            "type": "object", "required": ["symbol"],
            "properties": {"symbol": {"type": "string", "enum": ["BTC"]}},
        }}}]);
        let choice = json!({"type": "function", "function": {"name": "get_price"}});
        let called = ask(&json!({"tools": tools, "tool_choice": choice}));
        let Said::Call { name, arguments, .. } = &called.choices[0].said else { panic!() };
        assert_eq!((name.as_str(), arguments.as_str()), ("get_price", r#"{"symbol":"BTC"}"#));
        assert_eq!(called.choices[0].finish, "tool_calls");
        let auto = ask(&json!({"tools": tools, "tool_choice": "auto"}));
        assert_eq!(text(&auto), "positive 0.75");
    }
}
