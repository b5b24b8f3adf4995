//! What a writer does, by number, and what its keys hold after that.
//!
//! **Invariants**
//! - An operation depends on the seed, its writer and its number alone, so a history needs no memory.
//! - Every value tells the number that it was written under.
//! - A [`Model`] says which operations change nothing: those have no record in the log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::args;
use crate::support::{Args, Rng, Value};

/// Bytes of a piece of the long text.
pub const SLOT_BYTES: usize = 64;
const SLOTS: usize = 3000;
const FIELDS: usize = 1200;
const KEYS: usize = 200;
const ELEMENTS: usize = 40;
const STREAM_MAX: usize = 200;
/// Long after any test.
pub const EXPIRY_MS: u64 = 4_000_000_000_000;

/// One change.
#[derive(Clone, Copy, Debug)]
enum Step {
    Put { key: u64, expires: bool },
    Delete { key: u64 },
    Slot { at: u64 },
    Count,
    SetField { field: u64 },
    RemoveField { field: u64 },
    CopyHash,
    RenameCopy,
    Push { list: usize },
    Pop { list: usize },
    MoveItem,
    AddMember { member: u64 },
    RemoveMember { set: usize, member: u64 },
    MoveMember { member: u64 },
    Score { member: u64 },
    RemoveScore { member: u64 },
    AddEntry,
    TrimEntries,
    AddElement { element: u64 },
    RemoveElement { element: u64 },
}

impl Step {
    fn random(rng: &mut Rng) -> Self {
        let member = rng.below(FIELDS) as u64;
        let element = rng.below(ELEMENTS) as u64;
        let list = rng.below(2);
        match rng.below(100) {
            0..14 => Self::Put {
                key: rng.below(KEYS) as u64,
                expires: rng.one_in(5),
            },
            14..17 => Self::Delete {
                key: rng.below(KEYS) as u64,
            },
            17..29 => Self::Slot {
                at: rng.below(SLOTS) as u64,
            },
            29..33 => Self::Count,
            33..46 => Self::SetField { field: member },
            46..50 => Self::RemoveField { field: member },
            50 if rng.one_in(10) => Self::CopyHash,
            50 if rng.one_in(10) => Self::RenameCopy,
            51..58 => Self::Push { list },
            58..65 => Self::Pop { list },
            65..67 => Self::MoveItem,
            67..75 => Self::AddMember { member },
            75..78 => Self::RemoveMember {
                set: rng.below(2),
                member,
            },
            78..80 => Self::MoveMember { member },
            80..88 => Self::Score { member },
            88..91 => Self::RemoveScore { member },
            91..97 => Self::AddEntry,
            97 => Self::TrimEntries,
            98 if rng.one_in(2) => Self::AddElement { element },
            99 if rng.one_in(4) => Self::RemoveElement { element },
            _ => Self::Count,
        }
    }

    fn command(self, writer: usize, number: u64) -> Args {
        let key = |name: &str| format!("w{writer}:{name}");
        let (list, other) = (key("list0"), key("list1"));
        let lists = [&list, &other];
        match self {
            Self::Put {
                key: at,
                expires: false,
            } => args!["SET", key(&format!("key{at}")), text(number)],
            Self::Put { key: at, expires: true } => {
                let expiry = (EXPIRY_MS + number).to_string();
                args!["SET", key(&format!("key{at}")), text(number), "PXAT", expiry]
            }
            Self::Delete { key: at } => args!["DEL", key(&format!("key{at}"))],
            Self::Slot { at } => {
                let offset = (at as usize * SLOT_BYTES).to_string();
                args!["SETRANGE", key("text"), offset, slot(number)]
            }
            Self::Count => args!["INCR", key("count")],
            Self::SetField { field } => args!["HSET", key("hash0"), field.to_string(), text(number)],
            Self::RemoveField { field } => args!["HDEL", key("hash0"), field.to_string()],
            Self::CopyHash => args!["COPY", key("hash0"), key("hash1"), "REPLACE"],
            Self::RenameCopy => args!["RENAME", key("hash1"), key("hash2")],
            Self::Push { list } => args!["RPUSH", lists[list], text(number)],
            Self::Pop { list } => args!["LPOP", lists[list]],
            Self::MoveItem => args!["LMOVE", list, other, "LEFT", "RIGHT"],
            Self::AddMember { member: at } => args!["SADD", key("set0"), member(at)],
            Self::RemoveMember { set, member: at } => args!["SREM", key(&format!("set{set}")), member(at)],
            Self::MoveMember { member: at } => args!["SMOVE", key("set0"), key("set1"), member(at)],
            Self::Score { member: at } => args!["ZADD", key("scores"), number.to_string(), member(at)],
            Self::RemoveScore { member: at } => args!["ZREM", key("scores"), member(at)],
            Self::AddEntry => args!["XADD", key("stream"), format!("{number}-1"), "text", text(number)],
            Self::TrimEntries => args!["XTRIM", key("stream"), "MAXLEN", STREAM_MAX.to_string()],
            Self::AddElement { element } => {
                let (x, y) = ((number % 97).to_string(), (number % 89).to_string());
                let (element, number) = (element.to_string(), number.to_string());
                args![
                    "VADD",
                    key("vectors"),
                    "VALUES",
                    "2",
                    x,
                    y,
                    element,
                    "EF",
                    "8",
                    "SETATTR",
                    number
                ]
            }
            Self::RemoveElement { element } => args!["VREM", key("vectors"), element.to_string()],
        }
    }
}

/// A name of a member that makes large sets of few of them.
pub fn member(at: u64) -> String {
    format!("{at}:{}", "m".repeat(60))
}

/// The value that is written under a number.
pub fn text(number: u64) -> String {
    let len = match number % 4001 {
        0 => 30_000,
        rest => [8, 30, 80, 160][rest as usize % 4],
    };
    format!("{number}:{}", "x".repeat(len))
}

/// The piece of the long text that is written under a number.
pub fn slot(number: u64) -> String {
    format!("{number:<SLOT_BYTES$}")
}

/// An operation: one command, or a transaction, which sets the mark of its writer to the operation's number.
#[derive(Clone, Debug)]
pub struct Op {
    writer: usize,
    number: u64,
    steps: Vec<Step>,
    pub is_marked: bool,
}

impl Op {
    pub fn new(seed: u64, writer: usize, number: u64) -> Self {
        let mut rng = Rng::new(seed ^ ((writer as u64) << 56) ^ number.wrapping_mul(0x9E37_79B9));
        let is_marked = rng.one_in(4);
        let count = if is_marked { 1 + rng.below(3) } else { 1 };
        Self {
            writer,
            number,
            steps: (0..count).map(|_| Step::random(&mut rng)).collect(),
            is_marked,
        }
    }

    fn numbered(&self) -> impl Iterator<Item = (u64, Step)> {
        let first = self.number * 4;
        (first..).zip(self.steps.iter().copied())
    }

    /// How many changes it is.
    pub fn writes(&self) -> u64 {
        self.steps.len() as u64 + u64::from(self.is_marked)
    }

    pub fn commands(&self) -> Vec<Args> {
        let writer = self.writer;
        let mut commands: Vec<Args> = self
            .numbered()
            .map(|(number, step)| step.command(writer, number))
            .collect();
        if self.is_marked {
            commands.push(args!["SET", format!("w{writer}:mark"), self.number.to_string()]);
            commands.insert(0, args!["MULTI"]);
            commands.push(args!["EXEC"]);
        }
        commands
    }

    /// Does it: the reply (of `EXEC`, for a transaction), and whether there is a record of it.
    pub fn apply(&self, model: &mut Model) -> (Value, bool) {
        let mut changes = self.is_marked;
        let mut replies = Vec::new();
        for (number, step) in self.numbered() {
            let (reply, has_changed) = model.apply(step, number);
            changes |= has_changed;
            replies.push(reply);
        }
        if !self.is_marked {
            return (replies.remove(0), changes);
        }
        model.mark = self.number;
        replies.push(Value::ok());
        (Value::Array(replies), true)
    }
}

/// All keys of a writer. Values are the numbers that they were written under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub mark: u64,
    /// And whether it expires.
    pub keys: BTreeMap<u64, (u64, bool)>,
    pub slots: BTreeMap<u64, u64>,
    pub count: u64,
    pub hashes: [BTreeMap<u64, u64>; 3],
    pub lists: [VecDeque<u64>; 2],
    pub sets: [BTreeSet<u64>; 2],
    pub scores: BTreeMap<u64, u64>,
    pub entries: VecDeque<u64>,
    pub elements: BTreeMap<u64, u64>,
}

impl Model {
    /// The reply, and whether anything is otherwise now.
    fn apply(&mut self, step: Step, number: u64) -> (Value, bool) {
        let told = |changed: bool| (Value::Int(changed.into()), changed);
        match step {
            Step::Put { key, expires } => {
                self.keys.insert(key, (number, expires));
                (Value::ok(), true)
            }
            Step::Delete { key } => told(self.keys.remove(&key).is_some()),
            Step::Slot { at } => {
                self.slots.insert(at, number);
                let last = self.slots.last_key_value().map_or(0, |(at, _)| *at);
                (Value::Int((last as i64 + 1) * SLOT_BYTES as i64), true)
            }
            Step::Count => {
                self.count += 1;
                (Value::Int(self.count as i64), true)
            }
            Step::SetField { field } => {
                let is_new = self.hashes[0].insert(field, number).is_none();
                (Value::Int(is_new.into()), true)
            }
            Step::RemoveField { field } => told(self.hashes[0].remove(&field).is_some()),
            Step::CopyHash => {
                let is_there = !self.hashes[0].is_empty();
                if is_there {
                    self.hashes[1] = self.hashes[0].clone();
                }
                told(is_there)
            }
            Step::RenameCopy if self.hashes[1].is_empty() => (Value::Error(b"ERR no such key".to_vec()), false),
            Step::RenameCopy => {
                self.hashes[2] = std::mem::take(&mut self.hashes[1]);
                (Value::ok(), true)
            }
            Step::Score { member } => {
                let is_new = self.scores.insert(member, number).is_none();
                (Value::Int(is_new.into()), true)
            }
            Step::RemoveScore { member } => told(self.scores.remove(&member).is_some()),
            Step::AddElement { element } => {
                let is_new = self.elements.insert(element, number).is_none();
                (Value::Int(is_new.into()), true)
            }
            Step::RemoveElement { element } => told(self.elements.remove(&element).is_some()),
            Step::AddMember { member } => told(self.sets[0].insert(member)),
            Step::RemoveMember { set, member } => told(self.sets[set].remove(&member)),
            Step::MoveMember { member } => {
                let was_there = self.sets[0].remove(&member);
                if was_there {
                    self.sets[1].insert(member);
                }
                told(was_there)
            }
            step => self.apply_in_order(step, number),
        }
    }

    fn apply_in_order(&mut self, step: Step, number: u64) -> (Value, bool) {
        let item = |item: Option<u64>| match item {
            Some(number) => (Value::bulk(text(number)), true),
            None => (Value::Null, false),
        };
        match step {
            Step::Push { list } => {
                self.lists[list].push_back(number);
                (Value::Int(self.lists[list].len() as i64), true)
            }
            Step::Pop { list } => item(self.lists[list].pop_front()),
            Step::MoveItem => {
                let moved = self.lists[0].pop_front();
                self.lists[1].extend(moved);
                item(moved)
            }
            Step::AddEntry => {
                self.entries.push_back(number);
                (Value::bulk(format!("{number}-1")), true)
            }
            Step::TrimEntries => {
                let gone = self.entries.len().saturating_sub(STREAM_MAX);
                self.entries.drain(..gone);
                (Value::Int(gone as i64), gone > 0)
            }
            other => unreachable!("{other:?} has no order"),
        }
    }

    /// Which parts differ, and how.
    pub fn differences(&self, found: &Self) -> String {
        let mut lines = Vec::new();
        macro_rules! compare {
            ($($part:ident)+) => {
                $(if self.$part != found.$part {
                    lines.push(format!("{}: {:?} was to be {:?}", stringify!($part), found.$part, self.$part));
                })+
            };
        }
        compare!(mark keys slots count hashes lists sets scores entries elements);
        lines.join("\n")
    }
}
