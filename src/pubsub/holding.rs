//! What a thread publishes while it may take all of that back: kept in order, and passed on or forgotten at the end.
//!
//! **Invariants**
//! - What is passed on comes as if it had been published one after another just then; what was kept for nobody, since
//!   nobody had subscribed, is not.
//! - It is counted: whoever goes on once [`HELD_BYTES_MAX`] are kept is refused. Of MONITOR's lines, which hold nobody
//!   back, no more are kept than of those that wait for a worker.

use super::exchange::LINE_BYTES_MAX;

/// A script, or a transaction that may be taken back, that has published so much may do nothing more that tells anybody
/// of anything.
pub(super) const HELD_BYTES_MAX: usize = 64 << 20;

/// What a message takes beside its texts once it is passed on.
const MESSAGE_BYTES: usize = 192;

/// Something that has not been passed on.
pub(super) enum Kept {
    /// A message.
    Message {
        channel: Box<[u8]>,
        is_sharded: bool,
        payload: Box<[u8]>,
        /// How many there will be of it: one for each topic that it is for.
        copies: usize,
    },
    /// A line of MONITOR.
    Line(Box<[u8]>),
}

/// What is passed on in the end.
#[derive(Default)]
pub(super) struct Released {
    pub kept: Vec<Kept>,
    /// Some lines of MONITOR were too much.
    pub has_lost_lines: bool,
}

/// What an outlet keeps.
#[derive(Default)]
pub(super) struct Holding {
    /// How much there was where each began that has not ended.
    begins: Vec<usize>,
    kept: Vec<Kept>,
    message_bytes: usize,
    line_bytes: usize,
    has_lost_lines: bool,
}

impl Kept {
    /// What it takes.
    fn bytes(&self) -> usize {
        match self {
            Self::Message {
                channel,
                payload,
                copies,
                ..
            } => (MESSAGE_BYTES + channel.len() + payload.len()) * copies,
            Self::Line(line) => size_of::<Self>() + line.len(),
        }
    }
}

impl Holding {
    pub fn begin(&mut self) {
        self.begins.push(self.kept.len());
    }

    /// Keeps something; how much the messages take now.
    pub fn add(&mut self, kept: Kept) -> usize {
        let bytes = kept.bytes();
        match &kept {
            Kept::Message { .. } => self.message_bytes += bytes,
            Kept::Line(_) if self.line_bytes as u64 > LINE_BYTES_MAX => {
                self.has_lost_lines = true;
                return self.message_bytes;
            }
            Kept::Line(_) => self.line_bytes += bytes,
        }
        self.kept.push(kept);
        self.message_bytes
    }

    /// Ends the last one begun; what is to be passed on, if it was the only one.
    pub fn end(&mut self) -> Option<Released> {
        self.begins.pop();
        self.begins.is_empty().then(|| self.take())
    }

    /// Ends the last one begun and forgets what has been kept since; how much the messages take that are left, if it
    /// was not the only one.
    pub fn forget(&mut self) -> Option<usize> {
        let begin = self.begins.pop().unwrap_or(0);
        for kept in self.kept.drain(begin..) {
            match &kept {
                Kept::Message { .. } => self.message_bytes -= kept.bytes(),
                Kept::Line(_) => self.line_bytes -= kept.bytes(),
            }
        }
        if self.begins.is_empty() {
            self.take();
            return None;
        }
        Some(self.message_bytes)
    }

    fn take(&mut self) -> Released {
        (self.message_bytes, self.line_bytes) = (0, 0);
        Released {
            kept: std::mem::take(&mut self.kept),
            has_lost_lines: std::mem::take(&mut self.has_lost_lines),
        }
    }
}
