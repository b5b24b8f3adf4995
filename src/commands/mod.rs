//! Every command: its spec beside its handler, one table per family.

pub mod hyperloglog;
pub mod support;
