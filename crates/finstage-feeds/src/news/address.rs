//! Addresses: of publishers, and when two of them are the same page.

use finstage_net::Request;

/// The feed of Yahoo Finance about some symbols, as the venue writes them: `AAPL`, `^GSPC`.
#[must_use]
pub fn yahoo(base: &str, symbols: &[&str]) -> String {
    let request = Request::get(format!("{base}/rss/2.0/headline")).query("s", symbols.join(","));
    request.query("region", "US").query("lang", "en-US").url().to_owned()
}

/// A feed of Investing.com by its file: `news.rss`, `news_25.rss`.
#[must_use]
pub fn investing(base: &str, file: &str) -> String {
    format!("{base}/rss/{file}")
}

/// The feed of what Google News finds for words within a day.
#[must_use]
pub fn google(base: &str, words: &str) -> String {
    let request = Request::get(format!("{base}/rss/search")).query("q", format!("{words} when:1d"));
    request.query("hl", "en-US").query("gl", "US").query("ceid", "US:en").url().to_owned()
}

/// Parameters that say where a reader came from and not what he reads.
const TRACKING: [&str; 5] = ["fbclid", "gclid", ".tsrc", "guccounter", "oc"];

/// One form for all addresses of the same page: scheme and host in small letters, no default port, no
/// fragment, no parameters that only track, the others sorted, no slash at the end.
///
/// ```
/// use finstage_feeds::news::canonical;
/// let one = canonical("HTTPS://News.example:443/a/B/?b=2&a=1&utm_medium=x#top");
/// assert_eq!(one, "https://news.example/a/B?a=1&b=2");
/// assert_eq!(canonical(&one), one);
/// ```
#[must_use]
pub fn canonical(address: &str) -> String {
    let address = address.trim().split('#').next().unwrap_or_default();
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let scheme = scheme.to_ascii_lowercase();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let host = host.to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(port).unwrap_or(&host);
    let tracks = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        name.starts_with("utm_") || TRACKING.contains(&name.as_str())
    };
    let mut pairs: Vec<&str> =
        query.split('&').filter(|pair| !pair.is_empty() && !tracks(pair)).collect();
    pairs.sort_unstable();
    let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
    format!("{scheme}://{host}{}{query}", path.trim_end_matches('/'))
}

/// An address as it is meant on a page at `base`.
pub(super) fn resolved(address: &str, base: &str) -> String {
    let address = address.trim();
    if address.is_empty() || address.contains("://") {
        return address.to_owned();
    }
    let Some((scheme, rest)) = base.split_once("://") else { return address.to_owned() };
    if let Some(place) = address.strip_prefix("//") {
        return format!("{scheme}://{place}");
    }
    let host = rest.split('/').next().unwrap_or_default();
    if address.starts_with('/') {
        return format!("{scheme}://{host}{address}");
    }
    let folder = rest.rsplit_once('/').map_or(rest, |(folder, _)| folder);
    format!("{scheme}://{folder}/{address}")
}
