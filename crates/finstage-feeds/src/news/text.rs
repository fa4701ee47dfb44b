//! Text for people out of markup: entities decoded, tags and what is not text taken out, spaces single.

/// The longest tag and the longest entity that are taken for such.
const MAX_TAG: usize = 2_000;
const MAX_ENTITY: usize = 12;

/// Names of entities that feeds use; the rest of HTML's two thousand is left as it is.
const NAMED: [(&str, &str); 42] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ndash", "–"),
    ("mdash", "—"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("sbquo", "‚"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("bdquo", "„"),
    ("hellip", "…"),
    ("bull", "•"),
    ("middot", "·"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("euro", "€"),
    ("pound", "£"),
    ("yen", "¥"),
    ("cent", "¢"),
    ("deg", "°"),
    ("times", "×"),
    ("plusmn", "±"),
    ("frac12", "½"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("eacute", "é"),
    ("egrave", "è"),
    ("aacute", "á"),
    ("agrave", "à"),
    ("oacute", "ó"),
    ("uuml", "ü"),
    ("ouml", "ö"),
    ("auml", "ä"),
    ("szlig", "ß"),
    ("ccedil", "ç"),
    ("ntilde", "ñ"),
    ("sect", "§"),
];

/// What a person reads in a content, at most `most` bytes.
pub(super) fn plain(content: &str, most: usize) -> String {
    let html = super::xml::uncovered(content, decoded);
    // Escaped twice is common: what then still looks like markup is.
    let once = decoded(&without_tags(&html));
    let text = decoded(&without_tags(&once));
    let mut out = String::with_capacity(text.len().min(most));
    let is_space = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        if out.len() > most {
            out.truncate(out.floor_char_boundary(most));
            break;
        }
    }
    out.trim_end().to_owned()
}

/// Entities as characters, once; what is none stays.
pub(super) fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out += before;
        let end = after.bytes().take(MAX_ENTITY).position(|byte| byte == b';');
        match end.and_then(|end| Some((entity(&after[..end])?, end))) {
            Some((meaning, end)) => {
                out += &meaning;
                rest = &after[end + 1..];
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out + rest
}

fn entity(name: &str) -> Option<String> {
    let code = match name.strip_prefix('#') {
        None => {
            let known = NAMED.iter().find(|(known, _)| *known == name);
            return known.map(|(_, meaning)| (*meaning).to_owned());
        }
        Some(hex) if hex.starts_with(['x', 'X']) => u32::from_str_radix(&hex[1..], 16),
        Some(digits) => digits.parse(),
    };
    // A control character would be no text; 128 to 159 are what Windows meant, of which quotes matter.
    match code.ok()? {
        0x91 | 0x92 => Some("'".to_owned()),
        0x93 | 0x94 => Some("\"".to_owned()),
        0x96 | 0x97 => Some("–".to_owned()),
        code => char::from_u32(code).map(String::from),
    }
}

fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        out += &rest[..start];
        let inside = &rest[start + 1..];
        let is_tag = inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        let end = inside.bytes().take(MAX_TAG).position(|byte| byte == b'>');
        let Some(end) = end.filter(|_| is_tag) else {
            out.push('<');
            rest = inside;
            continue;
        };
        let name: String =
            inside[..end].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
        rest = &inside[end + 1..];
        match name.trim_end_matches('/').to_ascii_lowercase().as_str() {
            hidden @ ("script" | "style") => {
                let close = format!("</{hidden}");
                let end = rest.to_ascii_lowercase().find(&close).unwrap_or(rest.len());
                rest = &rest[end..];
            }
            // Inside a sentence: no space where it stood.
            "b" | "/b" | "i" | "/i" | "em" | "/em" | "strong" | "/strong" | "span" | "/span"
            | "u" | "/u" | "a" | "/a" | "font" | "/font" | "sup" | "/sup" | "sub" | "/sub" => {}
            _ => out.push(' '),
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_what_a_person_reads() {
        for (content, text) in [
            ("<![CDATA[Profit <b>up</b> 5% &amp; rising]]>", "Profit up 5% & rising"),
            (
                "AT&amp;amp;T says &amp;lt;b&amp;gt;yes&amp;lt;/b&amp;gt; &amp;#8212; ok",
                "AT&T says yes — ok",
            ),
            ("Q&amp;A: &#x27;fine&#39; &nbsp; x", "Q&A: 'fine' x"),
            ("a < b & c &unknown; d &", "a < b & c &unknown; d &"),
            (
                "&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two&lt;/p&gt;&lt;script&gt;no()&lt;/script&gt;",
                "One. Two",
            ),
            ("<![CDATA[never closed", "never closed"),
            ("co\u{1}n\ttrol\n ", "co n trol"),
        ] {
            assert_eq!(plain(content, 100), text);
        }
        assert_eq!(plain("가나다", 7), "가나");
    }
}
