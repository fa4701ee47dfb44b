//! The log of a process: lines on standard error, or a file that is put aside when it is large.
//!
//! Whatever is written goes through [`mask`]: neither a secret of the configuration nor anything
//! that looks like a token leaves by the log, whoever put it into a message.

mod counts;
mod json;
mod mask;
mod rotate;

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

use finstage_net::SystemClock;
use finstage_seal::Secret;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

pub use self::counts::counts;
pub use self::mask::mask;
pub use self::rotate::RotatingFile;

use self::json::JsonLines;
use crate::config::settings::LogSettings;
use crate::exit::{Exit, Failure, Result};

/// Libraries that have nothing to say to our users.
const QUIET: &str =
    "hyper=warn,rustls=warn,tungstenite=warn,reqwest=warn,rustls_platform_verifier=off";

/// What the log is made of.
#[derive(Debug, Default)]
pub struct LogOptions<'a> {
    /// The level that flags ask for.
    pub level: Option<&'static str>,
    /// `[log]`; standard error at `warn` where it is `None`.
    pub settings: Option<&'a LogSettings>,
    /// What must not be written.
    pub secrets: Vec<Secret<String>>,
}

/// Starts the log of the process; a second call changes nothing.
///
/// # Errors
/// Exit 6 when the file cannot be opened.
pub fn start(options: LogOptions<'_>) -> Result<()> {
    let LogOptions { level, settings, secrets } = options;
    let file = settings.and_then(|log| Some((log.file.as_ref()?, log)));
    let target = match file {
        Some((path, log)) => {
            let file = RotatingFile::open(path, log.rotate_bytes, log.keep)
                .map_err(|e| Failure::new(Exit::Store, format!("log {}: {e}", path.display())))?;
            Target::File(file)
        }
        None => Target::Stderr,
    };
    let level = level.or(settings.map(|log| log.level)).unwrap_or("warn");
    let errors = settings.and_then(|log| Some((log.errors.as_ref()?, log)));
    let errors = errors
        .map(|(path, log)| {
            RotatingFile::open(path, log.rotate_bytes, log.keep).map_err(|e| {
                Failure::new(Exit::Store, format!("log.errors {}: {e}", path.display()))
            })
        })
        .transpose()?
        .map(|file| Arc::new(Mutex::new(file)));
    let is_bright = matches!(target, Target::Stderr) && io::stderr().is_terminal();
    let sink = Sink { target: Arc::new(Mutex::new(target)), errors, secrets: secrets.into() };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("{level},{QUIET}")))
        .with_target(false);
    // An error says that there is a log already.
    let _ = if settings.is_some_and(|log| log.is_json) {
        let lines = JsonLines::new(Arc::new(SystemClock));
        builder.event_format(lines).with_writer(sink).try_init()
    } else {
        builder.with_writer(sink).with_ansi(is_bright).try_init()
    };
    Ok(())
}

/// Where lines go, without secrets.
#[derive(Debug, Clone)]
struct Sink {
    target: Arc<Mutex<Target>>,
    /// Takes errors and warnings as well.
    errors: Option<Arc<Mutex<RotatingFile>>>,
    secrets: Arc<[Secret<String>]>,
}

#[derive(Debug)]
enum Target {
    Stderr,
    File(RotatingFile),
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { sink: self, is_bad: false }
    }

    fn make_writer_for(&'a self, about: &tracing::Metadata<'_>) -> Line<'a> {
        counts::count(about);
        Line { sink: self, is_bad: *about.level() <= tracing::Level::WARN }
    }
}

/// Writes one line of the log: the subscriber gives each in one piece.
struct Line<'a> {
    sink: &'a Sink,
    /// Whether it is an error or a warning.
    is_bad: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let masked = mask(&text, &self.sink.secrets);
        if let Some(errors) = self.sink.errors.as_ref().filter(|_| self.is_bad) {
            let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
            // The log itself matters more.
            let _ = errors.write_all(masked.as_bytes());
        }
        // A writer that panicked once is asked again.
        let mut target = self.sink.target.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *target {
            Target::Stderr => io::stderr().lock().write_all(masked.as_bytes())?,
            Target::File(file) => file.write_all(masked.as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
