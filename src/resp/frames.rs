//! Structured replies: a `redis-protocol` frame into the reply buffer, in the client's protocol.

use super::reply::Reply;
use redis_protocol::resp3::types::{OwnedFrame, VerbatimStringFormat};

impl Reply {
    /// Writes a frame: for replies that are rare or already are frames. Attributes are left out, as clients may not
    /// know them. The order of a frame's map or set is arbitrary. O(size of the frame).
    pub fn frame(&mut self, frame: &OwnedFrame) {
        match frame {
            OwnedFrame::BlobString { data, .. } | OwnedFrame::ChunkedString(data) => self.bulk(data),
            OwnedFrame::SimpleString { data, .. } => self.simple(&String::from_utf8_lossy(data)),
            OwnedFrame::SimpleError { data, .. } => self.error(data),
            OwnedFrame::BlobError { data, .. } => self.error_bytes(data),
            OwnedFrame::Boolean { data, .. } => self.boolean(*data),
            OwnedFrame::Null => self.null(),
            OwnedFrame::Number { data, .. } => self.int(*data),
            OwnedFrame::Double { data, .. } => self.double(*data),
            OwnedFrame::BigNumber { data, .. } => self.big_number(&String::from_utf8_lossy(data)),
            OwnedFrame::VerbatimString { data, format, .. } => {
                let format = match format {
                    VerbatimStringFormat::Text => b"txt",
                    VerbatimStringFormat::Markdown => b"mkd",
                };
                self.verbatim(format, &String::from_utf8_lossy(data));
            }
            OwnedFrame::Array { data, .. } => {
                self.array(data.len());
                data.iter().for_each(|item| self.frame(item));
            }
            OwnedFrame::Push { data, .. } => {
                self.push(data.len());
                data.iter().for_each(|item| self.frame(item));
            }
            OwnedFrame::Set { data, .. } => {
                self.set(data.len());
                data.iter().for_each(|item| self.frame(item));
            }
            OwnedFrame::Map { data, .. } => {
                self.map(data.len());
                for (key, value) in data {
                    self.frame(key);
                    self.frame(value);
                }
            }
            // A request of the client side: no server replies with it.
            OwnedFrame::Hello { .. } => self.error("ERR a HELLO frame is not a reply"),
        }
    }
}
