//! `[server]`

use std::net::SocketAddr;
use std::path::PathBuf;

use finstage_server::ServerOptions;
use serde::Deserialize;

use super::place::Place;
use crate::exit::{Failure, Result};

/// `[server]` as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawServer {
    pub(crate) enabled: Option<bool>,
    pub(crate) listen: Option<String>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    #[serde(default)]
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) public_url: Option<String>,
}

/// Where the server listens, if it does.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Whether `serve` starts it.
    pub enabled: bool,
    /// Where and how.
    pub options: ServerOptions,
}

/// An address of a dashboard without a slash at its end, if that is what the text is.
fn public(typed: &str) -> Option<String> {
    let address = typed.trim_end_matches('/');
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let host = rest.split('/').next().unwrap_or_default();
    let is_clear = |c: char| c.is_ascii_graphic() && !"@#?<>\"'\\".contains(c);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    (!name.is_empty() && rest.chars().all(is_clear)).then(|| address.to_owned())
}

impl ServerSettings {
    /// Judges what was typed; `place` finds it again for errors.
    pub(super) fn resolve(raw: &RawServer, place: Place<'_>) -> Result<Self> {
        let refuse = |key: &str, why: String| {
            let key = format!("server.{key}");
            Err(Failure::usage(format!("{}: {key}: {why}", place.of(&key))))
        };
        let mut options = ServerOptions::new(ServerOptions::usual_address());
        if let Some(typed) = &raw.listen {
            match typed.parse::<SocketAddr>() {
                Ok(address) => options.listen = address,
                Err(_) => {
                    let why = format!("\"{typed}\" is not an address: write \"127.0.0.1:8080\"");
                    return refuse("listen", why);
                }
            }
        }
        let is_file =
            |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        options.tls = match (is_file(&raw.tls_cert), is_file(&raw.tls_key)) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return refuse("tls_key", "missing beside server.tls_cert".into()),
            (None, Some(_)) => return refuse("tls_cert", "missing beside server.tls_key".into()),
        };
        options.allowed_hosts.clone_from(&raw.allowed_hosts);
        if let Err(why) = options.check() {
            return refuse("listen", why.to_string());
        }
        options.public_url = match raw.public_url.as_deref().filter(|typed| !typed.is_empty()) {
            None => None,
            Some(typed) => match public(typed) {
                Some(address) => Some(address),
                None => {
                    let why = format!(
                        "\"{typed}\" is no address of a page: write \"https://finstage.example.com\""
                    );
                    return refuse("public_url", why);
                }
            },
        };
        Ok(Self { enabled: raw.enabled.unwrap_or(true), options })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    fn refused(text: &str) -> String {
        parse("t.toml", text, &[]).unwrap_err().to_string()
    }

    #[test]
    fn the_server_listens_on_this_machine_unless_told_otherwise() {
        let server = parse("t.toml", "", &[]).unwrap().server;
        assert!(server.enabled);
        assert_eq!(server.options.listen.to_string(), "127.0.0.1:8080");
        let server = parse("t.toml", "[server]\nenabled = false\nlisten = \"[::1]:9000\"\n", &[]);
        let server = server.unwrap().server;
        assert!(!server.enabled);
        assert_eq!(server.options.listen.to_string(), "[::1]:9000");
    }

    #[test]
    fn the_address_that_alerts_link_to_is_one_of_a_page_without_a_slash_at_its_end() {
        let read = |typed: &str| {
            let text = format!("[server]\npublic_url = \"{typed}\"\n");
            parse("t.toml", &text, &[]).map(|settings| settings.server.options.public_url)
        };
        let public = |typed| read(typed).unwrap().unwrap();
        assert_eq!(public("https://f.example.com/"), "https://f.example.com");
        assert_eq!(public("http://[::1]:8080"), "http://[::1]:8080");
        assert_eq!(public("https://example.com/finstage//"), "https://example.com/finstage");
        assert_eq!(read("").unwrap(), None);
        for wrong in [
            "f.example.com",
            "ftp://f",
            "https://",
            "https://:80",
            "https://a:b@f",
            "https://f/#/x",
        ] {
            let why = read(wrong).unwrap_err().to_string();
            assert!(why.starts_with("t.toml:2: server.public_url: "), "{why}");
        }
    }

    #[test]
    fn an_address_for_strangers_needs_tls() {
        let open = refused("[server]\nlisten = \"0.0.0.0:8080\"\n");
        assert!(open.contains("t.toml:2: server.listen") && open.contains("tls_cert"), "{open}");
        let half = refused("[server]\ntls_cert = \"c.pem\"\n");
        assert!(half.contains("server.tls_key: missing"), "{half}");
        assert!(refused("[server]\nlisten = \"8080\"\n").contains("127.0.0.1:8080"));
    }
}
