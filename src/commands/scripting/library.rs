//! Code becomes a library: its first line, what loading it finds, and whether it may stand beside the others.

use std::sync::Arc;

use crate::commands::error::CmdError;
use crate::engine::CollectionError;
use crate::engine::libraries::Library;
use crate::script::{HeaderError, library_name};
use crate::state::{Catalogue, Examiner, Known};

/// The name that the first line gives: `#!lua name=…`.
///
/// # Errors
/// When that line is wrong.
pub(super) fn name(code: &[u8]) -> Result<Vec<u8>, CmdError> {
    library_name(code).map_err(|error| match error {
        HeaderError::Unknown(part) => CmdError::quoting("ERR Invalid metadata value given: ", &part, usize::MAX, ""),
        HeaderError::Engine(name) => CmdError::quoting("ERR Engine '", &name, usize::MAX, "' not found"),
        error => format!("ERR {error}").into(),
    })
}

/// Loads a library, to see what is in it.
///
/// # Errors
/// When it is none.
pub(super) fn examine(examiner: &mut Examiner, name: &[u8], code: &[u8]) -> Result<Known, CmdError> {
    let library = Arc::new(Library::new(name, code));
    examiner.examine(library).map_err(|error| {
        let message = error.message().unwrap_or_default();
        CmdError::quoting(&format!("ERR {}", error.what()), message, usize::MAX, "")
    })
}

/// Why libraries cannot be changed, in the engine's words.
pub(super) fn refused(error: CollectionError) -> CmdError {
    format!("ERR {error}").into()
}

/// A library of this name is there already.
pub(super) fn library_is_there(name: &[u8]) -> CmdError {
    CmdError::quoting("ERR Library '", name, usize::MAX, "' already exists")
}

/// A function of this name is there already.
pub(super) fn function_is_there(name: &[u8]) -> CmdError {
    CmdError::quoting("ERR Function ", name, usize::MAX, " already exists")
}

/// Checks that no function of `new` has the name of one that stays.
///
/// # Errors
/// When one has.
pub(super) fn check_functions(now: &Catalogue, new: &Known, goes: impl Fn(&Library) -> bool) -> Result<(), CmdError> {
    for function in new.functions.iter() {
        let known = now.get(&function.name);
        if known.is_some_and(|known| !goes(&known.library)) {
            return Err(function_is_there(&function.name));
        }
    }
    Ok(())
}
