//! Who is told how a move goes.

/// See the module.
pub trait Observer {
    /// `done` of `total` are dealt with; `what` says of what, in the plural.
    fn progress(&mut self, what: &str, done: u64, total: u64);

    /// Something that the user should know, and that stops nothing.
    fn note(&mut self, text: &str);
}
