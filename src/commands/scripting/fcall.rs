//! FCALL and its read-only form.

use super::eval::{FLAGS, READS_NOTED, WRITES_NOTED};
use super::find;
use super::start::{Given, Start};
use crate::commands::context::Scripting;
use crate::commands::error::CmdError;
use crate::commands::spec::{CmdResult, Group, Handler, Spec, flag};
use crate::resp::{Args, Reply};

pub(super) const FCALL: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS | flag::MAY_REPLICATE,
    acl: &["scripting"],
    keys: WRITES_NOTED,
    summary: "Runs a function",
    complexity: "Depends on the function that is executed.",
    syntax: "function numkeys [key [key ...]] [arg [arg ...]]",
    ..Spec::new("fcall", Group::Scripting, -3, Handler::Script(fcall))
};

pub(super) const FCALL_RO: Spec = Spec {
    flags: FLAGS | flag::READONLY,
    keys: READS_NOTED,
    summary: "Runs a function that changes nothing",
    name: "fcall_ro",
    handler: Handler::Script(fcall_ro),
    ..FCALL
};

const BAD_COUNT: CmdError = CmdError::text("ERR Bad number of keys provided");

fn fcall(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    run(cx, args, false, reply)
}

fn fcall_ro(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    run(cx, args, true, reply)
}

fn run(cx: &mut dyn Scripting, args: Args<'_>, is_ro_form: bool, reply: &mut Reply) -> CmdResult {
    cx.show();
    let function = find::function(cx.server(), args.at(1))?;
    let given = Given::of(args, BAD_COUNT)?;
    let start = Start::judge(cx.server(), function, given, is_ro_form)?;
    cx.run(&start, reply)
}
