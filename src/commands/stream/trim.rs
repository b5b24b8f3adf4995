//! Taking entries away from the front: XTRIM, and the options it shares with XADD.

use std::sync::atomic::Ordering::Relaxed;

use super::common::{apply, old_stream};
use super::id::{Wanted, packed_ids, parse_id, parse_wanted};
use super::produced::{self, Produced};
use super::references::Policy;
use crate::commands::spec::{Group, first_key};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::stream::{StreamId, StreamOp, Trim};
use crate::page::thresholds::Thresholds;
use crate::resp::{Args, Reply};

pub(super) const XTRIM: Spec = Spec {
    since: "5.0.0",
    acl: &["stream"],
    keys: &[first_key(&["RW", "delete"])],
    tips: &["nondeterministic_output"],
    summary: "Takes entries away from the front of a stream, down to a length or up to an id",
    complexity: "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
    syntax: "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]",
    ..Spec::new("xtrim", Group::Stream, -4, Handler::Write(xtrim))
};

fn xtrim(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = Options::parse(args, false)?;
    let key = args.at(1);
    if old_stream(txn, key)?.is_none() {
        reply.int(0);
        return Ok(());
    }
    reply.int(options.trim(txn, key)? as i64);
    Ok(())
}

/// Options of XADD and XTRIM.
#[derive(Debug, Default)]
pub(super) struct Options {
    trim: Option<Trim>,
    approximate: bool,
    /// Most entries that an approximate trim takes away; `None` = as many as seem right.
    limit: Option<u64>,
    /// What becomes of references to what is trimmed.
    policy: Option<Policy>,
    /// XADD: do not make a stream.
    pub no_make: bool,
    /// XADD: the id asked for; `None` = any.
    pub wanted: Option<Wanted>,
    /// XADD: which argument the id is.
    pub id_at: usize,
    /// XADD: the message of a producer that the entry is.
    pub produced: Option<Produced>,
}

impl Options {
    pub fn parse(args: Args<'_>, is_add: bool) -> Result<Self, CmdError> {
        let mut options = Self::default();
        let mut at = 2;
        while at < args.len() {
            let option = args.at(at);
            let has_more = at + 1 < args.len();
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if is_add && option == b"*" {
                break;
            } else if is(b"maxlen") && has_more {
                at = options.threshold(args, at, max_len)?;
            } else if is(b"minid") && has_more {
                at = options.threshold(args, at, |id| parse_id(id, 0).map(Trim::MinId))?;
            } else if is(b"limit") && has_more {
                at += 1;
                options.limit = Some(not_negative(args.at(at), "ERR The LIMIT argument must be >= 0.")?);
            } else if is_add && is(b"nomkstream") {
                options.no_make = true;
            } else if let Some(parse) = Produced::option(option).filter(|_| is_add && has_more) {
                at = options.produced(args, at, parse)?;
            } else if let Some(policy) = Policy::named(option).filter(|_| options.policy.is_none()) {
                options.policy = Some(policy);
            } else if is_add {
                options.wanted = Some(parse_wanted(option)?);
                break;
            } else {
                return Err(CmdError::Syntax);
            }
            at += 1;
        }
        options.id_at = at;
        options.check(is_add)?;
        Ok(options)
    }

    /// A threshold behind the option at `at`, and the mark before it; where it is.
    fn threshold(
        &mut self,
        args: Args<'_>,
        at: usize,
        parse: impl Fn(&[u8]) -> Result<Trim, CmdError>,
    ) -> Result<usize, CmdError> {
        if self.trim.is_some() {
            return Err(CmdError::text(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let mark = args.get(at + 1).filter(|_| at + 2 < args.len());
        self.approximate = mark == Some(b"~");
        let at = if self.approximate || mark == Some(b"=") {
            at + 2
        } else {
            at + 1
        };
        self.trim = Some(parse(args.at(at))?);
        Ok(at)
    }

    /// A producer, and maybe its message, behind the option at `at`; where the last of them is.
    fn produced(&mut self, args: Args<'_>, at: usize, parse: produced::Parse) -> Result<usize, CmdError> {
        if self.produced.is_some() {
            return Err(CmdError::text("ERR IDMP/IDMPAUTO specified multiple times"));
        }
        let (produced, last) = parse(args, at)?;
        self.produced = Some(produced);
        Ok(last)
    }

    fn check(&self, is_add: bool) -> CmdResult {
        if self.produced.is_some() && self.wanted.is_some() {
            return Err(CmdError::text(
                "ERR IDMP/IDMPAUTO can be used only with auto-generated IDs",
            ));
        }
        let why = match (self.trim, self.limit) {
            (None, Some(1..)) => "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            (None, _) if !is_add => "ERR syntax error, XTRIM must be called with a trimming strategy",
            (_, Some(_)) if !self.approximate => "ERR syntax error, LIMIT cannot be used without the special ~ option",
            _ => return Ok(()),
        };
        Err(CmdError::text(why))
    }

    /// Trims the stream at `key`, if that was asked for; how many entries went.
    pub fn trim(&self, txn: &mut Txn<'_, '_>, key: &[u8]) -> Result<u64, CmdError> {
        let Some(trim) = self.trim else { return Ok(0) };
        let limit = self.limit(txn.thresholds());
        let Some(stream) = old_stream(txn, key)? else {
            return Ok(0);
        };
        let count = match self.policy.unwrap_or_default() {
            Policy::Keep => {
                let count = stream.count_to_trim(trim, self.approximate, limit);
                trim_first(txn, key, count);
                count
            }
            Policy::Delete => {
                let count = stream.count_to_trim(trim, self.approximate, limit);
                forget_first(txn, key, count)?;
                trim_first(txn, key, count);
                count
            }
            Policy::Acked => {
                let runs = stream.runs_to_trim(trim, self.approximate, limit);
                if runs.count() > 0 {
                    let ids: Vec<StreamId> = runs.ids().collect();
                    apply(
                        txn,
                        key,
                        StreamOp::TrimRuns {
                            runs: &packed_ids(&ids),
                        },
                    );
                }
                runs.count()
            }
        };
        if count > 0 {
            txn.notify(Classes::STREAM, "xtrim", key);
        }
        Ok(count)
    }

    /// An approximate trim without a limit of its own does not go on for ever.
    fn limit(&self, thresholds: &Thresholds) -> u64 {
        const NODES: u64 = 100;
        match self.limit {
            Some(limit) => limit,
            None if !self.approximate => 0,
            None => match thresholds.stream_node_entries_max.load(Relaxed).saturating_mul(NODES) {
                0 => 10_000,
                limit => limit.min(1_000_000),
            },
        }
    }
}

fn trim_first(txn: &mut Txn<'_, '_>, key: &[u8], count: u64) {
    if count > 0 {
        apply(txn, key, StreamOp::Trim { count });
    }
}

/// Takes the first so many entries out of what is pending in groups.
fn forget_first(txn: &mut Txn<'_, '_>, key: &[u8], count: u64) -> CmdResult {
    let Some(stream) = old_stream(txn, key)?.filter(|_| count > 0) else {
        return Ok(());
    };
    let pending = stream.pending_among_first(count).into_iter();
    let pending: Vec<(Vec<u8>, Vec<u8>)> = pending
        .map(|(group, ids)| (group.name().to_vec(), packed_ids(&ids)))
        .collect();
    for (group, ids) in &pending {
        apply(txn, key, StreamOp::Acknowledge { group, ids });
    }
    Ok(())
}

fn max_len(argument: &[u8]) -> Result<Trim, CmdError> {
    not_negative(argument, "ERR The MAXLEN argument must be >= 0.").map(Trim::MaxLen)
}

fn not_negative(argument: &[u8], why: &'static str) -> Result<u64, CmdError> {
    let number = parse_i64(argument).ok_or(CmdError::NotInteger)?;
    u64::try_from(number).map_err(|_| CmdError::text(why))
}
