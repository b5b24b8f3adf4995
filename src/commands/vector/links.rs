//! The neighbours of an element in the graph: VLINKS.

use super::common::{check_arity, is_word, on_key, read_set};
use crate::commands::spec::flag;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const VLINKS: Spec = Spec {
    flags: flag::FAST,
    summary: "The neighbours of an element of a vector set, level by level",
    syntax: "key element [WITHSCORES]",
    ..on_key("vlinks", Handler::Read(vlinks))
};

fn vlinks(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VLINKS", 3..=4)?;
    let with_scores = args.len() == 4;
    if with_scores && !is_word(args, 3, "withscores") {
        return Err(CmdError::Arity("VLINKS".to_owned()));
    }
    let set = read_set(txn, args.at(1))?;
    let Some(levels) = set.and_then(|set| set.links(args.at(2))) else {
        reply.null();
        return Ok(());
    };
    reply.array(levels.len());
    for neighbours in levels.iter().rev() {
        if with_scores {
            reply.map(neighbours.len());
        } else {
            reply.array(neighbours.len());
        }
        for (element, score) in neighbours {
            reply.bulk(element);
            if with_scores {
                reply.double(*score);
            }
        }
    }
    Ok(())
}
