//! Whether writers may go on at full speed: the log's writer, a checkpoint and a conversion must keep up with them.
//!
//! **Invariant:** writers are held back only while one of these is at work on the backlog. Readers never are.

/// While a checkpoint has more than this to write that writers handed over, they wait.
pub(super) const PRE_IMAGE_BYTES_MAX: u64 = 64 << 20;

/// What writers do between their batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// They go on.
    Free,
    /// They pause a moment.
    Slow,
    /// They wait until there is less to be worked off.
    Hold,
}
