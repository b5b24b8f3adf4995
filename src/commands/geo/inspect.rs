//! Looking at single positions: GEODIST, GEOHASH, GEOPOS.

use super::common::{parse_unit_m, reply_distance, reply_point};
use crate::commands::spec::{Group, first_key};
use crate::commands::support::geo::{distance_m, geohash_text, point_of_score};
use crate::commands::zset::read_zset;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const GEODIST: Spec = Spec {
    since: "3.2.0",
    acl: &["geo"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns the distance between the positions of two members",
    complexity: "O(log(N))",
    syntax: "key member1 member2 [M | KM | FT | MI]",
    ..Spec::new("geodist", Group::Geo, -4, Handler::Read(geodist))
};

fn geodist(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    if args.len() > 5 {
        return Err(CmdError::Syntax);
    }
    let unit_m = args.get(4).map_or(Ok(1.0), parse_unit_m)?;
    let zset = read_zset(txn, args.at(1))?;
    let score = |member: usize| zset.and_then(|zset| zset.score(args.at(member)));
    match score(2).zip(score(3)) {
        Some((one, other)) => {
            let distance_m = distance_m(point_of_score(one), point_of_score(other));
            reply_distance(reply, distance_m / unit_m);
        }
        None => reply.null(),
    }
    Ok(())
}

pub(super) const GEOHASH: Spec = Spec {
    summary: "Returns the positions of members as geohash texts",
    complexity: "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
    syntax: "key member [member ...]",
    ..Spec {
        name: "geohash",
        arity: -2,
        handler: Handler::Read(geohash),
        ..GEODIST
    }
};

fn geohash(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    for_each_score(txn, args, reply, |reply, score| match score {
        Some(score) => reply.bulk(geohash_text(point_of_score(score)).as_bytes()),
        None => reply.null(),
    })
}

pub(super) const GEOPOS: Spec = Spec {
    summary: "Returns the positions of members as longitude and latitude",
    complexity: "O(N) where N is the number of members requested.",
    ..Spec {
        name: "geopos",
        handler: Handler::Read(geopos),
        ..GEOHASH
    }
};

fn geopos(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    for_each_score(txn, args, reply, |reply, score| match score {
        Some(score) => reply_point(reply, point_of_score(score)),
        None => reply.null_array(),
    })
}

fn for_each_score(
    txn: &mut ReadTxn<'_, '_>,
    args: Args<'_>,
    reply: &mut Reply,
    answer: fn(&mut Reply, Option<f64>),
) -> CmdResult {
    let zset = read_zset(txn, args.at(1))?;
    let members = args.skip(2);
    reply.array(members.len());
    for member in members.iter() {
        answer(reply, zset.and_then(|zset| zset.score(member)));
    }
    Ok(())
}
