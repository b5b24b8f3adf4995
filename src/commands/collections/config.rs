//! `COLLECTION CONFIG name SET | GET`: what is set of one collection, kept in the log and in checkpoints.

use std::sync::Arc;

use super::copy::convert_then_ok;
use super::select::by_name;
use crate::checkpoint::ConvertRequest;
use crate::commands::context::MaintenanceCx;
use crate::commands::error::CmdError;
use crate::commands::flow::{Flow, Waiting};
use crate::commands::misconf;
use crate::commands::spec::{Databases, Group, Handler, Maintenance, Spec, flag};
use crate::config::size;
use crate::engine::eviction::Policy;
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::scope::Scope;
use crate::engine::settings::{FsyncClass, Settings};
use crate::glob::{Case, glob_match};
use crate::resp::{Args, Reply};

/// `COLLECTION CONFIG name SET setting value [setting value …] | GET [pattern]`
pub const CONFIG: Spec = Spec {
    databases: Databases::At(&[2]),
    since: "0.2.0",
    flags: flag::ADMIN | flag::NO_SCRIPT | flag::NO_MULTI,
    acl: &["keyspace"],
    summary: "Sets or tells the memory limit and what is evicted there, the fsync class and whether checkpoints and the log keep a collection",
    complexity: "O(N) where N is the number of settings given, and of keys when a cache with keys becomes a kept one.",
    syntax: "name SET setting value [setting value ...] | GET [pattern]",
    ..Spec::new(
        "config",
        Group::Collection,
        -4,
        Handler::Maintenance(Maintenance::new(config)),
    )
};

/// A setting: its name, and how it is told and taken.
struct Setting {
    name: &'static str,
    expected: &'static str,
    get: fn(&Settings) -> String,
    set: fn(&mut Settings, &str) -> Option<()>,
}

const SETTINGS: [Setting; 4] = [
    Setting {
        name: "checkpoint",
        expected: "yes or no",
        get: |settings| if settings.is_cache { "no" } else { "yes" }.to_owned(),
        set: |settings, value| {
            settings.is_cache = match value {
                "yes" => false,
                "no" => true,
                _ => return None,
            };
            Some(())
        },
    },
    Setting {
        name: "fsync",
        expected: "server, always, everysec or no",
        get: |settings| settings.fsync.name().to_owned(),
        set: |settings, value| {
            settings.fsync = FsyncClass::ALL.into_iter().find(|class| class.name() == value)?;
            Some(())
        },
    },
    Setting {
        name: "max-bytes",
        expected: "a size such as 100mb, 0 for no limit",
        get: |settings| settings.max_bytes.to_string(),
        set: |settings, value| {
            settings.max_bytes = size::parse(value)?;
            Some(())
        },
    },
    Setting {
        name: "policy",
        expected: "server, or one that maxmemory-policy knows",
        get: |settings| settings.policy.map_or("server", Policy::name).to_owned(),
        set: |settings, value| {
            settings.policy = match value {
                "server" => None,
                name => Some(Policy::ALL.into_iter().find(|policy| policy.name() == name)?),
            };
            Some(())
        },
    },
];

fn config(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let verb = args.at(3);
    if verb.eq_ignore_ascii_case(b"get") {
        get(cx, args, reply)
    } else if verb.eq_ignore_ascii_case(b"set") {
        set(cx, args, reply)
    } else {
        Err(CmdError::Syntax)
    }
}

fn get(cx: &MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let pattern = match args.len() {
        4 => b"*".as_slice(),
        5 => args.at(4),
        _ => return Err(CmdError::Syntax),
    };
    let settings = by_name(cx.server, args.at(2))?.collection.settings();
    let wanted = |setting: &&Setting| glob_match(pattern, setting.name.as_bytes(), Case::Insensitive);
    let shown: Vec<&Setting> = SETTINGS.iter().filter(wanted).collect();
    reply.map(shown.len());
    for setting in shown {
        reply.bulk(setting.name.as_bytes());
        reply.bulk((setting.get)(&settings).as_bytes());
    }
    Ok(Flow::Done)
}

/// The settings with names and values, for `COLLECTION INFO`.
pub(super) fn describe(settings: &Settings) -> Vec<(&'static str, String)> {
    let each = SETTINGS.iter();
    each.map(|setting| (setting.name, (setting.get)(settings))).collect()
}

fn set(cx: &mut MaintenanceCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow<Waiting>, CmdError> {
    let rest: Vec<&[u8]> = args.iter().skip(4).collect();
    let (pairs @ [_, ..], []) = rest.as_chunks::<2>() else {
        return Err(CmdError::Syntax);
    };
    let slot = by_name(cx.server, args.at(2))?;
    // Everything is checked before anything changes.
    apply(slot.collection.settings(), pairs)?;
    let engine = Arc::clone(&cx.server.engine);
    if engine.refuses_writes() {
        return Err(misconf::log_has_failed(engine.wal()));
    }
    let must_convert = cx.worker.with_exclusive(&engine, |worker, pass| {
        let mut scope = Scope::exclusive(&engine, worker, pass);
        configure(&mut ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT), slot.id, pairs)
    })?;
    cx.worker.observe_all(&engine);
    if must_convert {
        let request = ConvertRequest {
            name: slot.name.to_string(),
            kind: None,
            is_kept: true,
        };
        return Ok(convert_then_ok(cx.server, request));
    }
    reply.ok();
    Ok(Flow::Done)
}

/// Whether the keys of a cache have yet to be brought into the log, which makes it one that is kept.
fn configure(txn: &mut ExclusiveTxn<'_, '_>, database: DatabaseId, pairs: &[[&[u8]; 2]]) -> Result<bool, CmdError> {
    let slot = txn
        .slot(database)
        .ok_or(CmdError::text("ERR the collection was dropped meanwhile"))?;
    let before = slot.collection.settings();
    let mut settings = apply(before, pairs)?;
    super::guard::check_slot(&slot, flag::WRITE)?;
    let must_convert = before.is_cache && !settings.is_cache && slot.collection.key_count() > 0;
    settings.is_cache |= must_convert;
    if settings != before {
        txn.configure(slot.collection.id(), settings)
            .map_err(|error| format!("ERR {error}"))?;
    }
    Ok(must_convert)
}

/// `settings` with changes.
fn apply(mut settings: Settings, pairs: &[[&[u8]; 2]]) -> Result<Settings, CmdError> {
    for [name, value] in pairs {
        let known = SETTINGS
            .iter()
            .find(|setting| name.eq_ignore_ascii_case(setting.name.as_bytes()));
        let Some(setting) = known else {
            let rest = "', known are checkpoint, fsync, max-bytes, policy";
            return Err(CmdError::quoting("ERR unknown collection setting '", name, 128, rest));
        };
        let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
        if (setting.set)(&mut settings, &lower).is_none() {
            let rest = format!("' for {}: expected {}", setting.name, setting.expected);
            return Err(CmdError::quoting("ERR invalid value '", value, 128, &rest));
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(pairs: &[[&str; 2]]) -> Result<Settings, String> {
        let pairs: Vec<[&[u8]; 2]> = pairs.iter().map(|pair| pair.map(str::as_bytes)).collect();
        apply(Settings::default(), &pairs).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_taken_and_told() {
        let settings = [
            ["MAX-BYTES", "2kb"],
            ["fsync", "Always"],
            ["checkpoint", "no"],
            ["policy", "ALLKEYS-lrm"],
        ];
        let settings = applied(&settings).unwrap();
        let told: Vec<_> = describe(&settings)
            .into_iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        assert_eq!(
            told,
            ["checkpoint no", "fsync always", "max-bytes 2048", "policy allkeys-lrm"]
        );
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (pair, error) in [
            (
                ["size", "1"],
                "ERR unknown collection setting 'size', known are checkpoint, fsync, max-bytes, policy",
            ),
            (
                ["fsync", "often"],
                "ERR invalid value 'often' for fsync: expected server, always, everysec or no",
            ),
            (
                ["checkpoint", "1"],
                "ERR invalid value '1' for checkpoint: expected yes or no",
            ),
            (
                ["policy", "lru"],
                "ERR invalid value 'lru' for policy: expected server, or one that maxmemory-policy knows",
            ),
            (
                ["max-bytes", "-1"],
                "ERR invalid value '-1' for max-bytes: expected a size such as 100mb, 0 for no limit",
            ),
        ] {
            assert_eq!(applied(&[["fsync", "no"], pair]), Err(error.to_owned()));
        }
    }
}
