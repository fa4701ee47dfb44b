//! Memory for plaintexts, used again and again, and wiped.

use std::fmt;

use zeroize::Zeroize;

/// A growing buffer that is wiped when it is dropped and when it moves to a larger place.
///
/// A `Vec` that grows leaves what it held behind in freed memory.
#[derive(Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    used: usize,
}

impl Scratch {
    /// Forgets what is in it; the memory stays for the next use.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    /// How much is in it.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// What is in it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Adds room for `count` bytes at the end and gives it out, with anything in it.
    pub(crate) fn add(&mut self, count: usize) -> &mut [u8] {
        let end = self.used + count;
        if end > self.bytes.len() {
            let mut larger = vec![0; end.next_power_of_two()];
            larger[..self.used].copy_from_slice(self.bytes());
            self.bytes.zeroize();
            self.bytes = larger;
        }
        let start = std::mem::replace(&mut self.used, end);
        &mut self.bytes[start..end]
    }

    /// Keeps the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.used = self.used.min(length);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_stays_when_the_buffer_grows() {
        let mut scratch = Scratch::default();
        scratch.add(3).copy_from_slice(b"abc");
        scratch.add(100).fill(b'x');
        assert_eq!(&scratch.bytes()[..5], b"abcxx");
        scratch.truncate(2);
        assert_eq!((scratch.bytes(), scratch.len()), (&b"ab"[..], 2));
        scratch.clear();
        assert_eq!(scratch.bytes(), b"");
    }
}
