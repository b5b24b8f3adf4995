//! FUNCTION RESTORE: the libraries of a payload, all or none.

use std::collections::HashSet;
use std::sync::Arc;

use super::library::{check_functions, examine, function_is_there, library_is_there, name, refused};
use crate::commands::context::Scripting;
use crate::commands::error::CmdError;
use crate::commands::help::subcommand_syntax;
use crate::commands::spec::CmdResult;
use crate::rdb::{self, LibrariesError};
use crate::resp::{Args, Reply};
use crate::state::{Catalogue, Examiner, Known, Server};

/// What becomes of the libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// They all go.
    Flush,
    /// They all stay.
    Append,
    /// Those go that have the name of one that comes.
    Replace,
}

impl Policy {
    fn parse(args: Args<'_>) -> Result<Self, CmdError> {
        if args.len() > 4 {
            return Err(subcommand_syntax("function", args.at(1)));
        }
        let Some(policy) = args.get(3) else {
            return Ok(Self::Append);
        };
        let known = [
            (&b"append"[..], Self::Append),
            (b"replace", Self::Replace),
            (b"flush", Self::Flush),
        ];
        let found = known.into_iter().find(|(name, _)| policy.eq_ignore_ascii_case(name));
        found.map(|(_, policy)| policy).ok_or(CmdError::text(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
        ))
    }
}

pub(super) fn restore(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let policy = Policy::parse(args)?;
    let server = Arc::clone(cx.server());
    let new = examined(&server, args.at(2))?;
    cx.change_libraries(&mut |txn| {
        check(&server.functions.now(&server.engine), &new, policy)?;
        let libraries: Vec<_> = new.iter().map(|known| Arc::clone(&known.library)).collect();
        txn.put_libraries(&libraries, policy == Policy::Flush)
            .map_err(refused)?;
        server.functions.after(&server.engine, &new);
        Ok(())
    })?;
    reply.ok();
    Ok(())
}

/// The libraries of a payload, in the order of their names.
fn examined(server: &Server, payload: &[u8]) -> Result<Vec<Known>, CmdError> {
    let mut examiner = Examiner::new(server.functions.settings());
    let mut known: Vec<Known> = Vec::new();
    let (mut libraries, mut functions) = (HashSet::new(), HashSet::new());
    for code in rdb::restore_libraries(payload).map_err(in_redis_words)? {
        let code = code.map_err(in_redis_words)?;
        let name = name(&code)?;
        if libraries.contains(&name) {
            return Err(library_is_there(&name));
        }
        let library = examine(&mut examiner, &name, &code)?;
        for function in library.functions.iter() {
            if !functions.insert(function.name.to_ascii_lowercase()) {
                return Err(function_is_there(&function.name));
            }
        }
        libraries.insert(name);
        known.push(library);
    }
    known.sort_unstable_by(|one, other| one.library.name.cmp(&other.library.name));
    Ok(known)
}

fn in_redis_words(error: LibrariesError) -> CmdError {
    CmdError::text(match error {
        LibrariesError::Footer => "ERR DUMP payload version or checksum are wrong",
        LibrariesError::OtherType => "ERR given type is not a function",
        LibrariesError::OldFunction => "ERR Pre-GA function format not supported",
        LibrariesError::Code => "ERR Failed loading library data",
    })
}

/// Checks that what comes and what stays have no name in common.
fn check(now: &Catalogue, new: &[Known], policy: Policy) -> CmdResult {
    if policy == Policy::Flush {
        return Ok(());
    }
    let comes = |name: &[u8]| new.binary_search_by(|known| (*known.library.name).cmp(name)).is_ok();
    if policy == Policy::Append
        && let Some(known) = new.iter().find(|known| now.library(&known.library.name).is_some())
    {
        let name = &known.library.name;
        return Err(CmdError::quoting("ERR Library ", name, usize::MAX, " already exists"));
    }
    new.iter()
        .try_for_each(|known| check_functions(now, known, |library| comes(&library.name)))
}
