//! SHUTDOWN.

use std::sync::Arc;

use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::spec::{Group, Handler, Maintenance, Spec, Support, flag};
use crate::resp::{Args, Reply};

pub(super) const SHUTDOWN: Spec = Spec {
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::LOADING | flag::STALE | flag::NO_MULTI | flag::ALLOW_BUSY,
    summary: "Ends the server, after a checkpoint if asked or configured",
    complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    support: Support::Partial("there are no replicas to wait for, so that NOW changes nothing and ABORT finds nothing"),
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

fn shutdown(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let options = parse(args.skip(1))?;
    if options.abort {
        return Err(CmdError::text("ERR No shutdown in progress."));
    }
    if cx.worker.awaits_data() {
        // There is nothing to save that is not on disk.
        cx.server.shutdown.request(Some(false));
        return Ok(Flow::Close);
    }
    if options.save != Some(true) || options.force {
        cx.server.shutdown.request(options.save);
        return Ok(Flow::Close);
    }
    // Only now can a failure still be told, and the end refused. The final checkpoint then writes what came between.
    let server = Arc::clone(cx.server);
    Ok(Flow::Later(Box::pin(async move {
        if let Err(error) = server.checkpoints.checkpoint().await {
            tracing::error!("SHUTDOWN SAVE: the checkpoint failed: {error}");
            return Err(CmdError::text("ERR Errors trying to SHUTDOWN. Check logs."));
        }
        server.shutdown.request(Some(true));
        let nothing: LateReply = Box::new(|_| {});
        Ok(nothing)
    })))
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
