//! CONFIG GET, SET and REWRITE as a client sees them.

use crate::metrics::command_log::LogKind;
use std::fs;

use super::*;
use crate::config::load;

/// A matcher that knows `*` only.
fn star(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| star(rest, &text[skip..])),
        Some((byte, rest)) => text.first() == Some(byte) && star(rest, &text[1..]),
    }
}

fn params() -> Params {
    Params::new(Loaded {
        config: Config::default(),
        file: None,
    })
}

fn get(params: &Params, patterns: &[&str]) -> Vec<(String, String)> {
    let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
    params.get(&patterns, star)
}

fn value(params: &Params, name: &str) -> String {
    get(params, &[name]).pop().unwrap().1
}

fn set(params: &Params, pairs: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    Ok(params
        .set(&pairs, |_, _| Ok(()))
        .map_err(|error| error.to_string())?
        .into_iter()
        .map(|changed| changed.key)
        .collect())
}

#[test]
fn get_by_name_and_pattern() {
    let params = params();
    let names = |patterns: &[&str]| {
        get(&params, patterns)
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&["MAXMEMORY"]), ["MAXMEMORY"]);
    assert_eq!(
        names(&["MaxMem*", "maxmemory", "nosuch"]),
        [
            "maxmemory",
            "maxmemory-clients",
            "maxmemory-eviction-tenacity",
            "maxmemory-policy",
            "maxmemory-samples"
        ]
    );
    assert_eq!(names(&["slowlog.*"]), ["slowlog.log_slower_than_us", "slowlog.max_len"]);
    assert_eq!(
        get(&params, &["save", "appendonly"]),
        [
            ("save".to_owned(), "300 1".to_owned()),
            ("appendonly".to_owned(), "yes".to_owned())
        ]
    );
    let all = names(&["*", "*"]);
    assert_eq!(all.len(), table::PARAMS.len() + idle::IDLE.len());
    // Users are told of by ACL alone.
    assert_eq!(names(&["*.*"]).len(), DEFAULTS.len() - 1);
    assert_eq!(
        names(&["acl.*", "acl.users"]),
        ["acl.file", "acl.log_len_max", "acl.pubsub_default"]
    );
    assert!(all.iter().all(|name| *name == name.to_ascii_lowercase()));
}

#[test]
fn set_reaches_live_and_tells_what_changed() {
    let params = params();
    assert_eq!(
        set(
            &params,
            &[
                ("MAXMEMORY", "1kb"),
                ("slowlog.log_slower_than_us", "5"),
                ("timeout", "0")
            ]
        )
        .unwrap(),
        ["memory.max_bytes", "slowlog.log_slower_than_us"]
    );
    assert_eq!(params.live().maxmemory(), 1024);
    assert_eq!(params.live().log_threshold(LogKind::Slow), 5);
    assert_eq!(params.config().memory.max_bytes, 1024);
    assert_eq!(value(&params, "memory.max_bytes"), "1024");
    let changed = params.set(&[(b"requirepass", b"secret")], |_, _| Ok(())).unwrap();
    assert_eq!(
        changed,
        [ChangedKey {
            key: "server.requirepass".to_owned(),
            value: "(hidden)".to_owned()
        }]
    );
    assert_eq!(params.config().server.requirepass, "secret");
}

#[test]
fn every_mutable_parameter_takes_its_own_value() {
    let params = params();
    for (name, kind) in all_names().filter(|(_, name)| name.refusal().is_none()) {
        let own = value(&params, name);
        assert_eq!(set(&params, &[(name, &own)]), Ok(vec![]), "{kind:?}");
    }
}

#[test]
fn save_points_stay_as_they_were_given() {
    let params = params();
    set(&params, &[("save", "900 1 60 1000")]).unwrap();
    assert_eq!(value(&params, "save"), "900 1 60 1000");
    assert_eq!(value(&params, "checkpoint.interval_s"), "60");
    set(&params, &[("checkpoint.interval_s", "120")]).unwrap();
    assert_eq!(value(&params, "save"), "120 1");
    set(&params, &[("save", "")]).unwrap();
    assert_eq!(value(&params, "save"), "");
    assert_eq!(value(&params, "checkpoint.interval_s"), "0");
}

#[test]
fn refusals_are_those_of_redis() {
    let failed =
        |name: &str, why: &str| format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}");
    let immutable = "can't set immutable config";
    let unknown = |name: &str| format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'");
    let params = params();
    let cases: [(&[(&str, &str)], String); 18] = [
        (&[("XyZ", "1")], unknown("XyZ")),
        (
            &[("maxmemory", "abc")],
            failed("maxmemory", "argument must be a memory value"),
        ),
        (&[("databases", "3")], failed("databases", immutable)),
        (&[("server.databases", "3")], failed("server.databases", immutable)),
        (&[("cluster-enabled", "no")], failed("cluster-enabled", immutable)),
        (&[("dir", "/tmp")], failed("dir", "can't set protected config")),
        (
            &[("maxmemory", "1"), ("MAXMEMORY", "2")],
            failed("MAXMEMORY", "duplicate parameter"),
        ),
        (
            &[("maxmemory", "1"), ("memory.max_bytes", "2")],
            failed("memory.max_bytes", "duplicate parameter"),
        ),
        (&[("a\r\nb", "1")], unknown("a  b")),
        (&[("xyz", "1"), ("databases", "2")], unknown("xyz")),
        (&[("databases", "2"), ("xyz", "1")], failed("databases", immutable)),
        (&[("timeout", "5"), ("xyz", "1")], unknown("xyz")),
        (
            &[("timeout", "5"), ("MaxMemory", "x")],
            failed("maxmemory", "argument must be a memory value"),
        ),
        (
            &[("maxmemory", "a"), ("timeout", "b")],
            failed("maxmemory", "argument must be a memory value"),
        ),
        (
            &[("slowlog.max_len", "-1")],
            failed("slowlog.max_len", "-1 is not at least 0"),
        ),
        (
            &[("proto-max-bulk-len", "2147483649")],
            failed(
                "proto-max-bulk-len",
                "argument must be between 1048576 and 2147483648 inclusive",
            ),
        ),
        (
            &[("limits.bulk_bytes_max", "3gb")],
            failed("limits.bulk_bytes_max", "\"3gb\" is more than 2gb"),
        ),
        (
            &[("maxmemory-samples", "0")],
            failed("maxmemory-samples", "argument must be between 1 and 64 inclusive"),
        ),
    ];
    for (pairs, refusal) in cases {
        assert_eq!(set(&params, pairs).unwrap_err(), refusal);
    }
    let binary: (&[u8], &[u8]) = (b"requirepass", b"\xff");
    assert_eq!(
        params.set(&[binary], |_, _| Ok(())).unwrap_err().to_string(),
        failed("requirepass", "argument must be UTF-8 text")
    );
    assert_eq!(*params.config(), Config::default());
}

#[test]
fn rewrite_needs_a_file() {
    let refused = params().rewrite(None).unwrap_err().to_string();
    assert_eq!(refused, "ERR The server is running without a config file");
}

#[test]
fn rewrite_is_read_back_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lokikv.toml");
    let text = include_str!("../../../config.toml");
    fs::write(&path, text).unwrap();
    let params = Params::new(load(Some(&path), &[]).unwrap());
    set(&params, &[("maxmemory", "64mb"), ("save", ""), ("timeout", "7")]).unwrap();
    set(&params, &[("client-output-buffer-limit", "normal 1mb 0 0")]).unwrap();
    params.rewrite(None).unwrap();
    assert_eq!(load(Some(&path), &[]).unwrap().config, *params.config());
    let lines = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
    assert_eq!(lines(&fs::read_to_string(&path).unwrap()), lines(text));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    fs::remove_file(&path).unwrap();
    let refused = params.rewrite(None).unwrap_err().to_string();
    assert_eq!(refused, "ERR Rewriting config file: No such file or directory");
    fs::write(&path, "[server]\nprot = 1\n").unwrap();
    let error = params.rewrite(None).unwrap_err().to_string();
    assert!(
        error.starts_with("ERR Rewriting config file: ") && error.contains("unknown key"),
        "{error}"
    );
}

#[test]
fn parameters_without_effect_are_checked_and_shown() {
    let params = params();
    assert_eq!(get(&params, &["hz"]), [("hz".to_owned(), "10".to_owned())]);
    assert_eq!(
        set(
            &params,
            &[("HZ", "100"), ("slave-priority", "7"), ("activerehashing", "NO")]
        ),
        Ok(vec![])
    );
    let values = ["hz", "replica-priority", "slave-priority", "activerehashing"].map(|name| value(&params, name));
    assert_eq!(values, ["100", "7", "7", "no"]);
    for (name, given, why) in [
        ("hz", "x", "argument couldn't be parsed into an integer"),
        (
            "active-expire-effort",
            "11",
            "argument must be between 1 and 10 inclusive",
        ),
        (
            "repl-diskless-load",
            "x",
            "argument(s) must be one of the following: disabled, on-empty-db, swapdb",
        ),
        ("repl-backlog-size", "x", "argument must be a memory value"),
        ("min-slaves-to-write", "1", "there are no replicas"),
        ("masterauth", "secret", "there are no replicas"),
        ("appendfilename", "x", "can't set immutable config"),
        ("dbfilename", "x", "can't set protected config"),
    ] {
        // All or nothing.
        let told = set(&params, &[("hz", "50"), (name, given)]);
        let told = if name == "hz" {
            set(&params, &[(name, given)])
        } else {
            told
        };
        let wanted = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}");
        assert_eq!(told, Err(wanted));
    }
    assert_eq!(value(&params, "hz"), "100");
    let twice = set(&params, &[("replica-priority", "1"), ("slave-priority", "2")]);
    assert!(twice.unwrap_err().ends_with("duplicate parameter"));
    let long = "x".repeat(5000);
    assert!(set(&params, &[("availability-zone", &long)]).is_err());
}

/// Whoever may set a parameter may not hold a worker with it for long, however many parts its value has.
#[test]
fn a_value_of_many_parts_is_answered_soon() {
    // So many that each compared with each other would take longer than the limit on any machine.
    const BYTES: usize = 1 << 22;
    let numbered = |part: &dyn Fn(usize) -> String| {
        let (mut text, mut number) = (String::new(), 0);
        while text.len() < BYTES {
            text += &part(number);
            number += 1;
        }
        text
    };
    let repeated = |first: &str, part: &str| format!("{first}{}", part.repeat(BYTES / part.len()));
    let ciphers = format!(":{}", crate::config::tls::CIPHERS[0]);
    // What is taken, or not before its end: its form, and which parameters have it.
    let shaped = [
        ("level", numbered(&|n| format!("m{n}=debug,")) + "notice"),
        ("level", repeated("notice", ",a=debug")),
        ("percentiles", repeated("50", " 50")),
        ("percentiles", numbered(&|n| format!("{}.{n} ", n % 100)) + "50"),
        ("save", repeated("900 1", " 900 1")),
        ("save", numbered(&|n| format!("{} 1 ", n + 1)) + "1 1"),
        ("output", repeated("pubsub 0 0 0", " pubsub 0 0 0")),
        ("output", numbered(&|n| format!("pubsub {n} 0 0 ")) + "normal 0 0 0"),
        ("events", repeated("", "KEA")),
        ("shutdown", repeated("now", " now force")),
        ("tls.cipher", repeated(crate::config::tls::CIPHERS[0], &ciphers)),
        ("tls-cipher", repeated(crate::config::tls::CIPHERS[0], &ciphers)),
        ("protocols", repeated("TLSv1.2", " TLSv1.2")),
    ];
    let of_any = repeated("1", " 1,a:");
    let settable: Vec<&str> = all_names()
        .filter(|(_, name)| name.refusal().is_none())
        .map(|(text, _)| text)
        .collect();
    let mut tried = 0;
    let mut attempt = |name: &str, text: &str| {
        let (params, begun) = (params(), std::time::Instant::now());
        let outcome = set(&params, &[(name, text)]);
        let took = begun.elapsed();
        assert!(
            took.as_secs_f64() < 10.0,
            "{name}: {took:?} for {:.60}",
            format!("{outcome:?}")
        );
        tried += 1;
    };
    for name in &settable {
        attempt(name, &of_any);
        let own = shaped.iter().filter(|(part, _)| name.contains(part));
        own.for_each(|(_, text)| attempt(name, text));
    }
    // Both names of each of them.
    assert!(tried >= settable.len() + 2 * shaped.len() - 6, "{tried}");
}
