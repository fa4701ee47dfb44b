//! The token in its file: made at first start, readable by its owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use finstage_seal::Secret;

use crate::random::unguessable;
use crate::{Error, ErrorKind};

/// The name of the file in the data folder.
const FILE: &str = "token";
/// What a token begins with, so that scanners for leaked secrets know one.
pub(crate) const PREFIX: &str = "fst_";
/// The longest file that can be a token.
const MAX_FILE_BYTES: u64 = 1_024;
/// The shortest text that is taken for a token.
const MIN_CHARS: usize = 32;

/// Where the token of a data folder lies.
#[must_use]
pub fn token_file(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// The token of the file, which is made where it is missing.
///
/// # Errors
/// When the file cannot be read or made, others may read it, or it holds no token.
pub fn load_or_make_token(file: &Path) -> Result<Secret<String>, Error> {
    match load_token(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => make_token(file),
        found => found,
    }
}

/// The token of the file.
///
/// # Errors
/// `NotFound` where there is none; when it cannot be read, others may read it, or it holds no token.
pub fn load_token(file: &Path) -> Result<Secret<String>, Error> {
    let shown = file.display();
    let failed = |e: io::Error| {
        let kind = match e.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Failed,
        };
        Error::new(kind, format!("reading the token {shown}")).because(e)
    };
    let opened = fs::File::open(file).map_err(failed)?;
    let about = opened.metadata().map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if about.permissions().mode() & 0o077 != 0 {
            return Err(Error::new(
                ErrorKind::Settings,
                format!(
                    "{shown} can be read by others: run chmod 600 {shown}, then `finstage token new`"
                ),
            ));
        }
    }
    let mut text = String::new();
    if about.len() <= MAX_FILE_BYTES {
        opened.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
    }
    let token = Secret::new(text.trim().to_owned());
    drop(Secret::new(text));
    if token.expose().len() < MIN_CHARS || token.expose().contains(char::is_whitespace) {
        return Err(Error::new(
            ErrorKind::Settings,
            format!("{shown} holds no token: run `finstage token new`"),
        ));
    }
    Ok(token)
}

/// Makes a new token in place of the one in the file, which opens nothing from now on.
///
/// # Errors
/// When the file cannot be written.
pub fn make_token(file: &Path) -> Result<Secret<String>, Error> {
    let token = Secret::new(format!("{PREFIX}{}", unguessable()?));
    let beside = file.with_extension("new");
    let failed = |e: io::Error| {
        Error::new(ErrorKind::Failed, format!("writing the token {}", file.display())).because(e)
    };
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    match fs::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut out = options.open(&beside).map_err(failed)?;
    out.write_all(token.expose().as_bytes()).map_err(failed)?;
    out.write_all(b"\n").and_then(|()| out.sync_all()).map_err(failed)?;
    fs::rename(&beside, file).map_err(failed)?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = token_file(&dir.path().join("data"));
        assert_eq!(load_token(&file).unwrap_err().kind(), ErrorKind::NotFound);
        let made = load_or_make_token(&file).unwrap();
        assert_eq!(load_or_make_token(&file).unwrap().expose(), made.expose());
        let renewed = make_token(&file).unwrap();
        assert_ne!(renewed.expose(), made.expose());
        assert_eq!(load_token(&file).unwrap().expose(), renewed.expose());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&file), 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            let refused = load_token(&file).unwrap_err().to_string();
            assert!(refused.contains("can be read by others"), "{refused}");
            assert!(!refused.contains(renewed.expose().as_str()));
        }
    }
}
