//! INFO: sections of `name:value` lines.
//!
//! **Invariant:** sections come in Redis's order whatever the order asked for; a figure that means nothing here is left
//! out rather than invented, except where clients fail without it (then it has the value that is true: 0, `ok`, `no`).

mod commands;
mod data;
mod lines;
mod server;
mod storage;
mod tls;

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec, Support, flag};
use crate::resp::{Args, Reply};
use lines::{Lines, View};

pub(super) const INFO: Spec = Spec {
    flags: flag::LOADING | flag::STALE,
    acl: &["dangerous"],
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    summary: "Returns figures about the server",
    syntax: "[section [section ...]]",
    support: Support::Partial("figures without a meaning here are left out; section lokikv is our own (D7)"),
    ..Spec::new("info", Group::Server, -1, Handler::Session(info))
};

struct Section {
    name: &'static str,
    title: &'static str,
    /// Shown without arguments.
    is_default: bool,
    /// Shown for `all`; the others only for `everything`.
    in_all: bool,
    write: fn(&View<'_>, &mut Lines),
}

const fn section(name: &'static str, title: &'static str, write: fn(&View<'_>, &mut Lines)) -> Section {
    Section {
        name,
        title,
        is_default: true,
        in_all: true,
        write,
    }
}

/// In the order they are shown.
const SECTIONS: &[Section] = &[
    section("server", "Server", server::server),
    section("clients", "Clients", server::clients),
    section("memory", "Memory", server::memory),
    section("persistence", "Persistence", storage::persistence),
    section("stats", "Stats", commands::stats),
    section("replication", "Replication", storage::replication),
    section("cpu", "CPU", server::cpu),
    Section {
        in_all: false,
        ..section("modules", "Modules", |_, _| {})
    },
    Section {
        is_default: false,
        ..section("commandstats", "Commandstats", commands::commandstats)
    },
    section("errorstats", "Errorstats", commands::errorstats),
    Section {
        is_default: false,
        ..section("latencystats", "Latencystats", commands::latencystats)
    },
    section("cluster", "Cluster", |_, lines| lines.put("cluster_enabled", 0)),
    section("tls", "TLS", tls::tls),
    section("lokikv", "LokiKV", storage::lokikv),
    section("keyspace", "Keyspace", data::keyspace),
];

fn info(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let view = View {
        server: cx.server,
        commands: cx.commands,
    };
    let mut text = String::new();
    for section in SECTIONS.iter().filter(|section| is_asked_for(section, args.skip(1))) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        let mut lines = Lines::under(section.title);
        (section.write)(&view, &mut lines);
        text.push_str(&lines.into_text());
    }
    reply.verbatim(b"txt", &text);
    Ok(Flow::Done)
}

fn is_asked_for(section: &Section, asked: Args<'_>) -> bool {
    if asked.is_empty() {
        return section.is_default;
    }
    asked.iter().any(|name| {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        is(section.name) || is("everything") || (is("all") && section.in_all) || (is("default") && section.is_default)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    fn asked(names: &[&[u8]]) -> Vec<&'static str> {
        let request = OwnedRequest::from_slices(names);
        let found = SECTIONS.iter().filter(|section| is_asked_for(section, request.args()));
        found.map(|section| section.name).collect()
    }

    #[test]
    fn sections_asked_for() {
        assert!(!asked(&[]).contains(&"commandstats") && asked(&[]).contains(&"modules"));
        assert_eq!(
            asked(&[b"KEYSPACE", b"server", b"nosuch", b"server"]),
            ["server", "keyspace"]
        );
        assert!(asked(&[b"all"]).contains(&"latencystats") && !asked(&[b"all"]).contains(&"modules"));
        assert_eq!(asked(&[b"everything"]).len(), SECTIONS.len());
        assert_eq!(asked(&[b"default", b"commandstats"]).len(), asked(&[]).len() + 1);
    }
}
