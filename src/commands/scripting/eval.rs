//! EVAL, EVALSHA and their read-only forms.

use super::find;
use super::start::{Given, Start};
use crate::commands::context::Scripting;
use crate::commands::error::CmdError;
use crate::commands::spec::{CmdResult, Group, Handler, KeySpec, ScriptHandler, Spec, counted_keys, flag};
use crate::resp::{Args, Reply};
use crate::state::Callee;

/// Of all commands that run something.
pub(super) const FLAGS: u32 = flag::NO_SCRIPT
    | flag::STALE
    | flag::SKIP_MONITOR
    | flag::NO_MANDATORY_KEYS
    | flag::MOVABLE_KEYS
    | flag::RUNS_SCRIPT;

const WRITES: &[KeySpec] = &[counted_keys(2, &["RW", "access", "update"])];
pub(super) const WRITES_NOTED: &[KeySpec] = &[KeySpec {
    notes: Some("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"),
    ..counted_keys(2, &["RW", "access", "update"])
}];
const READS: &[KeySpec] = &[counted_keys(2, &["RO", "access"])];
pub(super) const READS_NOTED: &[KeySpec] = &[KeySpec {
    notes: Some("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS"),
    ..counted_keys(2, &["RO", "access"])
}];

const fn spec(name: &'static str, run: ScriptHandler) -> Spec {
    Spec {
        since: "2.6.0",
        flags: FLAGS | flag::MAY_REPLICATE,
        acl: &["scripting"],
        complexity: "Depends on the script that is executed.",
        ..Spec::new(name, Group::Scripting, -3, Handler::Script(run))
    }
}

pub(super) const EVAL: Spec = Spec {
    keys: WRITES_NOTED,
    summary: "Runs a script",
    syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
    ..spec("eval", eval)
};

pub(super) const EVALSHA: Spec = Spec {
    keys: WRITES,
    summary: "Runs a script that is cached, named by its SHA1 digest",
    syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
    ..spec("evalsha", evalsha)
};

pub(super) const EVAL_RO: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS | flag::READONLY,
    keys: READS_NOTED,
    summary: "Runs a script that changes nothing",
    ..Spec {
        handler: Handler::Script(eval_ro),
        name: "eval_ro",
        ..EVAL
    }
};

pub(super) const EVALSHA_RO: Spec = Spec {
    since: "7.0.0",
    flags: FLAGS | flag::READONLY,
    keys: READS,
    summary: "Runs a script that is cached and changes nothing, named by its SHA1 digest",
    ..Spec {
        handler: Handler::Script(evalsha_ro),
        name: "evalsha_ro",
        ..EVALSHA
    }
};

/// How the first argument names a script.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NamedBy {
    Body,
    Digest,
}

fn eval(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    run(cx, args, (NamedBy::Body, false), reply)
}

fn evalsha(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    run(cx, args, (NamedBy::Digest, false), reply)
}

fn eval_ro(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    run(cx, args, (NamedBy::Body, true), reply)
}

fn evalsha_ro(cx: &mut dyn Scripting, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    run(cx, args, (NamedBy::Digest, true), reply)
}

fn run(
    cx: &mut dyn Scripting,
    args: Args<'_>,
    (named_by, is_read_only): (NamedBy, bool),
    reply: &mut Reply,
) -> CmdResult {
    cx.show();
    let named = args.at(1);
    // What can be no digest is refused whatever stands behind it.
    if named_by == NamedBy::Digest && named.len() != find::DIGITS {
        return Err(find::NO_SCRIPT);
    }
    let given = Given::of(args, CmdError::NotInteger)?;
    let script = match named_by {
        NamedBy::Body => find::by_body(cx, named, false)?,
        NamedBy::Digest => find::by_digest(&cx.server().scripts, named).ok_or(find::NO_SCRIPT)?,
    };
    let start = Start::judge(cx.server(), Callee::Script(script), given, is_read_only)?;
    cx.run(&start, reply)
}
