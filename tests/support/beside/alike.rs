//! When two outcomes of a step are the same.
//!
//! **Invariants**
//! - What is sent, in which form, and in which order on each connection has to be equal.
//! - Left to chance: the order of a message's copies for several patterns, that of the names when all are unsubscribed
//!   from at once, that of listed channels, that of the notices which one command leads to; whether a client is told of
//!   its own flush before or after that is answered; the last lines of MONITOR before a connection is closed; and what
//!   tells of the program. Of MONITOR's lines the time and the address, of the slow log's entries numbers, times and
//!   addresses.

use std::collections::{BTreeMap, BTreeSet};

use super::side::{Came, Outcome, Step};
use crate::support::{Args, Reply, Value, text};

const ALL_IS_STALE: &str = "all is stale";
const CLOSED: &str = "closed";

/// `Err` says what is not.
pub fn compare(step: &Step, redis: &Outcome, loki: &Outcome) -> Result<(), String> {
    let (redis, loki) = (normal(step, redis), normal(step, loki));
    if redis == loki {
        return Ok(());
    }
    Err(format!("   redis: {redis:?}\n   loki:  {loki:?}\n"))
}

/// The connections on which not the same came.
pub fn differing(step: &Step, redis: &Outcome, loki: &Outcome) -> BTreeSet<char> {
    let (redis, loki) = (normal(step, redis), normal(step, loki));
    let names = redis.keys().chain(loki.keys()).copied();
    names.filter(|name| redis.get(name) != loki.get(name)).collect()
}

/// What came on each connection, as it is compared.
fn normal(step: &Step, outcome: &Outcome) -> BTreeMap<char, Vec<String>> {
    let on_each = outcome.iter();
    on_each
        .map(|(name, came)| (*name, shown(came, (*name == step.name).then_some(step))))
        .collect()
}

/// What came, as it is compared. `acted`: on the connection that this step was on.
fn shown(came: &[Came], acted: Option<&Step>) -> Vec<String> {
    let mut rows: Vec<(String, String)> = came.iter().map(|came| row(came, acted)).collect();
    // Whether who is killed is still shown what comes with the request that does so is chance.
    if rows.last().is_some_and(|(_, row)| row == CLOSED) {
        rows.pop();
        while rows.pop_if(|(_, row)| row.starts_with("line [")).is_some() {}
        rows.push((String::new(), CLOSED.to_owned()));
    }
    let flushes = acted.is_some_and(|step| {
        step.commands
            .iter()
            .any(|args| is(args, "flushall") || is(args, "flushdb"))
    });
    // Redis has some of its own flushes answered in the background.
    for from in 1..rows.len() {
        let mut at = from;
        let is_about_all = |row: &str| row == ALL_IS_STALE || flushes && row.contains("tracking-redir-broken");
        while at > 0 && is_about_all(&rows[at].1) && rows[at - 1].1.contains("+OK") {
            rows.swap(at - 1, at);
            at -= 1;
        }
    }
    // Rows of a group may come in any order.
    let mut from = 0;
    while from < rows.len() {
        let group = rows[from].0.clone();
        let len = rows[from..].iter().take_while(|(other, _)| *other == group).count();
        if !group.is_empty() {
            rows[from..from + len].sort();
        }
        from += len;
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The group that a row belongs to, if any, and the row.
fn row(came: &Came, acted: Option<&Step>) -> (String, String) {
    let Came::Reply(reply) = came else {
        return (String::new(), CLOSED.to_owned());
    };
    let raw = || text::quote(&reply.raw);
    if let Some(line) = monitor_line(&reply.raw) {
        return (String::new(), line);
    }
    let items = reply.value.items();
    // Each server has a help of its own.
    if let Some(Value::Simple(first)) = items.first()
        && first.ends_with(b"Subcommands are:")
    {
        return (String::new(), text::quote(first));
    }
    let word = items.first().map(Value::text).unwrap_or_default();
    match word.as_str() {
        // Redis writes null in the protocol of who is told elsewhere, not of who reads it.
        _ if is_notice_of_all(reply) => return (String::new(), ALL_IS_STALE.to_owned()),
        "message" | "pmessage" => {
            let payload = items.last().map(Value::text).unwrap_or_default();
            return (format!("message {payload}"), raw());
        }
        "invalidate" => return (word, raw()),
        // Which name goes first is chance, and with it how many are left at each.
        "unsubscribe" | "punsubscribe" | "sunsubscribe" if is_all(acted) => {
            let is_part_of_reply = acted.is_some_and(|step| step.commands.iter().any(|args| is(args, "exec")));
            // The first of them is in EXEC's reply.
            let name = items.get(1).filter(|_| !is_part_of_reply).map(Value::text);
            return (word.clone(), format!("{word} {}", name.unwrap_or_default()));
        }
        _ => {}
    }
    let commands = acted.map(|step| step.commands.as_slice()).unwrap_or_default();
    let may_vary = ["PUBSUB", "CLIENT", "EXEC", "HELLO", "INFO", "SLOWLOG"];
    let of_such = commands.iter().any(|args| may_vary.iter().any(|name| is(args, name)));
    // What is gathered later may be of any command.
    let looks_so = are_names(&reply.value) || reply.value.text().starts_with("id=");
    if of_such || looks_so || acted.is_none() {
        let kind = reply.raw.first().copied().unwrap_or(0) as char;
        return (String::new(), format!("{kind} {}", canonical(&reply.value)));
    }
    (String::new(), raw())
}

/// A reply without what is left to chance in it or in its parts.
fn canonical(value: &Value) -> String {
    let text = value.text();
    if text.starts_with("id=") {
        return client_fields(&text);
    }
    if text.contains("tracking_") {
        let lines = text.lines().filter(|line| line.starts_with("tracking_"));
        return lines.collect::<Vec<_>>().join("; ");
    }
    if text.contains("cmdstat_") {
        // Their order is that of a hash table.
        let mut lines: Vec<String> = text.lines().map(without_times).collect();
        lines.sort();
        return lines.join("; ");
    }
    let first = value.items().first().map(Value::text).unwrap_or_default();
    if first.ends_with("unsubscribe") {
        return first;
    }
    if let Some(entry) = slow_entry(value) {
        return entry;
    }
    if value.field("role").is_some() {
        return "about the program".to_owned();
    }
    let mut items: Vec<String> = value.items().iter().map(canonical).collect();
    if are_names(value) {
        items.sort();
    }
    match items.is_empty() {
        true => value.to_string(),
        false => format!("{items:?}"),
    }
}

/// A line of `INFO commandstats` without the times.
fn without_times(line: &str) -> String {
    let fields = line.split(',').filter(|field| !field.contains("usec"));
    fields.collect::<Vec<_>>().join(",")
}

/// A line of MONITOR without its time and the client's port.
fn monitor_line(raw: &[u8]) -> Option<String> {
    let line = raw.strip_prefix(b"+")?;
    let (time, rest) = line.split_at(line.iter().position(|byte| *byte == b' ')?);
    let is_time = time.len() > 10 && time.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let rest = rest.strip_prefix(b" [").filter(|_| is_time)?;
    let (head, args) = rest.split_at(rest.iter().position(|byte| *byte == b']')?);
    let head = String::from_utf8_lossy(head);
    let database = head.split(' ').next()?;
    Some(format!("line [{database}{}", text::quote(args)))
}

/// Slow log entries were made after this, Unix seconds: it tells them from EXEC's replies.
const SLOW_SINCE_S: i64 = 1_000_000_000;

/// An entry of the slow log: its arguments and the client's name.
fn slow_entry(value: &Value) -> Option<String> {
    match value.items().as_slice() {
        [
            Value::Int(_),
            Value::Int(SLOW_SINCE_S..),
            Value::Int(_),
            args @ Value::Array(_),
            _,
            name,
        ] => Some(format!("{args} by {name}")),
        _ => None,
    }
}

/// Whether a client is told that nothing it caches is to be believed.
fn is_notice_of_all(reply: &Reply) -> bool {
    let begins = [
        &b">2\r\n$10\r\ninvalidate\r\n"[..],
        b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n",
    ];
    let of_what = begins.iter().find_map(|begin| reply.raw.strip_prefix(*begin));
    matches!(of_what, Some(b"_\r\n" | b"$-1\r\n"))
}

fn are_names(value: &Value) -> bool {
    matches!(value, Value::Array(items) if items.iter().all(|item| matches!(item, Value::Bulk(_))))
}

fn is(args: &Args, name: &str) -> bool {
    args[0].eq_ignore_ascii_case(name.as_bytes())
}

/// Whether the step may have ended all subscriptions at once; so may one whose outcome is gathered later.
fn is_all(acted: Option<&Step>) -> bool {
    let Some(step) = acted else { return true };
    let ends = |args: &Args| args.len() == 1 && args[0].to_ascii_lowercase().ends_with(b"unsubscribe");
    let mut commands = step.commands.iter();
    commands.any(|args| ends(args) || is(args, "exec"))
}

/// The lines of `CLIENT LIST`: all fields in order, with their values where those do not tell of the program or the
/// time.
fn client_fields(lines: &str) -> String {
    const FIELDS: [&str; 14] = [
        "name", "flags", "db", "sub", "psub", "ssub", "multi", "watch", "user", "redir", "resp", "lib-name", "lib-ver",
        "cmd",
    ];
    let of_line = |line: &str| {
        let fields = line.split(' ').map(|field| {
            let name = field.split('=').next().unwrap_or_default();
            if FIELDS.contains(&name) { field } else { name }
        });
        fields.collect::<Vec<_>>().join(" ")
    };
    lines.lines().map(of_line).collect::<Vec<_>>().join("; ")
}
