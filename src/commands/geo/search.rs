//! The search itself, and what is done with what it finds.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::ControlFlow;

use super::common::{reply_distance, reply_point};
use super::options::{Form, Order, Query};
use crate::commands::support::geo::{Area, point_of_score};
use crate::commands::value::reply_item;
use crate::commands::zset::{Scored, read_zset, sort, store};
use crate::commands::{CmdError, CmdResult};
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::packed::Item;
use crate::page::zset::{HeldZset, ZsetRef};
use crate::resp::{Args, Reply};

/// A member within the area.
struct Found<'a> {
    name: Item<'a>,
    score: f64,
    distance_m: f64,
    /// When it was found, which decides between equal distances.
    place: usize,
}

/// Answers a search that stores nothing.
pub(super) fn answer(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, form: Form, reply: &mut Reply) -> CmdResult {
    let zset = read_zset(txn, args.at(1))?;
    let query = Query::parse(args, form, zset)?;
    reply_found(&found(zset, &query), &query, reply);
    Ok(())
}

/// Answers a search of `args[source]` that may store what it finds.
pub(super) fn answer_or_store(
    txn: &mut Txn<'_, '_>,
    args: Args<'_>,
    source: usize,
    form: Form,
    reply: &mut Reply,
) -> Result<(), CmdError> {
    let held = read_zset(txn, args.at(source))?.map(|zset| zset.hold());
    let zset = held.as_ref().map(HeldZset::view);
    let query = Query::parse(args, form, zset)?;
    let found = found(zset, &query);
    let Some(target) = query.target else {
        reply_found(&found, &query, reply);
        return Ok(());
    };
    let mut seen = HashSet::new();
    let mut members: Vec<Scored<'_>> = Vec::with_capacity(found.len());
    for one in &found {
        let name = one.name.bytes();
        if seen.insert(name.clone()) {
            members.push((
                if query.store_distance {
                    one.distance_in_unit(&query)
                } else {
                    one.score
                },
                name,
            ));
        }
    }
    sort(&mut members);
    // Only the newer form names its source behind its target.
    let name = if source == 1 {
        "georadiusstore"
    } else {
        "geosearchstore"
    };
    store(txn, target, &members, name);
    reply.int(members.len() as i64);
    Ok(())
}

impl Found<'_> {
    fn distance_in_unit(&self, query: &Query<'_>) -> f64 {
        self.distance_m / query.unit_m()
    }
}

fn reply_found(found: &[Found<'_>], query: &Query<'_>, reply: &mut Reply) {
    let extras = [query.with_distance, query.with_hash, query.with_point];
    let extras = extras.iter().filter(|wanted| **wanted).count();
    reply.array(found.len());
    for one in found {
        if extras > 0 {
            reply.array(1 + extras);
        }
        reply_item(reply, one.name);
        if query.with_distance {
            reply_distance(reply, one.distance_in_unit(query));
        }
        if query.with_hash {
            reply.int(one.score as i64);
        }
        if query.with_point {
            reply_point(reply, point_of_score(one.score));
        }
    }
}

/// What is within the area, in the order that is asked for, no more than are.
fn found<'a>(zset: Option<ZsetRef<'a>>, query: &Query<'_>) -> Vec<Found<'a>> {
    let Some((zset, area)) = zset.zip(query.area()) else {
        return Vec::new();
    };
    let limit = if query.any { query.count } else { 0 };
    let mut found = search(zset, &area, limit);
    let wanted = match usize::try_from(query.count) {
        Ok(count @ 1..) => count.min(found.len()),
        _ => found.len(),
    };
    let Some(order) = query.order else {
        found.truncate(wanted);
        return found;
    };
    let compare = |one: &Found<'_>, other: &Found<'_>| order.compare(one, other);
    if let Some(last) = wanted.checked_sub(1).filter(|_| wanted < found.len()) {
        found.select_nth_unstable_by(last, compare);
        found.truncate(wanted);
    }
    found.sort_unstable_by(compare);
    found
}

impl Order {
    fn compare(self, one: &Found<'_>, other: &Found<'_>) -> Ordering {
        let by_distance = one.distance_m.total_cmp(&other.distance_m);
        let by_distance = match self {
            Self::Ascending => by_distance,
            Self::Descending => by_distance.reverse(),
        };
        by_distance.then(one.place.cmp(&other.place))
    }
}

/// Looks into all cells that cover the area, until `limit` members are found (0: all). O(log n) for each cell and what
/// is in it.
fn search<'a>(zset: ZsetRef<'a>, area: &Area, limit: u64) -> Vec<Found<'a>> {
    let mut found: Vec<Found<'a>> = Vec::new();
    for cell in area.cells() {
        if limit > 0 && found.len() as u64 >= limit {
            break;
        }
        let (first, end) = cell.scores();
        let rank = zset.partition_point(|member| member.score < first);
        let _ = zset.for_each_from(rank, |member| {
            if member.score >= end {
                return ControlFlow::Break(());
            }
            if let Some(distance_m) = area.distance_within_m(member.score) {
                found.push(Found {
                    name: member.name,
                    score: member.score,
                    distance_m,
                    place: found.len(),
                });
            }
            if limit > 0 && found.len() as u64 >= limit {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
    }
    found
}
