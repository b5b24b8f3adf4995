//! CONFIG over the server's parameters, and what must be told of a change at once.
//!
//! **Invariant:** a parameter that something keeps a copy of is listed in [`take_over`], or in [`change_data`] where it
//! decides what a logged change means; all others are read where they are used.

use crate::commands::context::{MaintenanceCx, SessionCx};
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, LateReply, Waiting, late_ok};
use crate::commands::help::help_spec;
use crate::commands::spec::assert_sorted;
use crate::commands::spec::{Group, Handler, Maintenance, Spec, Support, flag};
use crate::config::params::{ChangedKey, is_secret};
use crate::config::{Config, Conflict};
use crate::engine::gate::ExclusivePass;
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::scope::Scope;
use crate::engine::worker::Kit;
use crate::glob::{Case, glob_match};
use crate::logging;
use crate::resp::{Args, Reply};
use crate::state::Server;
use crate::wal::Fsync;

pub(super) const CONFIG: Spec = Spec {
    since: "2.0.0",
    summary: "A container for commands about the configuration",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Spec::new("config", Group::Server, -2, Handler::Container)
};

const SUBCOMMANDS: &[Spec] = &[GET, help_spec(Group::Server, "5.0.0", &[]), RESETSTAT, REWRITE, SET];

const _: () = assert_sorted(SUBCOMMANDS);

const FLAGS: u32 = flag::ADMIN | flag::NO_SCRIPT | flag::LOADING | flag::STALE;

const GET: Spec = Spec {
    since: "2.0.0",
    flags: FLAGS,
    summary: "Returns the parameters whose names match",
    complexity: "O(N) when N is the number of configuration parameters provided",
    syntax: "parameter [parameter ...]",
    support: Support::Partial("knows our dotted names, too"),
    ..Spec::new("get", Group::Server, -3, Handler::Session(get))
};

fn get(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    let patterns: Vec<&[u8]> = args.iter().skip(2).collect();
    let found = cx
        .server
        .params
        .get(&patterns, |pattern, text| glob_match(pattern, text, Case::Insensitive));
    reply.map(found.len());
    for (name, value) in found {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    Ok(Flow::Done)
}

const RESETSTAT: Spec = Spec {
    since: "2.0.0",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Sets the counters that INFO shows back to zero",
    ..Spec::new("resetstat", Group::Server, 2, Handler::Session(resetstat))
};

fn resetstat(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    use std::sync::atomic::Ordering::Relaxed;
    let server = cx.server;
    server.stats.reset();
    server.tls.reset();
    server.clients.accepted.store(0, Relaxed);
    server.clients.rejected.store(0, Relaxed);
    server.pressure.reset();
    server.acl.reset_counts();
    for counters in server.engine.counters() {
        // `changes` tells how far the last checkpoint is behind; it is no statistic.
        [
            &counters.hits,
            &counters.misses,
            &counters.expired,
            &counters.evicted,
            &counters.commands,
            &counters.net_input_bytes,
            &counters.net_output_bytes,
            &counters.errors,
        ]
        .into_iter()
        .for_each(crate::metrics::Count::reset);
    }
    reply.ok();
    Ok(Flow::Done)
}

const REWRITE: Spec = Spec {
    since: "2.8.0",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Writes the present parameters to the configuration file",
    ..Spec::new(
        "rewrite",
        Group::Server,
        2,
        Handler::Maintenance(Maintenance {
            run: rewrite,
            in_multi: Some(|_| Some(rewrite_now)),
        }),
    )
};

fn rewrite(cx: &mut MaintenanceCx<'_>, _args: Args<'_>, _reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let server = std::sync::Arc::clone(cx.server);
    Ok(Flow::Later(Box::pin(async move {
        // The file is synced: not on this worker.
        let written = tokio::task::spawn_blocking(move || rewrite_file(&server)).await;
        written.map_err(|error| format!("ERR Rewriting config file: {error}"))??;
        let late: LateReply = Box::new(late_ok);
        Ok(late)
    })))
}

/// Writes the file, with the users unless they are in a file of their own.
fn rewrite_file(server: &Server) -> Result<(), CmdError> {
    let (acl, config) = (&server.acl, server.params.config());
    let mut users = None;
    if acl.file().is_none() {
        let lines = acl
            .describe_all()
            .map(String::from_utf8)
            .collect::<Result<Vec<String>, _>>();
        let lines =
            lines.map_err(|_| CmdError::text("ERR Rewriting config file: a user's rules are not UTF-8 text"))?;
        users = Some(if acl.is_pristine(&config.server.requirepass) {
            Vec::new()
        } else {
            lines
        });
    }
    Ok(server.params.rewrite(users)?)
}

/// A transaction cannot wait for other threads: the file is written by this one, while nobody else runs.
fn rewrite_now(cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    rewrite_file(cx.server)?;
    reply.ok();
    Ok(Flow::Done)
}

const SET: Spec = Spec {
    since: "2.0.0",
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    summary: "Sets parameters, all or none",
    complexity: "O(N) when N is the number of configuration parameters provided",
    syntax: "parameter value [parameter value ...]",
    is_secret: is_secret_value,
    ..Spec::new(
        "set",
        Group::Server,
        -4,
        Handler::Maintenance(Maintenance {
            run: set,
            in_multi: Some(|_| Some(set_in_transaction)),
        }),
    )
};

/// Whether argument `at` is the value of a secret parameter.
fn is_secret_value(args: Args<'_>, at: usize) -> bool {
    let is_value = at >= 3 && !at.is_multiple_of(2);
    is_value && is_secret(args.get(at - 1).unwrap_or_default())
}

fn set(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    // Under a pass, so that it comes before the data does, or behind it.
    let changes_data = cx.as_session(|cx| change(cx, args))?;
    if changes_data {
        let (server, worker) = (cx.server, &mut *cx.worker);
        worker.with_exclusive(&server.engine, |kit, alone| change_data(server, kit, alone))?;
        worker.observe_all(&server.engine);
    }
    reply.ok();
    Ok(Flow::Done)
}

fn set_in_transaction(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if change(cx, args)?
        && let Some(alone) = cx.alone
    {
        change_data(cx.server, cx.kit, alone)?;
    }
    reply.ok();
    Ok(Flow::Done)
}

/// Changes the parameters; whether some of them are data.
fn change(cx: &mut SessionCx<'_>, args: Args<'_>) -> Result<bool, CmdError> {
    let rest: Vec<&[u8]> = args.iter().skip(2).collect();
    let (pairs, []) = rest.as_chunks::<2>() else {
        return Err(CmdError::Syntax);
    };
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|[name, value]| (*name, *value)).collect();
    let server = cx.server;
    let _turn = server.params.turn();
    let changed = server
        .params
        .set(&pairs, |config, changed| exchange_tls(server, config, changed))?;
    take_over(cx.server, &changed);
    Ok(changed.iter().any(|changed| changed.key.starts_with("encoding.")))
}

/// Has new connections made with what `[tls]` is to be from now on, if that is different and works.
fn exchange_tls(server: &Server, config: &Config, changed: &[ChangedKey]) -> Result<(), Conflict> {
    let is_of_tls = |changed: &&ChangedKey| changed.key.starts_with("tls.");
    let Some(first) = changed.iter().find(is_of_tls).filter(|_| config.tls.is_on()) else {
        return Ok(());
    };
    server.tls.take_over(&config.tls).map_err(|error| {
        tracing::warn!(%error, "CONFIG SET: TLS stays as it was");
        Conflict {
            key: first.key.clone(),
            reason: "Unable to update TLS configuration. Check server logs.".to_owned(),
        }
    })
}

/// Has changes from here on follow the parameters that are data: replay and followers have to know of them.
fn change_data(server: &Server, kit: &mut Kit, alone: &ExclusivePass<'_>) -> Result<(), CmdError> {
    let engine = &server.engine;
    if !engine.has_data() {
        // It is brought in line with the parameters when it comes.
        return Ok(());
    }
    kit.see_data(engine);
    let limits = server.params.config().encoding.limits();
    let mut scope = Scope::exclusive(engine, kit, alone);
    let set = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT).set_encoding(limits);
    set.map_err(|error| format!("ERR {error}").into())
}

/// Tells those who keep a copy.
fn take_over(server: &Server, changed: &[ChangedKey]) {
    for ChangedKey { key, value } in changed {
        tracing::info!("configuration: {key} = {value}");
        if key == "wal.fsync" {
            let policy = Fsync::from(server.params.live().fsync());
            server.engine.wal().set_fsync(policy);
            server.engine.set_waits_for_stable(policy == Fsync::Always);
        }
        let config = server.params.config();
        if key == "wal.segment_bytes" {
            server.engine.wal().set_segment_bytes(config.wal.segment_bytes);
        }
        if key == "limits.bulk_bytes_max" {
            server.engine.set_string_bytes_max(config.limits.bulk_bytes_max);
        }
        if key == "limits.collections_max" {
            server.engine.set_collections_max(config.limits.collections_max);
        }
        if key == "limits.tracking_keys_max" {
            let keys_max = config.limits.tracking_keys_max;
            server.engine.tracking().set_keys_max(keys_max);
        }
        if key.starts_with("encoding.") {
            config.encoding.configure_naming(&server.engine);
        }
        if key.starts_with("memory.") {
            config.memory.configure_eviction(&server.engine);
        }
        if key == "memory.hll_sparse_bytes_max" {
            server
                .engine
                .set_hll_sparse_bytes_max(config.memory.hll_sparse_bytes_max);
        }
        if key == "notifications.keyspace_events" {
            server.engine.events().ask_for(config.notifications.classes());
        }
        if key == "server.requirepass" {
            server.acl.set_default_password(&config.server.requirepass);
        }
        if key == "acl.pubsub_default" {
            server.acl.set_all_channels(config.acl.allows_channels());
        }
        if key == "acl.log_len_max" {
            server.acl.log.lock().set_len_max(config.acl.log_entries_max());
        }
        if key == "log.level" {
            logging::set_levels(&config.log.level);
        }
    }
}
