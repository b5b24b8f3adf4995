//! Commands on streams.

mod add;
mod autoclaim;
mod claim;
mod common;
mod consumers;
mod delete;
mod group;
mod id;
mod info;
mod info_full;
mod nack;
mod pending;
mod produced;
#[cfg(test)]
mod produced_tests;
mod range;
mod read;
mod read_group;
mod references;
mod set_id;
#[cfg(test)]
mod tests;
mod trim;

use super::help::help_spec;
use super::spec::assert_sorted;
use super::spec::{Group, Handler, Spec};

/// The family.
pub const COMMANDS: &[Spec] = &[
    delete::XACK,
    references::XACKDEL,
    add::XADD,
    autoclaim::XAUTOCLAIM,
    produced::XCFGSET,
    claim::XCLAIM,
    delete::XDEL,
    references::XDELEX,
    XGROUP,
    produced::XIDMPRECORD,
    XINFO,
    range::XLEN,
    nack::XNACK,
    pending::XPENDING,
    range::XRANGE,
    read::XREAD,
    read_group::XREADGROUP,
    range::XREVRANGE,
    set_id::XSETID,
    trim::XTRIM,
];

const _: () = assert_sorted(COMMANDS);

const XGROUP: Spec = Spec {
    since: "5.0.0",
    summary: "Consumer groups of streams",
    complexity: "Depends on subcommand.",
    subcommands: XGROUP_SUBCOMMANDS,
    ..Spec::new("xgroup", Group::Stream, -2, Handler::Container)
};

const XGROUP_SUBCOMMANDS: &[Spec] = &[
    group::CREATE,
    consumers::CREATECONSUMER,
    consumers::DELCONSUMER,
    group::DESTROY,
    help_spec(Group::Stream, "5.0.0", &["stream"]),
    group::SETID,
];

const _: () = assert_sorted(XGROUP_SUBCOMMANDS);

const XINFO: Spec = Spec {
    since: "5.0.0",
    summary: "What is known of a stream",
    complexity: "Depends on subcommand.",
    subcommands: XINFO_SUBCOMMANDS,
    ..Spec::new("xinfo", Group::Stream, -2, Handler::Container)
};

const XINFO_SUBCOMMANDS: &[Spec] = &[
    info::CONSUMERS,
    info::GROUPS,
    help_spec(Group::Stream, "5.0.0", &["stream"]),
    info::STREAM,
];

const _: () = assert_sorted(XINFO_SUBCOMMANDS);
