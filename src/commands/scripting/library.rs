//! Code becomes a library: its first line, what loading it finds, and whether it may stand beside the others.

use std::sync::Arc;

use crate::commands::error::CmdError;
use crate::engine::CollectionError;
use crate::engine::libraries::Library;
use crate::resp::words;
use crate::script::{LoadError, is_name};
use crate::state::{Catalogue, Examiner, Known};

/// Redis's words for a name that is none.
const NO_NAME: CmdError = CmdError::text(
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
);
const NO_METADATA: CmdError = CmdError::text("ERR Invalid library metadata");

/// The name that the first line gives: `#!lua name=…`.
///
/// # Errors
/// When that line is wrong.
pub(super) fn name(code: &[u8]) -> Result<Vec<u8>, CmdError> {
    if !code.starts_with(b"#!") {
        return Err(CmdError::text("ERR Missing library metadata"));
    }
    // As C sees it, the code ends at its first NUL.
    let end = memchr::memchr2(b'\n', 0, code).filter(|end| code.get(*end) == Some(&b'\n'));
    let line = code.get(..end.ok_or(NO_METADATA)?).unwrap_or_default();
    let line = words(line).map_err(|_| NO_METADATA)?;
    let args = line.args();
    let engine = args.get(0).and_then(|engine| engine.get(2..)).unwrap_or_default();
    let mut name: Option<&[u8]> = None;
    for part in args.iter().skip(1) {
        let given = part
            .split_at_checked(b"name=".len())
            .filter(|(key, _)| key.eq_ignore_ascii_case(b"name="));
        let Some((_, given)) = given else {
            return Err(CmdError::quoting(
                "ERR Invalid metadata value given: ",
                part,
                usize::MAX,
                "",
            ));
        };
        if name.replace(given).is_some() {
            return Err(CmdError::text(
                "ERR Invalid metadata value, name argument was given multiple times",
            ));
        }
    }
    let name = name.ok_or(CmdError::text("ERR Library name was not given"))?;
    if !is_name(name) {
        return Err(NO_NAME);
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(CmdError::quoting("ERR Engine '", engine, usize::MAX, "' not found"));
    }
    Ok(name.to_vec())
}

/// Loads a library, to see what is in it.
///
/// # Errors
/// When it is none.
pub(super) fn examine(examiner: &mut Examiner, name: &[u8], code: &[u8]) -> Result<Known, CmdError> {
    let library = Arc::new(Library::new(name, code));
    examiner.examine(library).map_err(|error| match error {
        LoadError::Compile(message) => quoting("ERR Error compiling function: ", &message),
        LoadError::Register(message) => quoting("ERR Error registering functions: ", &message),
        LoadError::Empty => CmdError::text("ERR No functions registered"),
    })
}

fn quoting(before: &str, message: &[u8]) -> CmdError {
    CmdError::quoting(before, message, usize::MAX, "")
}

/// Why libraries cannot be changed, in the engine's words.
pub(super) fn refused(error: CollectionError) -> CmdError {
    format!("ERR {error}").into()
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

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn the_first_line_names_a_library() {
        for (code, expected) in [
            ("#!lua name=a\n", "a"),
            ("#!LUA NAME=Ab_1\nx", "Ab_1"),
            ("#!lua name=\"a\"\nx", "a"),
            ("return 1", "ERR Missing library metadata"),
            ("", "ERR Missing library metadata"),
            ("#!lua name=a", "ERR Invalid library metadata"),
            ("#!lua name=a\0b\nx", "ERR Invalid library metadata"),
            ("#!lua \"\nx", "ERR Invalid library metadata"),
            ("#!lua\nx", "ERR Library name was not given"),
            ("#!\nx", "ERR Library name was not given"),
            ("#! name=a\nx", "ERR Engine '' not found"),
            ("#!js name=a\nx", "ERR Engine 'js' not found"),
            ("#!lua name=a foo\nx", "ERR Invalid metadata value given: foo"),
            (
                "#!lua name=a name=b\nx",
                "ERR Invalid metadata value, name argument was given multiple times",
            ),
            (
                "#!js name=a-b\nx",
                "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
            ),
        ] {
            let said = match name(code.as_bytes()) {
                Ok(name) => String::from_utf8_lossy(&name).into_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(said, expected, "{code:?}");
        }
    }
}
