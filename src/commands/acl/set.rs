//! ACL SETUSER and DELUSER.

use super::common::{admin, behind_name, enforce};
use crate::acl::merge_selectors;
use crate::commands::context::SessionCx;
use crate::commands::error::{CmdError, shown};
use crate::commands::flow::Flow;
use crate::commands::spec::{Handler, Spec};
use crate::resp::{Args, Reply};

const TIPS: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// So much of a wrong rule is shown.
const RULE_BYTES_MAX: usize = 1024;

pub(super) const SETUSER: Spec = Spec {
    tips: TIPS,
    summary: "Makes a user, or changes its rules",
    complexity: "O(N) where N is the number of rules, users and connections.",
    syntax: "username [rule [rule ...]]",
    is_secret: behind_name,
    ..admin("setuser", -3, Handler::Session(setuser))
};

fn setuser(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let name = args.at(2);
    if name
        .iter()
        .any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b))
    {
        return Err(CmdError::text("ERR Usernames can't contain spaces or null characters"));
    }
    let rules = merge_selectors(args.skip(3).iter()).map_err(|open| {
        let before = "ERR Unmatched parenthesis in acl selector starting at '";
        CmdError::quoting(before, &open, RULE_BYTES_MAX, "'.")
    })?;
    let set = cx.server.acl.set_user(name, rules.iter().map(Vec::as_slice));
    let losing = set.map_err(|(rule, error)| {
        let before = "ERR Error in ACL SETUSER modifier '";
        CmdError::quoting(
            before,
            shown(&rule, RULE_BYTES_MAX),
            RULE_BYTES_MAX,
            &format!("': {error}"),
        )
    })?;
    reply.ok();
    Ok(enforce(cx.server, cx.client, losing.as_slice()))
}

pub(super) const DELUSER: Spec = Spec {
    tips: TIPS,
    summary: "Deletes users, and closes their connections",
    complexity: "O(1) amortized time considering the typical user.",
    syntax: "username [username ...]",
    is_secret: behind_name,
    ..admin("deluser", -3, Handler::Session(deluser))
};

fn deluser(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let names = args.skip(2);
    if names.iter().any(|name| name == b"default") {
        return Err(CmdError::text("ERR The 'default' user cannot be removed"));
    }
    let deleted = cx.server.acl.delete(names.iter());
    reply.int(i64::try_from(deleted.len()).unwrap_or(i64::MAX));
    Ok(enforce(cx.server, cx.client, &deleted))
}
