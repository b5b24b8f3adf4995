//! Whole collections into others: `COLLECTION COPY`, `COLLECTION CONVERT`.

use std::sync::Arc;

use super::checkpoint::error;
use super::name;
use crate::checkpoint::{ConvertRequest, CopyRequest, Target};
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting, late_ok};
use crate::commands::spec::{Databases, Group, Handler, Maintenance, Spec, flag};
use crate::engine::index::Kind;
use crate::resp::{Args, Reply};
use crate::state::Server;

const FLAGS: u32 = flag::WRITE | flag::DENY_OOM | flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI;

/// `COLLECTION CONVERT name KIND kind`
pub const CONVERT: Spec = Spec {
    databases: Databases::At(&[2]),
    since: "0.2.0",
    flags: FLAGS,
    acl: &["keyspace"],
    summary: "Makes a collection one of another kind while it is in use; it keeps its name, clients and settings",
    complexity: "O(N) where N is the number of keys; others wait for the last few changes only.",
    syntax: "name KIND kind",
    ..Spec::new(
        "convert",
        Group::Collection,
        5,
        Handler::Maintenance(Maintenance::new(convert)),
    )
};

/// `COLLECTION COPY source target [KIND kind] [REPLACE]`
pub const COPY: Spec = Spec {
    databases: Databases::At(&[2, 3]),
    since: "0.2.0",
    flags: FLAGS,
    acl: &["keyspace"],
    summary: "Copies a collection as it is now to another name, and kind if wanted, while it is in use",
    complexity: "O(N) where N is the number of keys.",
    syntax: "source target [KIND kind] [REPLACE]",
    ..Spec::new(
        "copy",
        Group::Collection,
        -4,
        Handler::Maintenance(Maintenance::new(copy)),
    )
};

fn convert(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    if !args.at(3).eq_ignore_ascii_case(b"kind") {
        return Err(CmdError::Syntax);
    }
    let kind = name::kind(args.at(4))?;
    let slot = super::select::by_name(cx.server, args.at(2))?;
    Ok(convert_then_ok(
        cx.server,
        ConvertRequest {
            name: slot.name.to_string(),
            kind: Some(kind),
            is_kept: false,
        },
    ))
}

/// Converts a collection, then replies `OK`.
pub(super) fn convert_then_ok(server: &Server, request: ConvertRequest) -> Flow<Waiting> {
    let checkpoints = Arc::clone(&server.checkpoints);
    Flow::Later(Box::pin(async move {
        checkpoints.convert(request).await.map_err(error)?;
        Ok(Box::new(late_ok) as LateReply)
    }))
}

fn copy(cx: &mut MaintenanceCx<'_>, args: Args<'_>, _: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let (kind, replace) = options(args)?;
    let request = CopyRequest {
        source: super::select::by_name(cx.server, args.at(2))?.name.to_string(),
        target: Target {
            name: name::any(args.at(3))?,
            replace,
        },
        kind,
    };
    let checkpoints = Arc::clone(&cx.server.checkpoints);
    Ok(Flow::Later(Box::pin(async move {
        checkpoints.copy(request).await.map_err(error)?;
        Ok(Box::new(late_ok) as LateReply)
    })))
}

fn options(args: Args<'_>) -> Result<(Option<Kind>, bool), CmdError> {
    let (mut kind, mut replace) = (None, false);
    let mut rest = args.skip(4).iter();
    while let Some(option) = rest.next() {
        match option.to_ascii_lowercase().as_slice() {
            b"replace" => replace = true,
            b"kind" => kind = Some(name::kind(rest.next().ok_or(CmdError::Syntax)?)?),
            _ => return Err(CmdError::Syntax),
        }
    }
    Ok((kind, replace))
}
