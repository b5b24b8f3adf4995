//! ACL DRYRUN, GENPASS and WHOAMI.

use rand::RngExt as _;

use super::common::{OWN, admin, wrong_form};
use crate::commands::context::SessionCx;
use crate::commands::error::{CmdError, QUOTED_BYTES_MAX};
use crate::commands::flow::Flow;
use crate::commands::rights::{Hindrance, judge, told};
use crate::commands::spec::{Command, Group, Handler, Spec, Table};
use crate::commands::support::number::parse_i64;
use crate::resp::{Args, Reply};

pub(super) const DRYRUN: Spec = Spec {
    since: "7.0.0",
    summary: "Tells whether a user could run a command, without running it",
    complexity: "O(1).",
    syntax: "username command [arg [arg ...]]",
    is_secret: behind_command,
    ..admin("dryrun", -4, Handler::Session(dryrun))
};

/// Whether argument `at` belongs to the command that is asked about, which may be one with a password.
const fn behind_command(_args: Args<'_>, at: usize) -> bool {
    at > 3
}

fn dryrun(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let user = cx.server.acl.user(args.at(2));
    let user = user.ok_or_else(|| CmdError::quoting("ERR User '", args.at(2), QUOTED_BYTES_MAX, "' not found"))?;
    let asked = args.skip(3);
    let command = find(cx.commands, asked)?;
    if !command.spec.accepts(asked.len()) {
        return Err(CmdError::Arity(command.full_name()));
    }
    match judge(&cx.server.engine, &user, (command, asked), cx.client.database) {
        // Redis looks at the options of SORT only when it runs.
        Ok(()) | Err(Hindrance::Untold(_)) => reply.ok(),
        Err(Hindrance::Denied(denied)) => reply.bulk(&told(&user, (command, asked), denied, true)),
    }
    Ok(Flow::Done)
}

/// The command of a request, down to its subcommand; a container where none is named.
fn find(commands: &Table, asked: Args<'_>) -> Result<Command, CmdError> {
    let name = asked.get(0).unwrap_or_default();
    let not_found = || CmdError::quoting("ERR Command '", name, QUOTED_BYTES_MAX, "' not found");
    let command = commands.lookup(name).ok_or_else(not_found)?;
    match (command.spec.subcommands, asked.get(1)) {
        ([_, ..], Some(sub)) => commands.lookup_subcommand(command, sub).ok_or_else(not_found),
        _ => Ok(command),
    }
}

pub(super) const GENPASS: Spec = Spec {
    since: "6.0.0",
    flags: OWN,
    summary: "Makes a password out of random bits",
    complexity: "O(1)",
    syntax: "[bits]",
    ..Spec::new("genpass", Group::Server, -2, Handler::Session(genpass))
};

const BITS_DEFAULT: i64 = 256;
const BITS_MAX: i64 = 4096;

fn genpass(_: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let bits = match args.get(2) {
        _ if args.len() > 3 => return Err(wrong_form(args)),
        Some(bits) => parse_i64(bits).ok_or(CmdError::NotInteger)?,
        None => BITS_DEFAULT,
    };
    if !(1..=BITS_MAX).contains(&bits) {
        return Err(CmdError::text(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ));
    }
    // A generator for secrets, seeded by the system.
    let mut random = rand::rng();
    let digits: String = (0..(bits + 3) / 4)
        .filter_map(|_| char::from_digit(random.random_range(0..16), 16))
        .collect();
    reply.bulk(digits.as_bytes());
    Ok(Flow::Done)
}

pub(super) const WHOAMI: Spec = Spec {
    since: "6.0.0",
    flags: OWN,
    summary: "Tells the name of the connection's user",
    complexity: "O(1)",
    ..Spec::new("whoami", Group::Server, 2, Handler::Session(whoami))
};

fn whoami(cx: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    reply.bulk(cx.client.user().name());
    Ok(Flow::Done)
}
