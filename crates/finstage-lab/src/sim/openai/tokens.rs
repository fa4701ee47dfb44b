//! How the simulated models count tokens: a rule that anybody can do in the head.
//!
//! A token is the next piece of a text that has at most [`TOKEN_BYTES`] bytes and cuts no character: four
//! letters of English, one syllable of Korean. A message costs [`PER_MESSAGE`] more, the answer's beginning
//! [`PER_ANSWER`], a picture [`PER_IMAGE`]. Real tokenizers are some 20 % below or above; that is no loss
//! here, since whoever is measured reads the numbers in `usage`.

/// The longest token, in bytes of UTF-8.
pub const TOKEN_BYTES: usize = 4;
/// What a message costs beside its text.
pub const PER_MESSAGE: u32 = 4;
/// What the beginning of an answer costs.
pub const PER_ANSWER: u32 = 3;
/// What a picture costs, whatever it shows.
pub const PER_IMAGE: u32 = 85;

/// How many tokens a text has.
///
/// ```
/// use finstage_lab::sim::openai::count_tokens;
/// assert_eq!(["", "BTC", "BTC up", "비트코인"].map(count_tokens), [0, 1, 2, 4]);
/// ```
#[must_use]
pub fn count_tokens(text: &str) -> u32 {
    let count =
        if text.is_ascii() { text.len().div_ceil(TOKEN_BYTES) } else { pieces(text).count() };
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The tokens of a text.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = rest.len().min(TOKEN_BYTES);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// The first tokens of a text.
pub(super) fn first(text: &str, tokens: u32) -> &str {
    let bytes = pieces(text).take(tokens as usize).map(str::len).sum::<usize>();
    &text[..bytes]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_text_and_cut_no_character() {
        for text in ["", "a", "abcd", "abcde", "비트코인 상승", "é€😀a", "😀😀"] {
            let all: Vec<&str> = pieces(text).collect();
            assert_eq!(all.concat(), text);
            assert_eq!(count_tokens(text) as usize, all.len(), "{text}");
            assert!(all.iter().all(|piece| (1..=TOKEN_BYTES).contains(&piece.len())));
        }
        assert_eq!(first("abcdefghij", 2), "abcdefgh");
        assert_eq!(first("비트코인", 1), "비");
        assert_eq!(first("ab", 9), "ab");
    }
}
