//! PFDEBUG and PFSELFTEST.

use super::commands::{hll_of, store};
use super::debug::{decode, encoding_name, register_values, self_test};
use super::hll::{HllError, REGISTERS, to_dense};
use crate::commands::context::SessionCx;
use crate::commands::spec::{Access, Begin, Find, Group, KeySpec, flag};
use crate::commands::support::random::Random;
use crate::commands::{CmdError, CmdResult, Flow, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const PFDEBUG: Spec = Spec {
    since: "2.8.9",
    flags: flag::DENY_OOM | flag::ADMIN,
    acl: &["hyperloglog"],
    keys: &[KeySpec {
        access: Access::of(&["RW", "access"]),
        begin: Begin::Index(2),
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        notes: None,
        access_of: None,
    }],
    summary: "Shows the insides of a HyperLogLog",
    complexity: "N/A",
    syntax: "<GETREG | DECODE | ENCODING | TODENSE> key",
    ..Spec::new("pfdebug", Group::HyperLogLog, 3, Handler::Write(pfdebug))
};

fn pfdebug(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (word, key) = (args.at(1), args.at(2));
    let Some(text) = txn.old_str(key)? else {
        return Err(CmdError::text("ERR The specified key does not exist"));
    };
    let (_, bytes) = hll_of(text)?;
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    if is(b"GETREG") {
        let ranks = register_values(&bytes)?;
        make_dense(txn, key)?;
        reply.array(REGISTERS);
        ranks.iter().for_each(|rank| reply.int(i64::from(*rank)));
    } else if is(b"DECODE") {
        reply.bulk(decode(&bytes)?.as_bytes());
    } else if is(b"ENCODING") {
        reply.simple(encoding_name(&bytes)?);
    } else if is(b"TODENSE") {
        reply.int(i64::from(make_dense(txn, key)?));
    } else {
        return Err(CmdError::quoting(
            "ERR Unknown PFDEBUG subcommand '",
            word,
            usize::MAX,
            "'",
        ));
    }
    Ok(())
}

/// Makes the value dense; whether it was sparse.
fn make_dense(txn: &mut Txn<'_, '_>, key: &[u8]) -> Result<bool, CmdError> {
    let mut bytes = match txn.old_str(key)? {
        Some(text) => text.contiguous().into_owned(),
        None => return Err(HllError::NotHll.into()),
    };
    let was_sparse = to_dense(&mut bytes)?;
    if was_sparse {
        store(txn, key, bytes)?;
    }
    Ok(was_sparse)
}

pub(super) const PFSELFTEST: Spec = Spec {
    since: "2.8.9",
    flags: flag::ADMIN,
    acl: &["hyperloglog"],
    summary: "Checks the HyperLogLog implementation on random elements",
    complexity: "N/A",
    ..Spec::new("pfselftest", Group::HyperLogLog, 1, Handler::Session(pfselftest))
};

fn pfselftest(_cx: &mut SessionCx<'_>, _args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    self_test(&mut Random::from_entropy()).map_err(|failure| format!("ERR {failure}"))?;
    reply.ok();
    Ok(Flow::Done)
}
