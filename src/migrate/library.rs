//! Libraries of functions on their way in and out.
//!
//! **Invariant:** what comes in is named by its first line, as Redis names it. Whether its code is a program shows when
//! it is loaded.

use std::sync::Arc;

use super::offline::Offline;
use super::targets::Existing;
use super::{MigrateError, Outcome};
use crate::engine::libraries::{Libraries, Library};
use crate::script::library_name;

/// The library with this code.
///
/// # Errors
/// When the first line gives no name, or another language.
pub fn titled(code: &[u8]) -> Outcome<Library> {
    let title = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match library_name(code) {
        Ok(name) => Ok(Library::new(&name, code)),
        Err(_) => Err(MigrateError::Untitled(title.to_vec())),
    }
}

/// Checks that none of them is there already with other code.
///
/// # Errors
/// When one is.
fn check_new(new: &[Arc<Library>], there: &Libraries) -> Outcome<()> {
    let differs = |library: &&Arc<Library>| {
        let known = there.get(&library.name);
        known.is_some_and(|known| known.code != library.code)
    };
    match new.iter().find(differs) {
        Some(library) => Err(MigrateError::HasLibrary(library.name.to_vec())),
        None => Ok(()),
    }
}

/// Puts them there; how many there are. What is to become of others with their names, or of all others, `existing`
/// says.
///
/// # Errors
/// One is there already, and may not be replaced.
pub fn put_libraries(offline: &Offline, existing: Existing, libraries: &[Arc<Library>]) -> Outcome<u64> {
    if libraries.is_empty() {
        return Ok(0);
    }
    offline.exclusively(|txn| {
        if existing == Existing::Refuse {
            check_new(libraries, &txn.libraries())?;
        }
        txn.put_libraries(libraries, existing == Existing::Replace)?;
        Ok(libraries.len() as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_a_library() {
        for (code, expected) in [
            ("#!lua name=mylib\nreturn", Some("mylib")),
            ("#!LUA NAME=A_1\n", Some("A_1")),
            ("#!lua name=\"quoted\"\nx", Some("quoted")),
            ("#!lua name=mylib", None),
            ("#!lua\n", None),
            ("#!js name=a\n", None),
            ("#!lua name=\n", None),
            ("#!lua name=a-b\n", None),
            ("#!lua name=a name=b\n", None),
            ("#!lua \"\n", None),
            ("", None),
        ] {
            let found = titled(code.as_bytes()).ok();
            let name = found.map(|library| String::from_utf8_lossy(&library.name).into_owned());
            assert_eq!(name.as_deref(), expected, "{code:?}");
        }
    }
}
