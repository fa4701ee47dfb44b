//! Where a result goes: standard output, or a file that appears when it is whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::{Exit, Failure, Result};

/// Bytes that are written at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// A place to write to. What was written to a file is not there before [`Output::keep`].
#[derive(Debug)]
pub(super) struct Output {
    writer: BufWriter<Place>,
    name: String,
}

#[derive(Debug)]
enum Place {
    Stdout(io::Stdout),
    /// A file beside the one that is wanted, which takes its place at the end.
    Beside(NamedTempFile, PathBuf),
    /// A device or a pipe: nothing that could be replaced.
    Device(File),
}

impl Output {
    /// Opens a file, or standard output.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::to(Place::Stdout(io::stdout()), "standard output".to_owned()));
        };
        let name = path.display().to_string();
        let failed = |error: io::Error| failure(&name, &error);
        // A link keeps pointing to what is written.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let place = match target.metadata() {
            Ok(about) if about.is_dir() => {
                return Err(Failure::usage(format!("writing {name}: it is a folder: name a file")));
            }
            Ok(about) if !about.is_file() => {
                Place::Device(File::options().write(true).open(&target).map_err(failed)?)
            }
            _ => {
                let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                Place::Beside(beside(folder).map_err(failed)?, target)
            }
        };
        Ok(Self::to(place, name))
    }

    fn to(place: Place, name: String) -> Self {
        Self { writer: BufWriter::with_capacity(BUFFER_BYTES, place), name }
    }

    /// Ends the writing: a file is there from now on, under its name and whole.
    pub(super) fn keep(self) -> Result<()> {
        let Self { mut writer, name } = self;
        writer.flush().map_err(|error| failure(&name, &error))?;
        match writer.into_parts().0 {
            Place::Beside(file, target) => {
                file.persist(target).map(drop).map_err(|error| failure(&name, &error.error))
            }
            Place::Stdout(_) | Place::Device(_) => Ok(()),
        }
    }

    /// The failure of writing here.
    pub(super) fn failure(&self, error: &io::Error) -> Failure {
        failure(&self.name, error)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => quietly(out.write(bytes)),
            Self::Beside(file, _) => file.write(bytes),
            Self::Device(file) => quietly(file.write(bytes)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => quietly(out.flush()),
            Self::Beside(file, _) => file.flush(),
            Self::Device(file) => quietly(file.flush()),
        }
    }
}

/// A reader that went away (`| head`) ends the command without a word.
fn quietly<T>(done: io::Result<T>) -> io::Result<T> {
    if done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        std::process::exit(Exit::Done as i32);
    }
    done
}

fn failure(name: &str, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => ": make the folder first",
        io::ErrorKind::StorageFull => ": free some space",
        _ => "",
    };
    Failure::new(Exit::Store, format!("writing {name}: {error}{remedy}"))
}

/// A file for what is not whole yet, readable by whom a new file is readable.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".finstage-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
