//! AUTH, and logging in, which HELLO shares.
//!
//! **Invariants**
//! - A login is judged once it has its turn, which addresses with many failures wait for ([`crate::acl::Attempts`]);
//!   who waits holds up its own connection only. What cannot wait, in a transaction or beside a busy script, is refused
//!   then.
//! - Right or wrong, a login that waits is answered only when its turn has come.

use std::time::{Duration, Instant};

use crate::acl::{Context, Login, Reason, Refused, Turn};
use crate::client::Client;
use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting};
use crate::commands::redact::all_arguments;
use crate::commands::rights;
use crate::commands::spec::{Group, Handler, Maintenance, Spec, Table, flag};
use crate::resp::{Args, Reply};
use crate::state::Server;

const NO_PASSWORD: CmdError = CmdError::text(
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?",
);
const WRONG_PASS: CmdError = CmdError::text("WRONGPASS invalid username-password pair or user is disabled.");
const TOO_MANY: CmdError = CmdError::text("ERR too many failed logins from this address, try again later");

pub(super) const AUTH: Spec = Spec {
    flags: flag::NO_SCRIPT | flag::LOADING | flag::STALE | flag::FAST | flag::NO_AUTH | flag::ALLOW_BUSY,
    acl: &["connection"],
    summary: "Authenticates the connection",
    complexity: "O(N) where N is the number of passwords defined for the user",
    syntax: "[username] password",
    is_secret: all_arguments,
    while_busy: Some(|cx, args, reply| {
        at_once((cx.server, cx.commands), cx.client, args)?;
        reply.ok();
        Ok(())
    }),
    ..Spec::new(
        "auth",
        Group::Connection,
        -2,
        Handler::Maintenance(Maintenance {
            run: auth,
            in_multi: Some(|_| Some(auth_in_transaction)),
        }),
    )
};

fn auth(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let login = parse(cx.server, args)?;
    let wait = log_in((cx.server, cx.commands), cx.client, args, login)?;
    Ok(wait.answer(reply, Reply::ok))
}

fn auth_in_transaction(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    at_once((cx.server, cx.commands), cx.client, args)?;
    reply.ok();
    Ok(Flow::Done)
}

fn at_once(place: (&Server, &Table), client: &mut Client, args: Args<'_>) -> Result<(), CmdError> {
    let login = parse(place.0, args)?;
    log_in_at_once(place, client, args, login)
}

/// A user and a password.
pub(super) type Given<'a> = (&'a [u8], &'a [u8]);

fn parse<'a>(server: &Server, args: Args<'a>) -> Result<Given<'a>, CmdError> {
    match args.len() {
        2 if server.acl.default_user().has_no_password() => Err(NO_PASSWORD),
        2 => Ok((b"default", args.at(1))),
        3 => Ok((args.at(1), args.at(2))),
        _ => Err(CmdError::Syntax),
    }
}

/// When a login that has been judged is answered, and what.
pub(super) struct Judged {
    wait: Option<Duration>,
    is_in: bool,
}

impl Judged {
    /// Whether the client is in.
    pub fn is_in(&self) -> bool {
        self.is_in
    }

    /// Answers by `write`, or an error, when that is due.
    pub fn answer(self, reply: &mut Reply, write: impl FnOnce(&mut Reply) + 'static) -> Flow<Waiting> {
        let Self { wait, is_in } = self;
        let Some(wait) = wait else {
            write(reply);
            return Flow::Done;
        };
        Flow::Blocked(Box::pin(async move {
            tokio::time::sleep(wait).await;
            let late: LateReply = Box::new(move |_, reply| write(reply));
            if is_in { Ok(late) } else { Err(WRONG_PASS) }
        }))
    }
}

/// Judges a login, and logs the client in if it is right.
///
/// # Errors
/// When it is wrong and may be told so at once, or too many wait.
pub(super) fn log_in(
    place: (&Server, &Table),
    client: &mut Client,
    args: Args<'_>,
    login: Given<'_>,
) -> Result<Judged, CmdError> {
    let wait = match place.0.acl.attempts.turn(&client.handle.addr, Instant::now()) {
        Turn::Now => None,
        Turn::After(wait) => Some(wait),
        Turn::Never => return Err(TOO_MANY),
    };
    let is_in = check(place, client, args, login);
    if !is_in && wait.is_none() {
        return Err(WRONG_PASS);
    }
    Ok(Judged { wait, is_in })
}

/// The same where nothing can be waited for.
///
/// # Errors
/// When it is wrong, or would have to wait.
pub(super) fn log_in_at_once(
    place: (&Server, &Table),
    client: &mut Client,
    args: Args<'_>,
    login: Given<'_>,
) -> Result<(), CmdError> {
    if place.0.acl.attempts.turn(&client.handle.addr, Instant::now()) != Turn::Now {
        return Err(TOO_MANY);
    }
    if check(place, client, args, login) {
        Ok(())
    } else {
        Err(WRONG_PASS)
    }
}

/// Whether user and password are right; the client is in then. If not, that is noted everywhere.
fn check(place: (&Server, &Table), client: &mut Client, args: Args<'_>, (name, password): Given<'_>) -> bool {
    let acl = &place.0.acl;
    if let Login::In(user) = acl.log_in(name, password) {
        client.log_in_as(acl, user);
        return true;
    }
    acl.attempts.note_failure(&client.handle.addr, Instant::now());
    tracing::warn!(
        client = client.handle.id,
        addr = client.handle.addr,
        user = %name.get(..64).unwrap_or(name).escape_ascii(),
        "a login has failed"
    );
    let context = if client.multi.is_some() {
        Context::Multi
    } else {
        Context::TopLevel
    };
    let refused = Refused {
        reason: Reason::Auth,
        context,
        object: args.get(0).unwrap_or_default(),
        user: name,
    };
    rights::log(place, &client.handle, &refused);
    false
}
