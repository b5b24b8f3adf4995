//! Collections: numbered databases by redis_exporter's names, all of them by ours.
//!
//! **Invariant:** at most [`NAMED_MAX`] have samples of their own, so that clients that make collections do not fill
//! whoever keeps the samples; how many there are is told in any case.

use super::super::exposition::{Exposition, Rows};
use crate::engine::registry::Slot;
use crate::engine::shown::Sums;
use crate::state::Server;
use crate::state::figures::slots;

/// Collections with samples of their own, those with most keys first.
const NAMED_MAX: usize = 1000;

pub(super) fn put(server: &Server, out: &mut Exposition) {
    let slots = slots(&server.engine);
    let all: Vec<(&Slot, Sums)> = slots.iter().map(|slot| (slot, slot.collection.sums())).collect();
    databases(&all, out);
    let mut named: Vec<_> = all
        .into_iter()
        .filter(|(slot, sums)| sums.keys > 0 || !slot.id.is_numbered())
        .collect();
    out.gauge(
        "lokikv_collections",
        "Collections that are not empty or have a name",
        named.len(),
    );
    if named.len() > NAMED_MAX {
        named.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.keys));
        named.truncate(NAMED_MAX);
    }
    gauges(&named, out);
    counters(&named, out);
}

fn databases(all: &[(&Slot, Sums)], out: &mut Exposition) {
    let numbered = || all.iter().filter(|(slot, _)| slot.id.is_numbered());
    let names: Vec<String> = numbered().map(|(slot, _)| format!("db{}", slot.id)).collect();
    let families: &Rows<Sums> = &[
        ("redis_db_keys", "Keys of a numbered database", |sums| sums.keys),
        ("redis_db_keys_expiring", "Those with an expiry", |sums| sums.expires),
    ];
    for (family, help, pick) in families {
        let mut samples = out.gauges(family, help);
        for (name, (_, sums)) in names.iter().zip(numbered()) {
            samples.put(&[("db", name)], pick(sums));
        }
    }
}

fn gauges(named: &[(&Slot, Sums)], out: &mut Exposition) {
    let families: &Rows<Sums> = &[
        ("lokikv_collection_keys", "Keys of a collection", |sums| sums.keys),
        ("lokikv_collection_keys_expiring", "Those with an expiry", |sums| {
            sums.expires
        }),
        ("lokikv_collection_pages", "Pages of a collection", |sums| sums.pages),
        (
            "lokikv_collection_bytes",
            "What a collection takes of memory",
            Sums::bytes,
        ),
    ];
    for (family, help, pick) in families {
        let mut samples = out.gauges(family, help);
        for (slot, sums) in named {
            let kind = slot.collection.placement().kind.name();
            samples.put(&[("collection", &slot.name), ("kind", kind)], pick(sums));
        }
    }
}

fn counters(named: &[(&Slot, Sums)], out: &mut Exposition) {
    let families: &Rows<Sums> = &[
        (
            "lokikv_collection_reads_total",
            "Lookups by commands that read",
            |sums| sums.counts.reads,
        ),
        ("lokikv_collection_writes_total", "Changes", |sums| sums.counts.writes),
        (
            "lokikv_collection_expired_keys_total",
            "Keys removed because their time had come",
            |sums| sums.counts.expired,
        ),
        (
            "lokikv_collection_evicted_keys_total",
            "Keys removed for want of memory",
            |sums| sums.counts.evicted,
        ),
    ];
    for (family, help, pick) in families {
        let mut samples = out.counters(family, help);
        for (slot, sums) in named {
            samples.put(&[("collection", &slot.name)], pick(sums));
        }
    }
}
