//! Replies whose texts may be no UTF-8, and a look at what was written: for scripts.

use super::{Proto, Reply};
use std::borrow::Cow;

impl Reply {
    /// A simple string of any bytes. CR and LF become spaces.
    pub fn simple_bytes(&mut self, text: &[u8]) {
        self.line(b'+', text);
    }

    /// A number of any size, given by what should be its digits. CR and LF become spaces.
    pub fn big_number_bytes(&mut self, digits: &[u8]) {
        if self.proto == Proto::Resp3 {
            return self.line(b'(', digits);
        }
        let cleaned: Vec<u8> = digits
            .iter()
            .map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte })
            .collect();
        self.bulk(&cleaned);
    }

    /// All that is to be sent, in one piece; copied only if it lies in several.
    #[must_use]
    pub fn contiguous(&self) -> Cow<'_, [u8]> {
        let mut chunks = self.out.chunks();
        match (chunks.next(), chunks.next()) {
            (None, _) => Cow::Borrowed(&[]),
            (Some(only), None) => Cow::Borrowed(only),
            _ => Cow::Owned(self.to_vec()),
        }
    }
}
