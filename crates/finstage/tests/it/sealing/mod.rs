//! Keys, `seal` and `open` from outside: lines in, envelopes, the same lines out.

mod keys;
mod lines;

use std::fs::File;
use std::process::Stdio;

use crate::cli::shell::{Run, Running, Shell};

/// The bytes 0 to 31, as somebody else would hand them over: the secret that no output may hold.
const CANARY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A shell with a keyring of one key, `k1`.
fn with_keyring() -> Shell {
    let shell = Shell::new();
    shell.run("keys new --keyring ring.toml --id k1").ok();
    shell
}

/// A shell with a keyring of the key that is known to everybody, under the name `ours`.
fn with_known_key() -> Shell {
    let shell = Shell::new().with("OUR_KEY", CANARY);
    shell.run("keys new --keyring ring.toml --id ours --from env:OUR_KEY").ok();
    shell
}

/// Runs a command with a file of the shell as its input, and another one that takes its output.
fn pass(shell: &Shell, line: &str, from: &str, to: &str) -> Run {
    let mut command = shell.command(line);
    command.stdin(File::open(shell.path(from)).unwrap());
    command.stdout(File::create(shell.path(to)).unwrap()).stderr(Stdio::piped());
    Running::start(&mut command, line).end()
}

/// The text of a file of the shell.
fn text(shell: &Shell, name: &str) -> String {
    String::from_utf8(shell.read(name)).unwrap()
}
