//! What a client says of itself: its number, name, library.

use super::common::OWN;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec};
use crate::resp::{Args, Reply};

/// The refusal of a name.
pub(in crate::commands::connection) const BAD_NAME: CmdError =
    CmdError::text("ERR Client names cannot contain spaces, newlines or special characters.");

/// Whether a name may stand in a line of CLIENT LIST: printable ASCII without blanks.
pub(in crate::commands::connection) fn is_label(text: &[u8]) -> bool {
    // Each chunk as a whole: many bytes are compared at once.
    let mut chunks = text.chunks(256);
    chunks.all(|chunk| chunk.iter().fold(true, |so_far, byte| so_far & byte.is_ascii_graphic()))
}

pub(super) const GETNAME: Spec = Spec {
    since: "2.6.9",
    flags: OWN,
    acl: &["connection"],
    summary: "Returns the connection's name",
    ..Spec::new("getname", Group::Connection, 2, Handler::Session(getname))
};

fn getname(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let name = cx.client.handle.labels().name;
    if name.is_empty() {
        reply.null();
    } else {
        reply.bulk_shared(&name);
    }
    Ok(Flow::Done)
}

pub(super) const ID: Spec = Spec {
    since: "5.0.0",
    flags: OWN,
    acl: &["connection"],
    summary: "Returns the connection's number",
    ..Spec::new("id", Group::Connection, 2, Handler::Session(id))
};

fn id(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.int(cx.client.handle.id.cast_signed());
    Ok(Flow::Done)
}

pub(super) const SETINFO: Spec = Spec {
    since: "7.2.0",
    flags: OWN,
    acl: &["connection"],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Names the client library and its version",
    syntax: "<LIB-NAME libname | LIB-VER libver>",
    ..Spec::new("setinfo", Group::Connection, 4, Handler::Session(setinfo))
};

fn setinfo(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let (attribute, value) = (args.at(2), args.at(3));
    let is_name = attribute.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !attribute.eq_ignore_ascii_case(b"lib-ver") {
        return Err(CmdError::quoting(
            "ERR Unrecognized option '",
            attribute,
            usize::MAX,
            "'",
        ));
    }
    if !is_label(value) {
        let shown = if is_name { "lib-name" } else { "lib-ver" };
        return Err(format!("ERR {shown} cannot contain spaces, newlines or special characters.").into());
    }
    cx.client.handle.relabel(|labels| {
        let label = if is_name {
            &mut labels.lib_name
        } else {
            &mut labels.lib_version
        };
        *label = args.to_shared(3);
    });
    reply.ok();
    Ok(Flow::Done)
}

pub(super) const SETNAME: Spec = Spec {
    since: "2.6.9",
    flags: OWN,
    acl: &["connection"],
    summary: "Names the connection",
    syntax: "connection-name",
    ..Spec::new("setname", Group::Connection, 3, Handler::Session(setname))
};

fn setname(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if !is_label(args.at(2)) {
        return Err(BAD_NAME);
    }
    cx.client.handle.relabel(|labels| labels.name = args.to_shared(2));
    reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::is_label;

    #[test]
    fn labels_have_no_blanks() {
        assert!(is_label(b"") && is_label(b"worker-1:~"));
        for bad in [&b"a b"[..], b"a\n", b"\x7f", b"\xc3\xa4", b"\0"] {
            assert!(!is_label(bad));
        }
    }
}
