//! Commands of Redis Cluster, on a server that is not part of one: all of them say so, as Redis does.

use super::spec::{Group, Handler, Spec, Support, assert_sorted, flag};
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::resp::{Args, Reply};

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[ASKING, CLUSTER, READONLY, READWRITE];

const _: () = assert_sorted(COMMANDS);

const ALONE: CmdError = CmdError::text("ERR This instance has cluster support disabled");
const REFUSED: Support = Support::Partial("there is no cluster: refused, as by a Redis that is none");

const NODE: u32 = flag::STALE;
const ADMIN: u32 = flag::ADMIN | flag::STALE | flag::NO_ASYNC_LOADING;
const LISTING: u32 = flag::ADMIN | flag::STALE;
const ANY_TIME: u32 = flag::LOADING | flag::STALE;

const VARIES: &[&str] = &["nondeterministic_output"];
const EVERYWHERE: &[&str] = &["nondeterministic_output", "request_policy:all_shards"];

const ASKING: Spec = Spec {
    since: "3.0.0",
    flags: flag::FAST,
    acl: &["connection"],
    summary: "Says that the next command follows an ASK redirection",
    support: REFUSED,
    ..Spec::new("asking", Group::Cluster, 1, Handler::Session(refuse))
};

const READONLY: Spec = Spec {
    since: "3.0.0",
    flags: flag::LOADING | flag::STALE | flag::FAST,
    acl: &["connection"],
    summary: "Allows a connection to read from a replica of a cluster",
    support: REFUSED,
    ..Spec::new("readonly", Group::Cluster, 1, Handler::Session(refuse))
};

const READWRITE: Spec = Spec {
    since: "3.0.0",
    flags: flag::LOADING | flag::STALE | flag::FAST,
    acl: &["connection"],
    summary: "Ends what READONLY began",
    support: REFUSED,
    ..Spec::new("readwrite", Group::Cluster, 1, Handler::Session(refuse))
};

const CLUSTER: Spec = Spec {
    since: "3.0.0",
    summary: "Contains commands about the nodes and slots of a cluster",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("cluster", Group::Cluster, -2, Handler::Container)
};

/// A subcommand: its name, since when it is there, arity, flags and tips; what it is for, and its arguments.
const fn sub(
    (name, since, arity): (&'static str, &'static str, i32),
    flags: u32,
    tips: &'static [&'static str],
    summary: &'static str,
    syntax: &'static str,
) -> Spec {
    Spec {
        since,
        flags,
        tips,
        summary,
        syntax,
        support: REFUSED,
        ..Spec::new(name, Group::Cluster, arity, Handler::Session(refuse))
    }
}

const SUBCOMMANDS: &[Spec] = &[
    sub(
        ("addslots", "3.0.0", -3),
        ADMIN,
        &[],
        "Gives slots to this node",
        "slot [slot ...]",
    ),
    sub(
        ("addslotsrange", "7.0.0", -4),
        ADMIN,
        &[],
        "Gives ranges of slots to this node",
        "start-slot end-slot [start-slot end-slot ...]",
    ),
    sub(
        ("bumpepoch", "3.0.0", 2),
        ADMIN,
        VARIES,
        "Begins a new epoch of the configuration",
        "",
    ),
    sub(
        ("count-failure-reports", "3.0.0", 3),
        LISTING,
        VARIES,
        "Tells how many nodes report that one has failed",
        "node-id",
    ),
    sub(
        ("countkeysinslot", "3.0.0", 3),
        NODE,
        &[],
        "Tells how many keys are in a slot",
        "slot",
    ),
    sub(
        ("delslots", "3.0.0", -3),
        ADMIN,
        &[],
        "Takes slots from a node",
        "slot [slot ...]",
    ),
    sub(
        ("delslotsrange", "7.0.0", -4),
        ADMIN,
        &[],
        "Takes ranges of slots from a node",
        "start-slot end-slot [start-slot end-slot ...]",
    ),
    sub(
        ("failover", "3.0.0", -2),
        ADMIN,
        &[],
        "Has a replica take the place of its master",
        "[FORCE | TAKEOVER]",
    ),
    sub(
        ("flushslots", "3.0.0", 2),
        ADMIN,
        &[],
        "Takes all slots from this node",
        "",
    ),
    sub(("forget", "3.0.0", 3), ADMIN, &[], "Forgets a node", "node-id"),
    sub(
        ("getkeysinslot", "3.0.0", 4),
        NODE,
        VARIES,
        "Names some keys of a slot",
        "slot count",
    ),
    sub(("help", "5.0.0", 2), ANY_TIME, &[], "Describes the subcommands", ""),
    sub(
        ("info", "3.0.0", 2),
        NODE,
        VARIES,
        "Tells of the cluster as this node sees it",
        "",
    ),
    sub(("keyslot", "3.0.0", 3), NODE, &[], "Tells the slot of a key", "key"),
    sub(
        ("links", "7.0.0", 2),
        NODE,
        VARIES,
        "Lists the links to other nodes",
        "",
    ),
    sub(
        ("meet", "3.0.0", -4),
        ADMIN,
        &[],
        "Makes another node known to this one",
        "ip port [cluster-bus-port]",
    ),
    sub(("myid", "3.0.0", 2), NODE, &[], "Tells this node's id", ""),
    sub(
        ("myshardid", "7.2.0", 2),
        NODE,
        VARIES,
        "Tells the id of this node's shard",
        "",
    ),
    sub(("nodes", "3.0.0", 2), NODE, VARIES, "Lists the nodes", ""),
    sub(
        ("replicas", "5.0.0", 3),
        LISTING,
        VARIES,
        "Lists the replicas of a master",
        "node-id",
    ),
    sub(
        ("replicate", "3.0.0", 3),
        ADMIN,
        &[],
        "Makes this node a replica",
        "node-id",
    ),
    sub(
        ("reset", "3.0.0", -2),
        flag::ADMIN | flag::NO_SCRIPT | flag::STALE,
        &[],
        "Has this node leave its cluster",
        "[HARD | SOFT]",
    ),
    sub(
        ("saveconfig", "3.0.0", 2),
        ADMIN,
        &[],
        "Writes the configuration of the cluster to disk",
        "",
    ),
    sub(
        ("set-config-epoch", "3.0.0", 3),
        ADMIN,
        &[],
        "Sets the epoch of a new node",
        "config-epoch",
    ),
    sub(
        ("setslot", "3.0.0", -4),
        ADMIN,
        &[],
        "Gives a slot to a node, or begins or ends its move",
        "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>",
    ),
    sub(
        ("shards", "7.0.0", 2),
        ANY_TIME,
        VARIES,
        "Lists the shards with their slots and nodes",
        "",
    ),
    sub(
        ("slaves", "3.0.0", 3),
        LISTING,
        VARIES,
        "Lists the replicas of a master",
        "node-id",
    ),
    sub(
        ("slot-stats", "8.2.0", -4),
        ANY_TIME,
        EVERYWHERE,
        "Tells how much slots are used",
        "<SLOTSRANGE start-slot end-slot | ORDERBY metric [LIMIT limit] [ASC | DESC]>",
    ),
    sub(
        ("slots", "3.0.0", 2),
        ANY_TIME,
        VARIES,
        "Lists slots with their nodes",
        "",
    ),
];

fn refuse(_: &mut SessionCx<'_>, _: Args<'_>, _: &mut Reply) -> Result<Flow, CmdError> {
    Err(ALONE)
}
