//! AUTH, and the check of a password that HELLO shares.
//!
//! **Invariants**
//! - There is one user, `default`; without a configured password any password is right for it.
//! - A comparison takes the same time whatever the first difference is.

use crate::client::Client;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::redact::all_arguments;
use crate::commands::spec::{CmdResult, Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};
use crate::state::Server;

const NO_PASSWORD: CmdError = CmdError::text(
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?",
);
const WRONG_PASS: CmdError = CmdError::text("WRONGPASS invalid username-password pair or user is disabled.");

pub(super) const AUTH: Spec = Spec {
    flags: flag::NO_SCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::NO_AUTH | flag::ALLOW_BUSY,
    acl: &["connection"],
    summary: "Authenticates the connection",
    complexity: "O(N) where N is the number of passwords defined for the user",
    syntax: "[username] password",
    is_secret: all_arguments,
    while_busy: Some(|cx, args, reply| log_in(cx.server, cx.client, args, reply)),
    ..Spec::new("auth", Group::Connection, -2, Handler::Session(auth))
};

fn auth(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    log_in(cx.server, cx.client, args, reply).map(|()| Flow::Done)
}

fn log_in(server: &Server, client: &mut Client, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    match args.len() {
        2 if server.params.live().requirepass().is_empty() => return Err(NO_PASSWORD),
        2 => authenticate(server, client, b"default", args.at(1))?,
        3 => authenticate(server, client, args.at(1), args.at(2))?,
        _ => return Err(CmdError::Syntax),
    }
    reply.ok();
    Ok(())
}

/// Authenticates the client, or refuses.
pub(super) fn authenticate(server: &Server, client: &mut Client, user: &[u8], password: &[u8]) -> CmdResult {
    let wanted = server.params.live().requirepass();
    if user != b"default" || !(wanted.is_empty() || equal(wanted.as_bytes(), password)) {
        return Err(WRONG_PASS);
    }
    client.authenticated = true;
    Ok(())
}

/// Whether the texts are equal, in a time that depends on the given one's length only.
fn equal(wanted: &[u8], given: &[u8]) -> bool {
    let different = given.iter().enumerate().fold(0, |different, (at, byte)| {
        different | (byte ^ wanted.get(at).copied().unwrap_or_default())
    });
    // A shorter text must not pass for a prefix; black_box keeps the loop from being cut short.
    std::hint::black_box(different) == 0 && wanted.len() == given.len()
}

#[cfg(test)]
mod tests {
    use super::equal;

    #[test]
    fn compares_whole_texts() {
        for (wanted, given, same) in [
            (&b"secret"[..], &b"secret"[..], true),
            (b"secret", b"secre", false),
            (b"secret", b"secrets", false),
            (b"secret", b"secret\0", false),
            (b"secret", b"Secret", false),
            (b"", b"", true),
        ] {
            assert_eq!(equal(wanted, given), same);
        }
    }
}
