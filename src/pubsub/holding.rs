//! What a thread publishes while it may take all of that back: kept in order, and passed on or forgotten at the end.
//!
//! **Invariant:** what is passed on comes as if it had been published one after another just then; what was kept for
//! nobody, since nobody had subscribed, is not.

/// Something that has not been passed on.
pub(super) enum Kept {
    /// A message.
    Message {
        channel: Box<[u8]>,
        is_sharded: bool,
        payload: Box<[u8]>,
    },
    /// A line of MONITOR.
    Line(Vec<u8>),
}

/// What an outlet keeps.
#[derive(Default)]
pub(super) struct Holding {
    /// How much there was where each began that has not ended.
    begins: Vec<usize>,
    kept: Vec<Kept>,
}

impl Holding {
    pub fn begin(&mut self) {
        self.begins.push(self.kept.len());
    }

    pub fn add(&mut self, kept: Kept) {
        self.kept.push(kept);
    }

    /// Ends the last one begun; what is to be passed on, if it was the only one.
    pub fn end(&mut self) -> Option<Vec<Kept>> {
        self.begins.pop();
        self.begins.is_empty().then(|| std::mem::take(&mut self.kept))
    }

    /// Ends the last one begun and forgets what has been kept since; whether it was the only one.
    pub fn forget(&mut self) -> bool {
        self.kept.truncate(self.begins.pop().unwrap_or(0));
        self.begins.is_empty()
    }
}
