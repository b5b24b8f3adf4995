//! A library that is being loaded, as far as it has come.

use super::lua::Kept;

/// A function that a library has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its name, as it was given.
    pub name: Vec<u8>,
    /// What it says of itself.
    pub description: Option<Vec<u8>>,
    /// Its flags, in small letters.
    pub flags: Vec<Vec<u8>>,
}

/// A library that is being loaded.
pub(in crate::script) struct Loading {
    /// What it has registered so far, with what is to be called.
    pub(in crate::script) functions: Vec<(Registered, Kept)>,
    /// Whether there is a flag with this name.
    pub(in crate::script) is_flag: fn(&[u8]) -> bool,
    /// What they say of themselves.
    pub(in crate::script) bytes: usize,
}
