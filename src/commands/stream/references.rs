//! What becomes of references as entries go, KEEPREF, DELREF or ACKED, and the commands that are about them: XDELEX,
//! XACKDEL.

use std::collections::{BTreeMap, HashMap};

use super::common::{apply, old_stream, read_stream};
use super::id::{packed_ids, parse_id};
use crate::commands::spec::{Group as Family, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::stream::{BigStream, Group, References, StreamId, StreamOp};
use crate::resp::{Args, Reply};

/// What becomes of the references that groups have to an entry that is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Policy {
    /// They stay.
    #[default]
    Keep,
    /// They go, too.
    Delete,
    /// Only an entry goes that has none: all groups have read and acknowledged it.
    Acked,
}

impl Policy {
    /// The one that an argument names.
    pub fn named(argument: &[u8]) -> Option<Self> {
        let is = |name: &[u8]| argument.eq_ignore_ascii_case(name);
        if is(b"keepref") {
            Some(Self::Keep)
        } else if is(b"delref") {
            Some(Self::Delete)
        } else if is(b"acked") {
            Some(Self::Acked)
        } else {
            None
        }
    }
}

pub(super) const XDELEX: Spec = Spec {
    since: "8.2.0",
    flags: flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "delete"])],
    summary: "Deletes entries of a stream by their ids, and says what becomes of the groups' references to them",
    complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
    syntax: "key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
    ..Spec::new("xdelex", Family::Stream, -5, Handler::Write(xdelex))
};

fn xdelex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let stream = old_stream(txn, key)?;
    let options = Options::parse(args, 2)?;
    let Some(stream) = stream else {
        options.reply_none(reply);
        return Ok(());
    };
    let ids = options.ids()?;
    let gone = Deletion::of(stream, options.policy, None, &ids);
    gone.reply(&ids, reply);
    gone.apply(txn, key);
    Ok(())
}

pub(super) const XACKDEL: Spec = Spec {
    since: "8.2.0",
    flags: flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RW", "update", "delete"])],
    summary: "Acknowledges entries and deletes them, and says what becomes of other groups' references to them",
    complexity: "O(1) for each message ID processed.",
    syntax: "key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
    ..Spec::new("xackdel", Family::Stream, -6, Handler::Write(xackdel))
};

fn xackdel(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let stream = read_stream(txn, key)?;
    let options = Options::parse(args, 3)?;
    let found = stream.and_then(|stream| Some((stream, stream.group(args.at(2))?)));
    let Some((stream, group)) = found else {
        options.reply_none(reply);
        return Ok(());
    };
    let ids = options.ids()?;
    let gone = Deletion::of(stream, options.policy, Some(group), &ids);
    gone.reply(&ids, reply);
    gone.apply(txn, key);
    Ok(())
}

/// What follows the key, or the group.
struct Options<'a> {
    policy: Policy,
    /// The ids, and what follows them.
    rest: Args<'a>,
    /// How many are ids.
    count: usize,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, from: usize) -> Result<Self, CmdError> {
        let (mut policy, mut ids) = (None, None);
        let mut at = from;
        while let Some(option) = args.get(at) {
            if let Some(named) = Policy::named(option).filter(|_| policy.is_none()) {
                policy = Some(named);
            } else if option.eq_ignore_ascii_case(b"ids") && at + 1 < args.len() {
                let count = parse_i64(args.at(at + 1)).filter(|count| *count > 0);
                let count = count.ok_or(CmdError::text("ERR Number of IDs must be a positive integer"))?;
                let rest = args.skip(at + 2);
                let count = usize::try_from(count).ok().filter(|count| *count <= rest.len());
                let count = count.ok_or(CmdError::text(
                    "ERR The `numids` parameter must match the number of arguments",
                ))?;
                ids = Some((rest, count));
                at += 1 + count;
            } else {
                return Err(CmdError::Syntax);
            }
            at += 1;
        }
        let (rest, count) = ids.ok_or(CmdError::Syntax)?;
        Ok(Self {
            policy: policy.unwrap_or_default(),
            rest,
            count,
        })
    }

    fn ids(&self) -> Result<Vec<StreamId>, CmdError> {
        self.rest.iter().take(self.count).map(|id| parse_id(id, 0)).collect()
    }

    /// There is no such stream, or group.
    fn reply_none(&self, reply: &mut Reply) {
        reply.array(self.count);
        (0..self.count).for_each(|_| reply.int(Outcome::NotThere as i64));
    }
}

/// What came of an id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    NotThere = -1,
    Gone = 1,
    Referenced = 2,
}

/// What is to be deleted, free of what it was made from.
struct Deletion {
    outcomes: HashMap<[u8; StreamId::BYTES], Outcome>,
    /// Entries.
    ids: Vec<StreamId>,
    /// Whether ids have to be pending, so that each counts once.
    of_group: bool,
    /// Names of groups, each with ids that are no longer pending in it.
    acknowledged: BTreeMap<Vec<u8>, Vec<StreamId>>,
}

impl Deletion {
    /// Deletes those of `ids` that the policy lets go; with `group`, those that are pending in it, where they are
    /// acknowledged.
    fn of(stream: &BigStream, policy: Policy, group: Option<&Group>, ids: &[StreamId]) -> Self {
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut made = Self {
            outcomes: HashMap::with_capacity(sorted.len()),
            ids: Vec::new(),
            of_group: group.is_some(),
            acknowledged: BTreeMap::new(),
        };
        let first = sorted.first().copied().unwrap_or_default();
        let mut references = (policy != Policy::Keep).then(|| References::from(stream, first, group.map(Group::name)));
        for id in sorted {
            let outcome = made.judge(stream, policy, group, id, references.as_mut());
            made.outcomes.insert(id.to_bytes(), outcome);
        }
        made
    }

    fn judge(
        &mut self,
        stream: &BigStream,
        policy: Policy,
        group: Option<&Group>,
        id: StreamId,
        references: Option<&mut References<'_>>,
    ) -> Outcome {
        if let Some(group) = group {
            if group.pending(id).is_none() {
                return Outcome::NotThere;
            }
            self.acknowledge(group, id);
        }
        if let Some(references) = references {
            if policy == Policy::Delete {
                references.for_each_pending(id, |group| self.acknowledge(group, id));
            } else if references.has(id) {
                return Outcome::Referenced;
            }
        }
        let is_there = stream.entry(id).is_some();
        if is_there {
            self.ids.push(id);
        }
        // What was pending counts, even if the entry went before.
        if is_there || group.is_some() {
            Outcome::Gone
        } else {
            Outcome::NotThere
        }
    }

    fn acknowledge(&mut self, group: &Group, id: StreamId) {
        match self.acknowledged.get_mut(group.name()) {
            Some(ids) => ids.push(id),
            None => drop(self.acknowledged.insert(group.name().to_vec(), vec![id])),
        }
    }

    /// Answers what came of each; one that is given again is no longer there.
    fn reply(&self, ids: &[StreamId], reply: &mut Reply) {
        let mut left = self.outcomes.clone();
        reply.array(ids.len());
        for id in ids {
            let outcome = match self.outcomes.get(&id.to_bytes()) {
                Some(Outcome::Referenced) if !self.of_group => Some(Outcome::Referenced),
                _ => left.remove(&id.to_bytes()),
            };
            reply.int(outcome.unwrap_or(Outcome::NotThere) as i64);
        }
    }

    fn apply(self, txn: &mut Txn<'_, '_>, key: &[u8]) {
        for (group, ids) in &self.acknowledged {
            let ids = packed_ids(ids);
            apply(txn, key, StreamOp::Acknowledge { group, ids: &ids });
        }
        if !self.ids.is_empty() {
            let ids = packed_ids(&self.ids);
            apply(txn, key, StreamOp::Delete { ids: &ids });
            txn.notify(Classes::STREAM, "xdel", key);
        }
    }
}
