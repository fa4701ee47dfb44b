//! The program: parse, run one command, say how it ended.

use std::process::ExitCode;

fn main() -> ExitCode {
    finstage::commands::main()
}
