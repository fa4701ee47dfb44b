//! Takes out of a text what must not be read: known secrets, and what looks like one.

use std::borrow::Cow;

use finstage_seal::Secret;

/// What stands in their place.
const MASK: &str = "[redacted]";
/// A shorter secret would take ordinary words with it.
const MIN_SECRET_BYTES: usize = 6;
/// What comes before a secret, and whether one must hold a colon to be it.
const MARKERS: [(&str, bool); 11] = [
    ("/bot", true),
    ("Bearer ", false),
    ("bearer ", false),
    ("?token=", false),
    ("&token=", false),
    ("?login=", false),
    ("&login=", false),
    ("&signature=", false),
    ("?key=", false),
    ("&key=", false),
    ("api_key=", false),
];

/// `text` without the known secrets, without tokens in addresses and without those of an
/// `Authorization` header.
#[must_use]
pub fn mask<'a>(text: &'a str, secrets: &[Secret<String>]) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for secret in secrets.iter().map(Secret::expose) {
        if secret.len() >= MIN_SECRET_BYTES && text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), MASK));
        }
    }
    for (marker, has_colon) in MARKERS {
        if text.contains(marker) {
            text = Cow::Owned(without(&text, marker, has_colon));
        }
    }
    text
}

/// The text with a mask for what follows each `marker`.
fn without(text: &str, marker: &str, has_colon: bool) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.:~+/=%".contains(c);
    let is_short = |c: char| is_part(c) && c != '/';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(marker) {
        let (before, after) = rest.split_at(at + marker.len());
        out.push_str(before);
        let end = match has_colon {
            true => after.find(|c| !is_short(c)),
            false => after.find(|c| !is_part(c)),
        };
        let (secret, tail) = after.split_at(end.unwrap_or(after.len()));
        let is_secret = !secret.is_empty() && (!has_colon || secret.contains(':'));
        out.push_str(if is_secret { MASK } else { secret });
        rest = tail;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_token_is_masked_wherever_it_stands() {
        for (text, masked) in [
            (
                "POST https://h/bot123:A_b-c/sendMessage: timed out",
                "POST https://h/bot[redacted]/sendMessage: timed out",
            ),
            ("authorization: Bearer abc.DEF-1=, next", "authorization: Bearer [redacted], next"),
            ("GET /?login=c0de HTTP/1.1", "GET /?login=[redacted] HTTP/1.1"),
            ("/x?a=1&token=t&b=2", "/x?a=1&token=[redacted]&b=2"),
            ("a /bottle and a /bot", "a /bottle and a /bot"),
            ("the Bearer of news", "the Bearer [redacted] news"),
        ] {
            assert_eq!(mask(text, &[]), masked);
        }
    }

    #[test]
    fn known_secrets_are_masked_and_everything_else_stays_as_it_is() {
        let secrets = [Secret::new("s3cret!".to_owned()), Secret::new(String::new())];
        assert_eq!(
            mask("said s3cret! twice: s3cret!", &secrets),
            "said [redacted] twice: [redacted]"
        );
        assert!(matches!(mask("nothing to hide", &secrets), Cow::Borrowed(_)));
    }
}
