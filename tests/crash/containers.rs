//! What crash clients do to hashes, lists, sets, sorted sets, streams and vector sets.
//!
//! **Invariant:** a container's content is told as lines, in its own order if it has one, else sorted: by [`Change`]
//! for what must be there, by [`read`] for what is.

use crate::args;
use crate::support::{Args, Conn, Rng, Value};

/// The types, as `TYPE` names them.
const KINDS: [&str; 6] = ["hash", "list", "set", "zset", "stream", "vectorset"];
/// Entries that a shortened stream keeps.
const STREAM_MAX: usize = 5;

/// A write to one container.
#[derive(Clone, Debug)]
pub struct Change {
    kind: &'static str,
    adds: bool,
    field: String,
    number: u64,
}

impl Change {
    /// A random one, and the key that it goes to.
    pub fn random(rng: &mut Rng, client: usize, number: u64) -> (String, Change) {
        let kind = *rng.pick(&KINDS);
        let change = Change {
            kind,
            adds: !rng.one_in(3),
            field: format!("f{}", rng.below(20)),
            number,
        };
        (format!("c{client}:{kind}"), change)
    }

    /// The command that does it.
    pub fn command(&self, key: &str) -> Args {
        let (field, number) = (&self.field, self.number.to_string());
        match (self.kind, self.adds) {
            ("hash", true) => args!["HSET", key, field, number],
            ("hash", false) => args!["HDEL", key, field],
            ("list", true) => args!["RPUSH", key, number],
            ("list", false) => args!["LPOP", key],
            ("set", true) => args!["SADD", key, field],
            ("set", false) => args!["SREM", key, field],
            ("zset", true) => args!["ZADD", key, number, field],
            ("zset", false) => args!["ZREM", key, field],
            ("vectorset", true) => {
                let (x, y) = (self.number % 97, self.number % 89);
                let (x, y) = (x.to_string(), y.to_string());
                args!["VADD", key, "VALUES", "2", x, y, field, "EF", "20", "SETATTR", number]
            }
            ("vectorset", false) => args!["VREM", key, field],
            (_, true) => args!["XADD", key, self.id(), field, number],
            (_, false) => args!["XTRIM", key, "MAXLEN", STREAM_MAX.to_string()],
        }
    }

    fn id(&self) -> String {
        format!("{}-1", self.number)
    }

    /// Does it to the lines of a container; returns the reply that the server must give.
    pub fn apply(&self, lines: &mut Vec<String>) -> Value {
        match self.kind {
            "list" => self.apply_to_list(lines),
            "stream" => self.apply_to_stream(lines),
            kind => {
                let line = match kind {
                    "set" => self.field.clone(),
                    _ => format!("{} {}", self.field, self.number),
                };
                let before = lines.len();
                lines.retain(|line| line.split(' ').next() != Some(&self.field));
                let was_there = before > lines.len();
                if self.adds {
                    lines.push(line);
                    lines.sort();
                }
                Value::Int((was_there != self.adds).into())
            }
        }
    }

    fn apply_to_list(&self, lines: &mut Vec<String>) -> Value {
        if self.adds {
            lines.push(self.number.to_string());
            return Value::Int(lines.len() as i64);
        }
        if lines.is_empty() {
            return Value::Null;
        }
        Value::bulk(lines.remove(0))
    }

    fn apply_to_stream(&self, lines: &mut Vec<String>) -> Value {
        if self.adds {
            lines.push(format!("{} {} {}", self.id(), self.field, self.number));
            return Value::bulk(self.id());
        }
        let gone = lines.len().saturating_sub(STREAM_MAX);
        lines.drain(..gone);
        Value::Int(gone as i64)
    }
}

/// The lines of the container `key` of type `kind`.
pub fn read(conn: &mut Conn, key: &str, kind: &str) -> Vec<String> {
    if kind == "vectorset" {
        return elements(conn, key);
    }
    let command = match kind {
        "hash" => args!["HGETALL", key],
        "list" => args!["LRANGE", key, "0", "-1"],
        "set" => args!["SMEMBERS", key],
        "zset" => args!["ZRANGE", key, "0", "-1", "WITHSCORES"],
        "stream" => args!["XRANGE", key, "-", "+"],
        other => panic!("{key} is of type {other}"),
    };
    let items = conn.call(&command).items();
    let mut lines: Vec<String> = match kind {
        "hash" | "zset" => items
            .chunks(2)
            .map(|pair| format!("{} {}", pair[0].text(), pair[1].text()))
            .collect(),
        "stream" => items.iter().map(entry).collect(),
        _ => items.iter().map(Value::text).collect(),
    };
    if kind != "list" && kind != "stream" {
        lines.sort();
    }
    lines
}

/// The elements of a vector set with their attributes, all of which a search finds.
fn elements(conn: &mut Conn, key: &str) -> Vec<String> {
    let names = conn.call(&args!["VRANGE", key, "-", "+"]).items();
    let found = conn.call(&args!["VSIM", key, "VALUES", "2", "1", "1", "COUNT", "100", "TRUTH"]);
    assert_eq!(
        found.sorted().items(),
        names,
        "what is found in {key} is not what is there"
    );
    let line = |name: &Value| {
        let attributes = conn.call(&args!["VGETATTR", key, name.text()]);
        format!("{} {}", name.text(), attributes.text())
    };
    names.iter().map(line).collect()
}

fn entry(entry: &Value) -> String {
    let parts = entry.items();
    let pair = parts[1].items();
    format!("{} {} {}", parts[0].text(), pair[0].text(), pair[1].text())
}
