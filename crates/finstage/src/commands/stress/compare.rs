//! `finstage stress compare`

use finstage_lab::stress::compare::{compare, text};

use super::super::{print_json, print_line};
use super::{Telling, read};
use crate::cli::{Global, StressCompare};
use crate::exit::{Exit, Result};

pub(super) fn run(global: &Global, args: &StressCompare) -> Result<Exit> {
    let telling = Telling::new(global, args.lang)?;
    let comparison = compare(&read(&args.a)?, &read(&args.b)?, args.seed);
    if global.json {
        print_json(&comparison)?;
    } else {
        let names = [args.a.to_string_lossy(), args.b.to_string_lossy()];
        print_line(text(&comparison, [&names[0], &names[1]], telling.language).trim_end())?;
    }
    let fails = args.fail_if.iter().any(|fail| fail.verdict() == comparison.verdict);
    Ok(if fails { Exit::CheckFailed } else { Exit::Done })
}
