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

    /// A text of any bytes with its format.
    pub fn verbatim_bytes(&mut self, format: &[u8; 3], text: &[u8]) {
        if self.proto == Proto::Resp2 {
            return self.bulk(text);
        }
        self.len_header(b'=', text.len() + 4);
        self.out.push(format);
        self.out.push(b":");
        self.out.push(text);
        self.put(b"\r\n");
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
