//! Adding positions: GEOADD.

use super::common::parse_point;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::geo::score_of_point;
use crate::commands::zset::{AddOptions, add_scores};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const GEOADD: Spec = Spec {
    since: "3.2.0",
    flags: flag::DENY_OOM,
    acl: &["geo"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Gives members of a sorted set positions on Earth as their scores",
    complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    syntax: "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
    ..Spec::new("geoadd", Group::Geo, -5, Handler::Write(geoadd))
};

fn geoadd(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let mut options = AddOptions::default();
    let mut at = 2;
    while let Some(option) = args.get(at) {
        match option.to_ascii_lowercase().as_slice() {
            b"nx" => options.nx = true,
            b"xx" => options.xx = true,
            b"ch" => options.ch = true,
            _ => break,
        }
        at += 1;
    }
    let positions = args.skip(at);
    if positions.is_empty() || !positions.len().is_multiple_of(3) || options.nx && options.xx {
        return Err(CmdError::Syntax);
    }
    let mut wanted = Vec::with_capacity(positions.len() / 3);
    let mut rest = positions.iter();
    while let (Some(longitude), Some(latitude), Some(member)) = (rest.next(), rest.next(), rest.next()) {
        wanted.push((score_of_point(parse_point(longitude, latitude)?), member));
    }
    add_scores(txn, args.at(1), &wanted, options, reply)
}
