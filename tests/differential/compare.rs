//! What "the same reply" means: exact by default, looser where the answer depends on time, chance or the process.

use crate::similar;
use crate::support::{Args, Reply, Value};

/// How two replies are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Same value, same bytes (maps and sets: any order).
    Exact,
    /// The top-level array in any order.
    Unordered,
    /// Same type of reply only.
    Any,
    /// Errors that begin like Redis's, anything else exactly: `SELECT` of text that is no name either (D1).
    ErrorStart,
    /// Errors by their first word, anything else exactly.
    ErrorPrefix,
    /// Integers within a distance (negative ones exactly).
    Near(i64),
    /// `INFO`: readable, with every field that clients look at.
    Info,
    /// `CLIENT LIST` and `CLIENT INFO`: same fields in the same order, same values where they are not accidental.
    ClientFields,
    /// Rows of `XPENDING`, whose third column is how long ago something was, in milliseconds.
    Pending,
    /// A cursor and what was visited, in any order: `SSCAN` and its like, on what one call visits whole.
    Walk,
    /// Name-value pairs in any order: `CONFIG GET`, which in RESP2 follows a hash table's order.
    Pairs,
    /// An array whose odd elements (the values) are compared by type only: `MEMORY STATS`, `HELLO`.
    KeysOnly,
    /// An EXEC reply: its elements in the modes of the queued commands.
    Exec(Vec<Mode>),
    /// `OBJECT ENCODING` and `REFCOUNT`: LokiKV may not tell how a value came about (D11).
    Encoding,
    /// `DUMP`: payloads of the same value; ours have the version of Redis 7.0 where that is enough (D17).
    Payload,
    /// `HELP`: lines of text, about the command.
    Help,
    /// What `VSIM` found: for each element so many values; those that are as similar may come in any order.
    Found(usize),
    /// `VLINKS`, perhaps with scores: the neighbours on the lowest level.
    Links(bool),
    /// `VINFO`, but for what is chance.
    VectorInfo,
    /// Numbers that are made from floats.
    Close,
    /// Sent, read, not compared.
    Ignore,
}

/// The mode a command has unless a script says otherwise.
pub fn default_mode(args: &Args) -> Mode {
    let word = |n: usize| {
        args.get(n)
            .map(|a| String::from_utf8_lossy(a).to_uppercase())
            .unwrap_or_default()
    };
    match (word(0).as_str(), word(1).as_str()) {
        // Texts are each server's own.
        ("CLIENT" | "COMMAND" | "CONFIG" | "DEBUG" | "LATENCY" | "MEMORY" | "OBJECT" | "SLOWLOG", "HELP")
            if args.len() == 2 =>
        {
            Mode::Help
        }
        ("KEYS" | "SMEMBERS" | "HKEYS" | "HVALS" | "SDIFF" | "SINTER" | "SUNION", _) => Mode::Unordered,
        ("HGETALL", _) => Mode::Pairs,
        // Each server has cursors of its own, which may have spaces before them; both begin with 0.
        ("HSCAN" | "SSCAN" | "ZSCAN", _) if word(2).trim_start().parse().is_ok_and(|cursor: u64| cursor != 0) => {
            Mode::Any
        }
        ("HSCAN" | "SSCAN" | "ZSCAN", _) => Mode::Walk,
        ("XPENDING", _) => Mode::Pending,
        ("HRANDFIELD" | "SPOP" | "SRANDMEMBER" | "ZRANDMEMBER", _) => Mode::Any,
        ("SELECT", _) => Mode::ErrorStart,
        ("OBJECT", "ENCODING" | "REFCOUNT") => Mode::Encoding,
        ("TTL" | "EXPIRETIME" | "HTTL" | "HEXPIRETIME", _) => Mode::Near(10),
        ("PTTL" | "PEXPIRETIME" | "HPTTL" | "HPEXPIRETIME", _) => Mode::Near(10_000),
        // IDLETIME: integers that Redis shares among keys have an access clock in common.
        ("RANDOMKEY" | "TIME" | "LASTSAVE" | "LOLWUT" | "SCAN", _) => Mode::Any,
        ("CLIENT", "ID")
        | ("COMMAND", "COUNT")
        | ("MEMORY", "USAGE")
        | ("DEBUG", "OBJECT")
        | ("OBJECT", "FREQ" | "IDLETIME") => Mode::Any,
        ("CLIENT", "LIST" | "INFO") => Mode::ClientFields,
        ("INFO", _) => Mode::Info,
        ("HELLO", _) | ("MEMORY", "STATS") => Mode::KeysOnly,
        ("CONFIG", "GET") => Mode::Pairs,
        ("DUMP", _) => Mode::Payload,
        ("VSIM", _) => Mode::Found(similar::width(args)),
        ("VLINKS", _) => Mode::Links(args.len() == 4),
        ("VINFO", _) => Mode::VectorInfo,
        ("VEMB", _) => Mode::Close,
        ("VRANDMEMBER", _) => Mode::Any,
        _ => Mode::Exact,
    }
}

/// `Ok` if LokiKV's reply is as good as Redis's; `Err` says why not.
pub fn compare(mode: &Mode, redis: &Reply, loki: &Reply) -> Result<(), String> {
    if redis.raw == loki.raw || *mode == Mode::Ignore {
        return Ok(());
    }
    if let Err(why) = compare_values(mode, &redis.value, &loki.value) {
        let same = compare_values(mode, &in_fewest_digits(&redis.value), &in_fewest_digits(&loki.value));
        return same.map_err(|_| why);
    }
    let exact = matches!(
        mode,
        Mode::Exact | Mode::Unordered | Mode::ErrorPrefix | Mode::ErrorStart
    );
    let is_in_fewest_digits = in_fewest_digits(&redis.value) == redis.value;
    let same_bytes_expected =
        exact && !redis.value.is_error() && !redis.value.has_unordered_part() && is_in_fewest_digits;
    if same_bytes_expected && *mode != Mode::Unordered {
        return Err("equal values, but different bytes".into());
    }
    if redis.raw.first() != loki.raw.first() {
        return Err("different type bytes".into());
    }
    Ok(())
}

/// Shorter doubles are the same in both servers. Redis writes 17 digits where the fewest may be some less, once their
/// last ones are zeros (`52.792278817503`).
const DIGITS_MIN: usize = 10;

/// Equal but for how many digits a double is written in: Redis's are not always the fewest (D55).
pub fn same_but_digits(redis: &Value, loki: &Value) -> bool {
    redis == loki || in_fewest_digits(redis) == in_fewest_digits(loki)
}

fn in_fewest_digits(value: &Value) -> Value {
    let each = |items: &[Value]| items.iter().map(in_fewest_digits).collect();
    let text = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() > DIGITS_MIN)?;
        if text.parse::<i128>().is_ok_and(|number| i64::try_from(number).is_ok()) {
            return None;
        }
        let number: f64 = text.parse().ok()?;
        Some(format!("{number:e}"))
    };
    match value {
        Value::Bulk(bytes) => text(bytes).map_or_else(|| value.clone(), Value::bulk),
        Value::Double(digits) => text(digits.as_bytes()).map_or_else(|| value.clone(), Value::Double),
        Value::Array(items) => Value::Array(each(items)),
        Value::Set(items) => Value::Set(each(items)),
        Value::Map(pairs) => Value::Map(pairs.iter().map(|(k, v)| (k.clone(), in_fewest_digits(v))).collect()),
        _ => value.clone(),
    }
}

fn check(ok: bool, why: &str) -> Result<(), String> {
    if ok { Ok(()) } else { Err(why.into()) }
}

fn compare_values(mode: &Mode, redis: &Value, loki: &Value) -> Result<(), String> {
    // An error where the other has none, or another error, is a difference in every mode but these.
    if (redis.is_error() || loki.is_error())
        && !matches!(mode, Mode::ErrorPrefix | Mode::ErrorStart | Mode::Any | Mode::Ignore)
    {
        return check(redis == loki, "different errors");
    }
    match mode {
        Mode::Ignore => Ok(()),
        Mode::Exact => check(redis == loki, "different values"),
        Mode::Unordered => check(redis.sorted() == loki.sorted(), "different elements"),
        Mode::Any => check(redis.kind() == loki.kind(), "different types"),
        Mode::ErrorPrefix if redis.is_error() => {
            let first_word = |v: &Value| v.text().split(' ').next().unwrap_or_default().to_string();
            check(
                loki.is_error() && first_word(redis) == first_word(loki),
                "different error prefixes",
            )
        }
        Mode::ErrorStart if redis.is_error() => check(
            loki.is_error() && loki.text().starts_with(&redis.text()),
            "different errors",
        ),
        Mode::ErrorStart | Mode::ErrorPrefix => check(redis == loki, "different values"),
        Mode::Near(distance) => near(*distance, redis, loki),
        Mode::Info => info(redis, loki),
        Mode::ClientFields => client_fields(redis, loki),
        Mode::Pairs => {
            let sorted = |v: &Value| {
                let mut pairs = v.pairs();
                pairs.sort();
                pairs
            };
            check(
                redis.kind() == loki.kind() && sorted(redis) == sorted(loki),
                "different pairs",
            )
        }
        Mode::Pending => pending(redis, loki),
        Mode::Walk => {
            let sorted = |v: &Value| match v {
                Value::Array(parts) => parts.iter().map(Value::sorted).collect(),
                other => vec![other.clone()],
            };
            check(sorted(redis) == sorted(loki), "different elements or cursors")
        }
        Mode::KeysOnly => keys_only(redis, loki),
        Mode::Payload => payload(redis, loki),
        Mode::Help => help(redis, loki),
        Mode::Found(width) => check(similar::found(redis, loki, *width), "different elements or scores"),
        Mode::Links(with_scores) => check(similar::linked(redis, loki, *with_scores), "different neighbours"),
        Mode::VectorInfo => check(similar::described(redis, loki), "different descriptions"),
        Mode::Close => check(similar::is_close(redis, loki), "different numbers"),
        Mode::Encoding => check(same_encoding(redis, loki), "different encodings"),
        Mode::Exec(modes) => exec(modes, redis, loki),
    }
}

/// `OBJECT REFCOUNT` of the small integers that Redis shares.
const SHARED: i64 = i32::MAX as i64;

/// Whether `OBJECT ENCODING` or `REFCOUNT` agree, apart from D11.
pub fn same_encoding(redis: &Value, loki: &Value) -> bool {
    let is_of_its_past = match (redis.text().as_str(), loki.text().as_str()) {
        ("embstr" | "raw", "int") | ("raw", "embstr") => true,
        ("hashtable" | "quicklist" | "skiplist" | "listpackex", "listpack") | ("hashtable", "listpackex") => true,
        // Redis counts the arguments that a transaction's queue holds as well.
        _ => {
            redis.int().is_some_and(|count| (1..100).contains(&count)) && [Some(1), Some(SHARED)].contains(&loki.int())
        }
    };
    redis == loki || is_of_its_past
}

/// Both servers are asked one after the other, and did what a row tells of one after the other.
const IDLE_DISTANCE_MS: i64 = 10_000;

fn pending(redis: &Value, loki: &Value) -> Result<(), String> {
    let (Value::Array(rows), Value::Array(others)) = (redis, loki) else {
        return check(redis == loki, "different values");
    };
    check(rows.len() == others.len(), "different numbers of rows")?;
    for (row, other) in rows.iter().zip(others) {
        match (row, other) {
            (Value::Array(row), Value::Array(other)) if row.len() == 4 && other.len() == 4 => {
                near(IDLE_DISTANCE_MS, &row[2], &other[2])?;
                check(row[..2] == other[..2] && row[3] == other[3], "different rows")?;
            }
            _ => check(row == other, "different values")?,
        }
    }
    Ok(())
}

fn near(distance: i64, redis: &Value, loki: &Value) -> Result<(), String> {
    if let (Value::Array(redis), Value::Array(loki)) = (redis, loki) {
        check(redis.len() == loki.len(), "different numbers of values")?;
        return redis.iter().zip(loki).try_for_each(|(a, b)| near(distance, a, b));
    }
    match (redis.int(), loki.int()) {
        (Some(a), Some(b)) if a >= 0 && b >= 0 => check(a.abs_diff(b) <= distance as u64, "too far apart"),
        _ => check(redis == loki, "different values"),
    }
}

fn exec(modes: &[Mode], redis: &Value, loki: &Value) -> Result<(), String> {
    let (Value::Array(a), Value::Array(b)) = (redis, loki) else {
        return check(redis == loki, "different values");
    };
    check(a.len() == b.len(), "different numbers of replies in EXEC")?;
    for (n, (a, b)) in a.iter().zip(b).enumerate() {
        let mode = modes.get(n).unwrap_or(&Mode::Exact);
        compare_values(mode, a, b).map_err(|why| format!("in EXEC, reply {n}: {why}: {a} and {b}"))?;
    }
    Ok(())
}

fn keys_only(redis: &Value, loki: &Value) -> Result<(), String> {
    let shape = |v: &Value| v.pairs().into_iter().map(|(k, v)| (k, v.kind())).collect::<Vec<_>>();
    let (redis, loki) = (shape(redis), shape(loki));
    check(redis == loki, &format!("different keys: {redis:?} and {loki:?}"))
}

/// Version and checksum at the end of a payload.
const FOOTER_BYTES: usize = 10;

fn payload(redis: &Value, loki: &Value) -> Result<(), String> {
    let body = |payload: &Value| {
        let bytes = payload.bytes()?;
        bytes.get(..bytes.len().checked_sub(FOOTER_BYTES)?).map(<[u8]>::to_vec)
    };
    match (body(redis), body(loki)) {
        (Some(redis), Some(loki)) => check(redis == loki, "different payloads"),
        _ => check(redis == loki, "different values"),
    }
}

fn help(redis: &Value, loki: &Value) -> Result<(), String> {
    let (Value::Array(redis), Value::Array(loki)) = (redis, loki) else {
        return check(redis == loki, "different types");
    };
    let lines = loki.iter().all(|line| matches!(line, Value::Simple(_)));
    check(lines && redis.first() == loki.first(), "not a help text")
}

/// What monitoring and client libraries read from INFO; each is asked for only if Redis's reply has it.
const INFO_FIELDS: &[&str] = &[
    "redis_version",
    "redis_mode",
    "os",
    "arch_bits",
    "process_id",
    "run_id",
    "tcp_port",
    "uptime_in_seconds",
    "uptime_in_days",
    "hz",
    "executable",
    "config_file",
    "connected_clients",
    "maxclients",
    "blocked_clients",
    "used_memory",
    "used_memory_human",
    "used_memory_rss",
    "used_memory_peak",
    "used_memory_peak_human",
    "maxmemory",
    "maxmemory_human",
    "maxmemory_policy",
    "mem_fragmentation_ratio",
    "mem_allocator",
    "loading",
    "rdb_changes_since_last_save",
    "rdb_bgsave_in_progress",
    "rdb_last_save_time",
    "rdb_last_bgsave_status",
    "aof_enabled",
    "aof_rewrite_in_progress",
    "total_connections_received",
    "total_commands_processed",
    "instantaneous_ops_per_sec",
    "total_net_input_bytes",
    "total_net_output_bytes",
    "rejected_connections",
    "expired_keys",
    "evicted_keys",
    "keyspace_hits",
    "keyspace_misses",
    "pubsub_channels",
    "pubsub_patterns",
    "total_error_replies",
    "role",
    "connected_slaves",
    "master_replid",
    "master_repl_offset",
    "used_cpu_sys",
    "used_cpu_user",
    "cluster_enabled",
];

fn info(redis: &Value, loki: &Value) -> Result<(), String> {
    check(redis.kind() == loki.kind(), "different types")?;
    let (redis, loki) = (redis.text(), loki.text());
    let field = |text: &str, name: &str| {
        text.split("\r\n")
            .any(|l| l.split_once(':').is_some_and(|(k, _)| k == name))
    };
    let bad_line = loki
        .split("\r\n")
        .find(|l| !l.is_empty() && !l.starts_with("# ") && !l.contains(':'));
    check(
        bad_line.is_none(),
        &format!("a line that is neither a section nor field:value: {bad_line:?}"),
    )?;
    let missing: Vec<_> = INFO_FIELDS
        .iter()
        .filter(|f| field(&redis, f) && !field(&loki, f))
        .collect();
    check(missing.is_empty(), &format!("INFO fields missing: {missing:?}"))?;
    let keyspace = |text: &str| {
        let dbs = text.split("\r\n").filter(|l| l.starts_with("db"));
        dbs.map(|l| l.split(",avg_ttl").next().unwrap_or_default().to_string())
            .collect::<Vec<_>>()
    };
    check(keyspace(&redis) == keyspace(&loki), "different keyspace sections")
}

/// Fields of `CLIENT LIST` whose values follow from what the client did.
const CLIENT_VALUES: &[&str] = &[
    "name", "flags", "db", "sub", "psub", "ssub", "multi", "cmd", "user", "redir", "resp",
];

fn client_fields(redis: &Value, loki: &Value) -> Result<(), String> {
    check(redis.kind() == loki.kind(), "different types")?;
    let lines = |v: &Value| v.text().lines().map(str::to_string).collect::<Vec<_>>();
    let (redis, loki) = (lines(redis), lines(loki));
    check(redis.len() == loki.len(), "different numbers of clients")?;
    for (a, b) in redis.iter().zip(&loki) {
        let fields = |line: &str| {
            let words = line.split(' ').map(|w| w.split_once('=').unwrap_or((w, "")));
            words.map(|(k, v)| (k.to_string(), v.to_string())).collect::<Vec<_>>()
        };
        let (a, b) = (fields(a), fields(b));
        // Ours are those of Redis 8.2: the old ones are among them, in the same order.
        let mut ours = b.iter().map(|(name, _)| name);
        let are_there = a.iter().all(|(name, _)| ours.any(|own| own == name));
        check(are_there, "different client fields")?;
        for (name, theirs) in a.iter().filter(|(name, _)| CLIENT_VALUES.contains(&name.as_str())) {
            let ours = b.iter().find(|(own, _)| own == name).map(|(_, value)| value);
            check(
                ours == Some(theirs),
                &format!("client field {name}: {theirs} and {ours:?}"),
            )?;
        }
    }
    Ok(())
}
