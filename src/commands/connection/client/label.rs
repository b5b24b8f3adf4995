//! What a client says of itself: its number, name, library.

use std::sync::atomic::Ordering;

use super::common::OWN;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{CmdResult, Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};

/// A name is written out for every client whenever somebody asks for all of them.
const LABEL_BYTES_MAX: usize = 4096;

/// Whether a client may be called this.
pub(in crate::commands::connection) fn check_name(name: &[u8]) -> CmdResult {
    check_label(name, || {
        CmdError::text("ERR Client names cannot contain spaces, newlines or special characters.")
    })
}

/// Whether a text may stand in a line of CLIENT LIST: printable ASCII without blanks, not too long.
fn check_label(text: &[u8], refusal: impl FnOnce() -> CmdError) -> CmdResult {
    if text.len() > LABEL_BYTES_MAX {
        return Err(CmdError::text("ERR Client names cannot be longer than 4096 bytes"));
    }
    if text.iter().all(u8::is_ascii_graphic) {
        Ok(())
    } else {
        Err(refusal())
    }
}

pub(super) const CAPA: Spec = Spec {
    since: "8.0.0",
    flags: OWN | flag::ALLOW_BUSY,
    acl: &["connection"],
    summary: "Says what the client is capable of",
    syntax: "capability [capability ...]",
    ..Spec::new("capa", Group::Connection, -3, Handler::Session(capa))
};

fn capa(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    // What is not known is of later versions.
    if args
        .iter()
        .skip(2)
        .any(|capability| capability.eq_ignore_ascii_case(b"redirect"))
    {
        cx.client.handle.follows_redirects.store(true, Ordering::Relaxed);
    }
    reply.ok();
    Ok(Flow::Done)
}

pub(super) const GETNAME: Spec = Spec {
    since: "2.6.9",
    flags: OWN,
    acl: &["connection"],
    summary: "Returns the connection's name",
    ..Spec::new("getname", Group::Connection, 2, Handler::Session(getname))
};

fn getname(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    match cx.client.handle.labels().name.as_slice() {
        [] => reply.null(),
        name => reply.bulk(name),
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
    check_label(value, || {
        // As it was written, as in Redis.
        let reason = " cannot contain spaces, newlines or special characters.";
        CmdError::quoting("ERR ", attribute, usize::MAX, reason)
    })?;
    cx.client.handle.relabel(|labels| {
        let field = if is_name {
            &mut labels.lib_name
        } else {
            &mut labels.lib_version
        };
        *field = value.to_vec();
    });
    reply.ok();
    Ok(Flow::Done)
}

pub(super) const SETNAME: Spec = Spec {
    since: "2.6.9",
    flags: OWN,
    acl: &["connection"],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Names the connection",
    syntax: "connection-name",
    ..Spec::new("setname", Group::Connection, 3, Handler::Session(setname))
};

fn setname(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    check_name(args.at(2))?;
    cx.client.handle.relabel(|labels| labels.name = args.at(2).to_vec());
    reply.ok();
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::{LABEL_BYTES_MAX, check_name};

    #[test]
    fn labels_have_no_blanks() {
        let longest = [b'x'; LABEL_BYTES_MAX];
        for good in [&b""[..], b"worker-1:~", &longest] {
            assert!(check_name(good).is_ok());
        }
        let too_long = [b'x'; LABEL_BYTES_MAX + 1];
        for bad in [&b"a b"[..], b"a\n", b"\x7f", b"\xc3\xa4", b"\0", &too_long] {
            assert!(check_name(bad).is_err());
        }
    }
}
