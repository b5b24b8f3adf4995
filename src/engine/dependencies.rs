//! What must be in the log, or on disk, before something that was done may be shown.

use crate::wal::Lsn;

/// What replies depend on; 0 = nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// The last record that was written meanwhile.
    pub written: Lsn,
    /// The last record whose effect its replies may show, its own included: no reply leaves before that is written.
    pub seen: Lsn,
    /// The last such record of a collection that follows the server's policy.
    pub observed: Lsn,
    /// The last such record of a collection whose replies wait whatever the server's policy is.
    pub strict: Lsn,
}

impl Dependencies {
    /// Both these and `others`.
    pub fn and(&self, others: Self) -> Self {
        Self {
            written: self.written.max(others.written),
            seen: self.seen.max(others.seen),
            observed: self.observed.max(others.observed),
            strict: self.strict.max(others.strict),
        }
    }

    /// The same of somebody who has only read.
    pub fn as_of_a_reader(&self) -> Self {
        Self {
            written: Lsn::ZERO,
            ..*self
        }
    }
}
