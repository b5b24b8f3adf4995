//! SHUTDOWN.

use std::sync::Arc;

use crate::commands::context::{BusyCx, MaintenanceCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::scripting::busy_with;
use crate::commands::spec::{CmdResult, Group, Handler, Maintenance, Spec, Support, flag};
use crate::resp::{Args, Reply};
use crate::state::{self, Way};

pub(super) const SHUTDOWN: Spec = Spec {
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::LOADING | flag::STALE | flag::NO_MULTI | flag::ALLOW_BUSY,
    summary: "Ends the server, after a checkpoint if asked or configured, unless data would be lost",
    complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    support: Support::Partial("there are no replicas to wait for, so that NOW changes nothing"),
    while_busy: Some(shutdown_beside_script),
    ..Spec::new(
        "shutdown",
        Group::Server,
        -1,
        Handler::Maintenance(Maintenance::new(shutdown)),
    )
};

#[derive(Default, Debug, PartialEq, Eq)]
struct Options {
    save: Option<bool>,
    now: bool,
    force: bool,
    abort: bool,
}

fn shutdown(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let options = parse(args.skip(1))?;
    if options.abort {
        if !cx.server.shutdown.call_off() {
            return Err(CmdError::text("ERR No shutdown in progress."));
        }
        reply.ok();
        return Ok(Flow::Done);
    }
    let way = Way {
        save: options.save,
        is_forced: options.force,
    };
    let server = Arc::clone(cx.server);
    Ok(Flow::Later(Box::pin(async move {
        if state::end(&server, way).await.is_err() {
            return Err(CmdError::text("ERR Errors trying to SHUTDOWN. Check logs."));
        }
        let nothing: LateReply = Box::new(|_, _| {});
        Ok(nothing)
    })))
}

/// A script is busy: what it has done so far is not to be saved, and nothing else can be waited for.
fn shutdown_beside_script(cx: &mut BusyCx<'_>, args: Args<'_>, _reply: &mut Reply) -> CmdResult {
    let options = parse(args.skip(1))?;
    if options.save != Some(false)
        && let Some(error) = busy_with(cx.server)
    {
        return Err(error);
    }
    state::end_beside_script(cx.server);
    Ok(())
}

fn parse(args: Args<'_>) -> Result<Options, CmdError> {
    let mut options = Options::default();
    for word in args.iter() {
        match word.to_ascii_lowercase().as_slice() {
            b"nosave" if options.save != Some(true) => options.save = Some(false),
            b"save" if options.save != Some(false) => options.save = Some(true),
            b"now" => options.now = true,
            b"force" => options.force = true,
            b"abort" => options.abort = true,
            _ => return Err(CmdError::Syntax),
        }
    }
    if options.abort && (options.save.is_some() || options.now || options.force) {
        return Err(CmdError::Syntax);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    fn parsed(words: &[&[u8]]) -> Option<Options> {
        parse(OwnedRequest::from_slices(words).args()).ok()
    }

    #[test]
    fn options() {
        assert_eq!(parsed(&[]), Some(Options::default()));
        assert_eq!(parsed(&[b"NoSave", b"force"]).unwrap().save, Some(false));
        assert!(parsed(&[b"abort"]).unwrap().abort);
        for bad in [
            &[&b"save"[..], b"nosave"][..],
            &[b"nosave", b"save"],
            &[b"abort", b"now"],
            &[b"foo"],
        ] {
            assert_eq!(parsed(bad), None);
        }
    }
}
