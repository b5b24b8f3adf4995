//! ACL GETUSER, LIST, USERS and CAT.

use super::common::{OWN, admin, behind_name, wrong_form};
use crate::acl::{CATEGORIES, Selector};
use crate::commands::context::SessionCx;
use crate::commands::error::{CmdError, QUOTED_BYTES_MAX};
use crate::commands::flow::Flow;
use crate::commands::server::has_category;
use crate::commands::spec::{Command, Group, Handler, Spec};
use crate::resp::{Args, Reply};

pub(super) const GETUSER: Spec = Spec {
    summary: "Describes a user",
    complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
    syntax: "username",
    is_secret: behind_name,
    ..admin("getuser", 3, Handler::Session(getuser))
};

fn getuser(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let Some(user) = cx.server.acl.user(args.at(2)) else {
        reply.null();
        return Ok(Flow::Done);
    };
    let Some((root, others)) = user.selectors().split_first() else {
        reply.null();
        return Ok(Flow::Done);
    };
    reply.map(3 + fields_of(root));
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    let passwords = user.passwords();
    reply.array(passwords.len());
    passwords.for_each(|digest| reply.bulk(digest.as_bytes()));
    describe(root, reply);
    reply.bulk(b"selectors");
    reply.array(others.len());
    for selector in others {
        reply.map(fields_of(selector));
        describe(selector, reply);
    }
    Ok(Flow::Done)
}

fn fields_of(selector: &Selector) -> usize {
    if selector.databases_text().is_some() { 4 } else { 3 }
}

fn describe(selector: &Selector, reply: &mut Reply) {
    reply.bulk(b"commands");
    reply.bulk(selector.commands_text().as_bytes());
    reply.bulk(b"keys");
    reply.bulk(&selector.keys_text());
    reply.bulk(b"channels");
    reply.bulk(&selector.channels_text());
    // Redis knows of no such limits; where there is none its clients see what they know.
    if let Some(databases) = selector.databases_text() {
        reply.bulk(b"databases");
        reply.bulk(&databases);
    }
}

pub(super) const LIST: Spec = Spec {
    summary: "Lists all users, each as the line that makes it",
    complexity: "O(N). Where N is the number of configured users.",
    ..admin("list", 2, Handler::Session(list))
};

fn list(cx: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let lines: Vec<Vec<u8>> = cx.server.acl.describe_all().collect();
    reply.array(lines.len());
    lines.iter().for_each(|line| reply.bulk(line));
    Ok(Flow::Done)
}

pub(super) const USERS: Spec = Spec {
    summary: "Lists the names of all users",
    complexity: "O(N). Where N is the number of configured users.",
    ..admin("users", 2, Handler::Session(users))
};

fn users(cx: &mut SessionCx<'_>, _: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let users = cx.server.acl.users();
    reply.array(users.len());
    users.keys().for_each(|name| reply.bulk(name));
    Ok(Flow::Done)
}

pub(super) const CAT: Spec = Spec {
    since: "6.0.0",
    flags: OWN,
    summary: "Lists the categories of commands, or the commands of one",
    complexity: "O(1) since the categories and commands are a fixed set.",
    syntax: "[category]",
    ..Spec::new("cat", Group::Server, -2, Handler::Session(cat))
};

fn cat(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let Some(wanted) = args.get(2) else {
        reply.array(CATEGORIES.len());
        CATEGORIES.iter().for_each(|category| reply.bulk(category.as_bytes()));
        return Ok(Flow::Done);
    };
    if args.len() > 3 {
        return Err(wrong_form(args));
    }
    let known = CATEGORIES
        .iter()
        .find(|known| known.as_bytes().eq_ignore_ascii_case(wanted));
    let known = known.ok_or_else(|| CmdError::quoting("ERR Unknown category '", wanted, QUOTED_BYTES_MAX, "'"))?;
    let of_category = |command: &&Command| has_category(command.spec, known);
    let found: Vec<&Command> = cx.commands.all().iter().filter(of_category).collect();
    reply.array(found.len());
    found
        .iter()
        .for_each(|command| reply.bulk(command.full_name().as_bytes()));
    Ok(Flow::Done)
}
