//! The operations crash clients do, and what each does to the keys of its client.

use std::collections::BTreeMap;

use crate::args;
use crate::containers::Change;
use crate::support::{Args, Rng, Value};

/// A key's value (of a container, its lines) and whether it has a time to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: Vec<u8>,
    pub expires: bool,
}

/// The keys of one client.
pub type State = BTreeMap<String, Entry>;

/// A write. Values carry the client's sequence number, so that every state is different from every other.
#[derive(Clone, Debug)]
pub enum Op {
    Set(String, Vec<u8>),
    Incr(String),
    Append(String, Vec<u8>),
    SetRange(String, usize, Vec<u8>),
    Del(String),
    ExpireFar(String),
    Change(String, Change),
    Multi(Vec<Op>),
}

/// Seconds to live that no test outlives.
const FAR_S: &str = "100000";

impl Op {
    /// The commands that do it.
    pub fn commands(&self) -> Vec<Args> {
        match self {
            Op::Set(key, value) => vec![args!["SET", key, value]],
            Op::Incr(key) => vec![args!["INCR", key]],
            Op::Append(key, value) => vec![args!["APPEND", key, value]],
            Op::SetRange(key, at, value) => vec![args!["SETRANGE", key, at.to_string(), value]],
            Op::Del(key) => vec![args!["DEL", key]],
            Op::ExpireFar(key) => vec![args!["EXPIRE", key, FAR_S]],
            Op::Change(key, change) => vec![change.command(key)],
            Op::Multi(ops) => {
                let mut commands = vec![args!["MULTI"]];
                commands.extend(ops.iter().flat_map(Op::commands));
                commands.push(args!["EXEC"]);
                commands
            }
        }
    }

    /// Does it to `state`; returns the reply the server must give (of EXEC, for a group).
    pub fn apply(&self, state: &mut State) -> Value {
        match self {
            Op::Set(key, value) => {
                state.insert(
                    key.clone(),
                    Entry {
                        value: value.clone(),
                        expires: false,
                    },
                );
                Value::ok()
            }
            Op::Incr(key) => {
                let entry = entry(state, key);
                let text = String::from_utf8_lossy(&entry.value).into_owned();
                let number = text.parse::<i64>().unwrap_or(0) + 1;
                entry.value = number.to_string().into_bytes();
                Value::Int(number)
            }
            Op::Append(key, value) => {
                let entry = entry(state, key);
                entry.value.extend_from_slice(value);
                Value::Int(entry.value.len() as i64)
            }
            Op::SetRange(key, at, value) => {
                let entry = entry(state, key);
                let len = entry.value.len().max(at + value.len());
                entry.value.resize(len, 0);
                entry.value[*at..at + value.len()].copy_from_slice(value);
                Value::Int(len as i64)
            }
            Op::Del(key) => Value::Int(state.remove(key).is_some().into()),
            Op::ExpireFar(key) => match state.get_mut(key) {
                Some(entry) => {
                    entry.expires = true;
                    Value::Int(1)
                }
                None => Value::Int(0),
            },
            Op::Change(key, change) => {
                let entry = entry(state, key);
                let mut lines: Vec<String> = String::from_utf8_lossy(&entry.value)
                    .lines()
                    .map(str::to_owned)
                    .collect();
                let reply = change.apply(&mut lines);
                entry.value = lines.join("\n").into_bytes();
                if lines.is_empty() {
                    state.remove(key);
                }
                reply
            }
            Op::Multi(ops) => Value::Array(ops.iter().map(|op| op.apply(state)).collect()),
        }
    }

    /// A random write of client `client`; `sequence` makes it unlike any other.
    pub fn random(rng: &mut Rng, client: usize, sequence: u64) -> Op {
        if rng.one_in(6) {
            let ops = (0..2 + rng.below(4)).map(|n| Op::single(rng, client, sequence * 10 + n as u64));
            return Op::Multi(ops.collect());
        }
        Op::single(rng, client, sequence * 10)
    }

    fn single(rng: &mut Rng, client: usize, sequence: u64) -> Op {
        if rng.one_in(2) {
            let (key, change) = Change::random(rng, client, sequence);
            return Op::Change(key, change);
        }
        let key = |name: &str, n: usize| format!("c{client}:{name}{n}");
        let mut value = sequence.to_string().into_bytes();
        if rng.one_in(10) {
            value.resize(rng.below(5000) + value.len(), b'.');
        }
        match rng.below(10) {
            0..4 => Op::Set(key("set", rng.below(6)), value),
            4 | 5 => Op::Incr(key("counter", 0)),
            6 => Op::Append(key("append", rng.below(2)), value),
            7 => Op::SetRange(key("range", 0), rng.below(40), value),
            8 => Op::Del(key(["set", "append", "range"][rng.below(3)], rng.below(2))),
            _ => Op::ExpireFar(key(["set", "counter", "append"][rng.below(3)], rng.below(2))),
        }
    }
}

fn entry<'a>(state: &'a mut State, key: &str) -> &'a mut Entry {
    state.entry(key.to_string()).or_insert(Entry {
        value: Vec::new(),
        expires: false,
    })
}
