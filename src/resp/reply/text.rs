//! Texts for people, with their format (`txt`, `mkd`): RESP3's verbatim strings, bulk strings in RESP2.

use super::segments::Position;
use super::{Proto, Reply};

/// A text whose length is not known yet. What is written until it is finished is the text.
#[derive(Debug)]
#[must_use = "the reply lacks its header until the text is finished"]
pub struct DeferredText(Position);

impl Reply {
    /// A text with its format.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &str) {
        self.verbatim_bytes(format, text.as_bytes());
    }

    /// A text of any bytes with its format.
    pub fn verbatim_bytes(&mut self, format: &[u8; 3], text: &[u8]) {
        let deferred = self.deferred_text();
        self.put_text(text);
        self.finish_text(deferred, format);
    }

    /// Begins a text that is written piece by piece, so that the limit is judged meanwhile.
    pub fn deferred_text(&mut self) -> DeferredText {
        DeferredText(self.out.position())
    }

    /// Writes a piece of the text; whether there is sense in writing more: the client is not lost.
    pub fn put_text(&mut self, piece: &[u8]) -> bool {
        self.put(piece);
        !self.is_over_limit()
    }

    /// Ends the text.
    pub fn finish_text(&mut self, deferred: DeferredText, format: &[u8; 3]) {
        let text_bytes = self.out.bytes_since(deferred.0);
        let (kind, label): (_, &[u8]) = match self.proto {
            Proto::Resp2 => ('$', b""),
            Proto::Resp3 => ('=', &[format.as_slice(), b":"].concat()),
        };
        let header = format!("{kind}{}\r\n", label.len() + text_bytes);
        self.out.insert(deferred.0, &[header.as_bytes(), label].concat());
        self.put(b"\r\n");
    }
}
