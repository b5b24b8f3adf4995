//! What outlives a call.

use std::ffi::c_int;

/// A value that is kept in a state until it is let go: its place in the registry.
#[derive(Debug)]
pub(in crate::script) struct Kept(pub(super) c_int);
