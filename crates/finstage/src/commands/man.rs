//! `finstage man`

use std::io::Write as _;

use clap::CommandFactory as _;

use crate::cli::{Cli, Man as Args};
use crate::exit::{Exit, Failure, Result};

pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut program = Cli::command();
    program.build();
    let mut command = &mut program;
    let mut name = command.get_name().to_owned();
    for word in &args.command {
        let known = command.find_subcommand_mut(word);
        let Some(found) = known else {
            return Err(Failure::usage(format!(
                "{name} has no command \"{word}\"; `{name} --help` lists what there is"
            )));
        };
        command = found;
        name = format!("{name}-{word}");
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&page)?;
    out.flush()?;
    Ok(Exit::Done)
}
