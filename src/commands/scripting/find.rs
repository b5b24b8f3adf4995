//! Which script or function a request means, and what that says of the request.

use std::sync::Arc;

use super::shebang;
use super::start::Start;
use crate::commands::context::Scripting;
use crate::commands::error::CmdError;
use crate::commands::spec::{Command, flag};
use crate::resp::Args;
use crate::script::Sha1;
use crate::state::{Callee, Script, Scripts, Server};

pub(super) const NO_SCRIPT: CmdError = CmdError::text("NOSCRIPT No matching script. Please use EVAL.");

const NO_FUNCTION: CmdError = CmdError::text("ERR Function not found");

/// Hexadecimal digits of a digest.
pub(super) const DIGITS: usize = 40;

/// The script with this digest, if it is cached.
pub(super) fn by_digest(scripts: &Scripts, digest: &[u8]) -> Option<Arc<Script>> {
    scripts.get(Sha1::parse(digest)?)
}

/// The script with this body, which is cached from now on; `stays`: whatever others come.
///
/// # Errors
/// When it is no script.
pub(super) fn by_body(cx: &mut dyn Scripting, body: &[u8], stays: bool) -> Result<Arc<Script>, CmdError> {
    let sha = Sha1::of(body);
    if !stays && let Some(script) = cx.server().scripts.get(sha) {
        return Ok(script);
    }
    let script = Script::new(sha, body, shebang::flags(body)?);
    cx.compile(&script)?;
    Ok(cx.server().scripts.add(script, stays))
}

/// The function of this name.
///
/// # Errors
/// When there is none.
pub(super) fn function(server: &Server, name: &[u8]) -> Result<Callee, CmdError> {
    let functions = server.functions.now(&server.engine);
    let function = functions.get(name).ok_or(NO_FUNCTION)?;
    Ok(Callee::Function(Arc::clone(function)))
}

/// The same start, after others may have run: a function may be another one, or be gone.
///
/// # Errors
/// When it may not run any more.
pub fn again<'a>(start: &Start<'a>, server: &Server) -> Result<Start<'a>, CmdError> {
    let callee = match &start.callee {
        Callee::Function(known) => function(server, &known.name)?,
        script @ Callee::Script(_) => script.clone(),
    };
    Start::judge(server, callee, start.given, start.is_ro_form)
}

/// The flags of a call that runs a script or a function: those of the command, unless that says itself what it needs.
#[cold]
pub fn flags_of(server: &Server, command: Command, args: Args<'_>) -> u32 {
    let named = args.get(1).unwrap_or_default();
    let said = match command.spec.name {
        "eval" | "eval_ro" => shebang::flags(named).unwrap_or_default(),
        "fcall" | "fcall_ro" => function(server, named).ok().and_then(|function| function.flags()),
        _ => by_digest(&server.scripts, named).and_then(|script| script.flags),
    };
    let Some(said) = said else {
        return command.flags;
    };
    let mut flags = command.flags & !(flag::STALE | flag::DENY_OOM | flag::WRITE | flag::MAY_REPLICATE);
    if !said.no_writes {
        flags |= flag::WRITE;
    }
    if !said.no_writes && !said.allow_oom {
        flags |= flag::DENY_OOM;
    }
    flags
}
