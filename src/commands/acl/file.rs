//! ACL LOAD and SAVE.

use std::sync::Arc;

use super::common::{admin, enforce};
use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting, late_ok};
use crate::commands::spec::{Handler, Maintenance, Spec};
use crate::resp::{Args, Reply};

pub(super) const LOAD: Spec = Spec {
    summary: "Replaces all users by those of the ACL file",
    complexity: "O(N). Where N is the number of configured users.",
    ..admin("load", 2, Handler::Session(load))
};

/// The file is small, and read in place: what it says is in force when this is answered.
fn load(cx: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let concerned = cx.server.acl.load().map_err(|error| format!("ERR {error}"))?;
    reply.ok();
    Ok(enforce(cx.server, cx.client, &concerned))
}

pub(super) const SAVE: Spec = Spec {
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Writes all users to the ACL file",
    complexity: "O(N). Where N is the number of configured users.",
    ..admin(
        "save",
        2,
        Handler::Maintenance(Maintenance {
            run: save,
            in_multi: Some(|_| Some(save_now)),
        }),
    )
};

fn save(cx: &mut MaintenanceCx<'_>, _: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let server = Arc::clone(cx.server);
    Ok(Flow::Later(Box::pin(async move {
        // The file is synced: not on this worker.
        let saved = tokio::task::spawn_blocking(move || server.acl.save()).await;
        saved
            .map_err(|error| format!("ERR {error}"))?
            .map_err(|error| format!("ERR {error}"))?;
        Ok(Box::new(late_ok) as LateReply)
    })))
}

/// A transaction cannot wait for other threads.
fn save_now(cx: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    cx.server.acl.save().map_err(|error| format!("ERR {error}"))?;
    reply.ok();
    Ok(Flow::Done)
}
