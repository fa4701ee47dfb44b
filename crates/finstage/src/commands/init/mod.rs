//! `finstage init`

mod preset;
mod telegram;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{print_json, print_line, say};
use crate::cli::{Global, Init, Preset};
use crate::config;
use crate::exit::{Exit, Failure, Result};

/// The longest answer that is read, in bytes.
const ANSWER_MAX_BYTES: u64 = 4_096;

pub(super) fn run(global: &Global, args: &Init) -> Result<Exit> {
    let file = global.config.clone().unwrap_or_else(|| PathBuf::from(config::FILE));
    let shown = file.display();
    let is_there = file.exists();
    let is_kept = is_there && !args.force;
    if is_kept && (!args.telegram || args.preset.is_some()) {
        return Err(Failure::usage(format!(
            "{shown} is there and stays as it is: --force writes it anew, `finstage init --telegram` adds a chat to it"
        )));
    }
    let (text, preset) = if is_kept {
        let text =
            std::fs::read_to_string(&file).map_err(|e| Failure::usage(format!("{shown}: {e}")))?;
        (text, None)
    } else {
        let preset = preset(global, args)?;
        let (language, zone) = (config::system::language(), config::system::timezone());
        (preset::text(preset, language, &zone), Some(preset))
    };
    telegram::check_room(&file, &text, args)?;
    let paired =
        if args.telegram { Some(telegram::pair(global, args, (&file, &text))?) } else { None };
    let text = match &paired {
        Some(paired) => paired.added_to(&text, args),
        None => text,
    };
    write(&file, &text, is_there)?;
    if global.json {
        let telegram = paired.as_ref().map(|p| json!({"bot": p.bot, "chat": p.chat}));
        let preset = preset.map(preset::name);
        print_json(&json!({"file": file, "preset": preset, "telegram": telegram}))?;
    } else {
        print_line(&format!("{} {shown}", if is_kept { "added to" } else { "wrote" }))?;
    }
    next_steps(global, &file, args);
    Ok(Exit::Done)
}

fn next_steps(global: &Global, file: &Path, args: &Init) {
    let option = match &global.config {
        Some(_) => format!(" --config {}", file.display()),
        None => String::new(),
    };
    say(global, format_args!("next:  finstage doctor{option}    checks everything that it needs"));
    say(global, format_args!("       finstage serve{option}     watches; Ctrl-C ends"));
    if !args.telegram {
        say(
            global,
            format_args!(
                "       finstage init --telegram{option}    sends alerts to your Telegram"
            ),
        );
    }
}

/// The preset: named, asked for, or the one that needs nothing but the internet.
fn preset(global: &Global, args: &Init) -> Result<Preset> {
    if let Some(preset) = args.preset {
        return Ok(preset);
    }
    if !may_ask(global) {
        return Ok(Preset::Crypto);
    }
    say(global, format_args!("What do you want to watch?"));
    say(global, format_args!("  1  cryptocurrencies at Binance, around the clock"));
    say(global, format_args!("  2  shares and indices of the United States"));
    say(global, format_args!("  3  shares and indices of Korea"));
    loop {
        match ask("1, 2 or 3 [1]: ")?.as_str() {
            "" | "1" | "crypto" => return Ok(Preset::Crypto),
            "2" | "us" => return Ok(Preset::Us),
            "3" | "kr" => return Ok(Preset::Kr),
            _ => {}
        }
    }
}

/// Whether somebody is there who can answer.
fn may_ask(global: &Global) -> bool {
    !global.quiet && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a person; an empty answer where the input has ended.
fn ask(question: &str) -> Result<String> {
    let mut error = std::io::stderr().lock();
    write!(error, "{question}").and_then(|()| error.flush())?;
    drop(error);
    read_line()
}

/// A line of the input, without white space around it.
fn read_line() -> Result<String> {
    use std::io::{BufRead as _, Read as _};
    let mut line = String::new();
    let failed = |e| Failure::usage(format!("reading standard input: {e}"));
    std::io::stdin().lock().take(ANSWER_MAX_BYTES).read_line(&mut line).map_err(failed)?;
    Ok(line.trim().to_owned())
}

/// Writes the file whole or not at all; one that appeared meanwhile stays, unless it may go.
fn write(file: &Path, text: &str, may_replace: bool) -> Result<()> {
    let failed = |e: std::io::Error| Failure::from_writing(file, &e);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut unfinished = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))
        .map_err(failed)?;
    unfinished.write_all(text.as_bytes()).map_err(failed)?;
    unfinished.as_file().sync_all().map_err(failed)?;
    let placed = match may_replace {
        true => unfinished.persist(file),
        false => unfinished.persist_noclobber(file),
    };
    placed.map_err(|e| failed(e.error)).map(drop)
}
