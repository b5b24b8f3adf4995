//! Taking elements off an end: LPOP, RPOP.

use super::common::{End, old_list, pop};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::value::{count_arg, reply_item};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Proto, Reply};

pub(super) const LPOP: Spec = Spec {
    flags: flag::FAST,
    acl: &["list"],
    keys: &[first_key(&["RW", "access", "delete"])],
    summary: "Takes elements off the front of a list; the last one takes the list with it",
    complexity: "O(N) where N is the number of elements returned",
    syntax: "key [count]",
    ..Spec::new("lpop", Group::List, -2, Handler::Write(lpop))
};

fn lpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    pop_end(txn, args, (End::Left, LPOP.name), reply)
}

pub(super) const RPOP: Spec = Spec {
    summary: "Takes elements off the back of a list; the last one takes the list with it",
    ..Spec {
        name: "rpop",
        handler: Handler::Write(rpop),
        ..LPOP
    }
};

fn rpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    pop_end(txn, args, (End::Right, RPOP.name), reply)
}

fn pop_end(txn: &mut Txn<'_, '_>, args: Args<'_>, (end, name): (End, &str), reply: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return Err(CmdError::Arity(name.to_owned()));
    }
    let count = args.get(2).map(count_arg).transpose()?;
    let key = args.at(1);
    let Some(len) = old_list(txn, key)?.map(|list| list.len()) else {
        match count {
            Some(_) if reply.proto() == Proto::Resp2 => reply.null_array(),
            _ => reply.null(),
        }
        return Ok(());
    };
    match count {
        None => pop(txn, key, end, 1, |item| reply_item(reply, item))?,
        Some(count) => {
            let count = count.min(len);
            reply.array(count as usize);
            pop(txn, key, end, count, |item| reply_item(reply, item))?;
        }
    }
    Ok(())
}
