//! The program: parse, run one command, say how it ended.

use std::process::ExitCode;

/// Columns of a backtest come and go a thousand times a second; the system's allocator gives each back to
/// the kernel and has its pages cleared again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    finstage::commands::main()
}
