//! Libraries of functions: as a payload, and whether the target has what the source has.
//!
//! **Invariant:** others that the target has are no fault: a copy leaves them there, but for `--replace`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::copy::Target;
use super::error::LiveError;
use super::interrupt::Stop;
use super::link::{Endpoint, Link, Trouble};
use super::scan::bytes_of;
use crate::engine::libraries::Library;
use crate::migrate::library::titled;
use crate::migrate::{Observer, Outcome};
use crate::rdb::{LibrariesError, restore_libraries};

/// All of a server, as a payload.
///
/// # Errors
/// The server refuses or is away.
pub fn dump(endpoint: &Endpoint, stop: &Stop) -> Result<Vec<u8>, LiveError> {
    Link::new(endpoint, stop).run("FUNCTION DUMP (--skip-functions leaves it out)", |conn| {
        let reply = conn.ask(&[b"FUNCTION", b"DUMP"])?;
        bytes_of(reply).ok_or_else(|| Trouble::strange("FUNCTION DUMP"))
    })
}

/// Those of a payload.
///
/// # Errors
/// It cannot be read, or one has no name.
pub fn libraries_of(payload: &[u8]) -> Outcome<Vec<Arc<Library>>> {
    let bad = |error: LibrariesError| LiveError::Incomplete(format!("FUNCTION DUMP: {error:?}"));
    let mut libraries = Vec::new();
    for code in restore_libraries(payload).map_err(bad)? {
        libraries.push(Arc::new(titled(&code.map_err(bad)?)?));
    }
    Ok(libraries)
}

/// How many of the source's the target lacks or has with other code; each is named.
///
/// # Errors
/// A server refuses or is away.
pub fn verify(source: &Endpoint, target: &Target<'_, '_>, stop: &Stop, observer: &mut dyn Observer) -> Outcome<u64> {
    let wanted = libraries_of(&dump(source, stop)?)?;
    let mut there = BTreeMap::new();
    match target {
        Target::Folder(folder) => {
            for library in &wanted {
                there.extend(folder.library(&library.name)?.map(|code| (library.name.to_vec(), code)));
            }
        }
        Target::Server(server) => {
            let found = libraries_of(&dump(server.endpoint, stop)?)?;
            there.extend(
                found
                    .iter()
                    .map(|library| (library.name.to_vec(), library.code.to_vec())),
            );
        }
    }
    let mut wrong = 0;
    for library in &wanted {
        let what = match there.get(&library.name[..]) {
            Some(code) if code[..] == library.code[..] => continue,
            Some(_) => "different",
            None => "missing",
        };
        wrong += 1;
        observer.note(&format!("library \"{}\": it is {what}", library.name.escape_ascii()));
    }
    Ok(wrong)
}
