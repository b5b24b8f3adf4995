//! Every order of events, tried: small programs over the very files of the server, built with `loom`'s locks and
//! atomics in place of `crate::sync`.
//!
//! A model is a function here and a test in `tests/models.rs`. That each can fail is shown by `mutants.py`: it breaks
//! the files in one place after the other and expects a model to notice.
//!
//! **Invariant:** what a model touches between threads is a `loom` cell, so that two at once are found, not lucky.

pub mod engine;
pub mod net;
pub mod session;
pub mod sync;

/// Runs `body` in every order in which its threads can meet.
pub fn check(body: impl Fn() + Sync + Send + 'static) {
    loom::model(body);
}
