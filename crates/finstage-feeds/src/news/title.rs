//! When two headlines are the same.

use icu_normalizer::ComposingNormalizerBorrowed;

/// The longest name of a publisher behind a headline.
const MAX_PUBLISHER: usize = 60;

/// A headline without the publisher's name behind it, where that is `source`.
///
/// ```
/// use finstage_feeds::news::without_publisher;
/// assert_eq!(without_publisher("Profit - up - Wire 3", "Wire 3"), "Profit - up");
/// assert_eq!(without_publisher("Profit - up", "Wire 3"), "Profit - up");
/// ```
#[must_use]
pub fn without_publisher<'a>(title: &'a str, source: &str) -> &'a str {
    let tail = [" - ", " | ", " – ", " — "].iter().find_map(|dash| title.rsplit_once(dash));
    match tail {
        Some((before, tail))
            if !before.trim().is_empty()
                && tail.len() <= MAX_PUBLISHER
                && normal(tail) == normal(source) =>
        {
            before.trim_end()
        }
        _ => title,
    }
}

/// What is compared of a headline: letters and digits in their compatible form (NFKC) and in small
/// letters, words parted by one space.
///
/// ```
/// use finstage_feeds::news::normal;
/// assert_eq!(normal("ＡＴ＆Ｔ  says: “Yes”!"), normal("AT&T says 'yes'"));
/// ```
#[must_use]
pub fn normal(title: &str) -> String {
    let composed = ComposingNormalizerBorrowed::new_nfkc().normalize(title);
    let mut out = String::with_capacity(composed.len());
    for word in composed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}
