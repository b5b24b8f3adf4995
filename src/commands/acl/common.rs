//! What the subcommands of ACL have in common.

use std::sync::Arc;

use crate::acl::User;
use crate::client::Client;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::help::subcommand_syntax;
use crate::commands::spec::{Databases, Group, Handler, Spec, flag};
use crate::resp::Args;
use crate::state::Server;

/// Flags of subcommands that concern the caller.
pub(super) const OWN: u32 = flag::NO_SCRIPT | flag::LOADING | flag::STALE;

/// A subcommand that only administrators are meant to use.
pub(super) const fn admin(name: &'static str, arity: i32, handler: Handler) -> Spec {
    Spec {
        since: "6.0.0",
        flags: OWN | flag::ADMIN,
        databases: Databases::None,
        ..Spec::new(name, Group::Server, arity, handler)
    }
}

/// Of subcommands that name users, or their passwords.
pub(super) fn behind_name(_: Args<'_>, at: usize) -> bool {
    at > 1
}

/// Closes clients of users that have been deleted, and has those looked at that may have lost channels; what becomes of
/// the caller.
pub(super) fn enforce(server: &Server, client: &Client, changed: &[Arc<User>]) -> Flow {
    let mut is_concerned = false;
    for user in changed {
        let is_gone = server.acl.current(user.id()).is_none();
        for other in server.clients.all() {
            if other.user().is_none_or(|id| id != *user.id()) {
                continue;
            }
            if other.id == client.handle.id {
                is_concerned |= is_gone || !client.may_keep_channels(&server.acl);
            } else if is_gone {
                other.kill();
            } else {
                other.check_channels();
            }
        }
    }
    if is_concerned { Flow::Close } else { Flow::Done }
}

/// What Redis says of a number of arguments that fits no form of a subcommand.
pub(super) fn wrong_form(args: Args<'_>) -> CmdError {
    subcommand_syntax("acl", args.get(1).unwrap_or_default())
}
