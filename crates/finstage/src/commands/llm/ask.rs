//! `finstage llm ask`

use std::io::{Read as _, Write as _};

use finstage_llm::{CHAT, Fault, Question, Remedy};
use serde_json::{Map, Value, json};

use super::super::{load_without_channels, print_json};
use crate::cli::{Global, LlmAsk};
use crate::exit::{Exit, Failure, Result};
use crate::llm::{Wanted, endpoint};

/// The longest question that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// The longest that a question waits, for its turn and its answer.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(600);

pub(super) fn run(global: &Global, args: &LlmAsk) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let settings = &loaded.settings.llm;
    let Some(model) = args.target.model.as_ref().or(settings.model.as_ref()) else {
        return Err(Failure::usage("no model is named: give --model, or model in [llm]"));
    };
    let wanted = Wanted { deadline: Some(DEADLINE), ..Wanted::from(&args.target) };
    let endpoint = endpoint(settings, wanted)?;
    let body = body(args, model)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let asked = endpoint.ask_streaming(&Question { url: CHAT, body: &body }).await;
        let mut streaming = asked.map_err(|fault| failed(&fault))?;
        while let Some(text) = streaming.next().await.map_err(|fault| failed(&fault))? {
            if !global.json {
                told(&text)?;
            }
        }
        let answer = streaming.finish().await.map_err(|fault| failed(&fault))?;
        match global.json {
            true => print_json(&answer.reply.body)?,
            false => told("\n")?,
        }
        Ok(Exit::Done)
    })
}

/// A piece of the answer, at once.
fn told(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

fn body(args: &LlmAsk, model: &str) -> Result<Map<String, Value>> {
    let mut text = args.text.clone();
    if text == "-" {
        text.clear();
        let read = std::io::stdin().lock().take(MAX_BYTES + 1).read_to_string(&mut text);
        if read.map_err(|e| Failure::usage(format!("standard input: {e}")))? as u64 > MAX_BYTES {
            return Err(Failure::usage(format!("more than {MAX_BYTES} bytes are no question")));
        }
    }
    let mut messages = Vec::new();
    if let Some(system) = &args.system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": text}));
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model));
    body.insert("messages".to_owned(), Value::from(messages));
    if let Some(most) = args.max_tokens {
        body.insert("max_tokens".to_owned(), json!(most));
    }
    Ok(body)
}

fn failed(fault: &Fault) -> Failure {
    let exit = match fault.remedy {
        Remedy::Question => Exit::Usage,
        Remedy::Access => Exit::Auth,
        Remedy::Model | Remedy::Later => Exit::Remote,
    };
    Failure::new(exit, format!("{}: {}", fault.error.code, fault.error.message))
}
