//! HOTKEYS: what is asked for wrongly, and what is found over all workers, in pipelines, transactions and scripts.

use crate::in_memory;
use crate::support::{Conn, Value};

fn call(conn: &mut Conn, line: &str) -> Value {
    conn.call(&line.split(' ').collect::<Vec<_>>())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(" "),
        other => other.text(),
    }
}

fn says(conn: &mut Conn, lines: &[(&str, &str)]) {
    for (line, answer) in lines {
        assert_eq!(shown(&call(conn, line)), *answer, "{line}");
    }
}

fn found(conn: &mut Conn, name: &str) -> Value {
    let answer = call(conn, "HOTKEYS GET").items();
    answer[0].field(name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn what_is_asked_for_wrongly() {
    let server = in_memory();
    let mut conn = server.connect();
    assert!(call(&mut conn, "HOTKEYS GET").is_null());
    assert!(call(&mut conn, "HOTKEYS STOP").is_null());
    let count = "ERR METRICS count must be > 0 and <= 2";
    let few = "ERR METRICS count does not match number of metric types provided";
    let none = "ERR METRICS no valid metrics passed. Supported: CPU|NET";
    says(
        &mut conn,
        &[
            ("HOTKEYS START", "ERR METRICS parameter is required"),
            ("HOTKEYS START COUNT 3", "ERR METRICS parameter is required"),
            ("HOTKEYS START METRICS 0", count),
            ("HOTKEYS START METRICS 3 CPU NET", count),
            ("HOTKEYS START METRICS 2 CPU", few),
            ("HOTKEYS START METRICS 1 GPU", none),
            ("HOTKEYS START METRICS 1 CPU NET", "ERR syntax error"),
            (
                "HOTKEYS START METRICS 2 CPU CPU",
                "ERR METRICS CPU defined more than once!",
            ),
            (
                "HOTKEYS START METRICS 2 net NET",
                "ERR METRICS NET defined more than once!",
            ),
            (
                "HOTKEYS START METRICS 1 CPU COUNT 65",
                "ERR COUNT must be between 1 and 64",
            ),
            (
                "HOTKEYS START METRICS 1 CPU DURATION 0",
                "ERR DURATION must be between 1 and 1000000",
            ),
            (
                "HOTKEYS START METRICS 1 CPU SAMPLE 0",
                "ERR SAMPLE ratio must be positive",
            ),
            (
                "HOTKEYS START METRICS 1 CPU SLOTS 1 5",
                "ERR SLOTS parameter cannot be used in non-cluster mode",
            ),
            ("HOTKEYS START METRICS 2 GPU CPU", "OK"),
            (
                "HOTKEYS START METRICS 1 CPU",
                "ERR hotkey tracking session already in progress",
            ),
            (
                "HOTKEYS RESET",
                "ERR hotkey tracking session in progress, stop tracking first",
            ),
            ("HOTKEYS STOP", "OK"),
            ("HOTKEYS RESET", "OK"),
        ],
    );
    assert!(call(&mut conn, "HOTKEYS GET").is_null());
}

#[test]
fn hot_keys_are_found_wherever_they_are_used() {
    let server = in_memory();
    let (mut conn, mut other) = (server.connect(), server.connect());
    assert_eq!(call(&mut conn, "HOTKEYS START METRICS 2 CPU NET COUNT 2"), Value::ok());
    for _ in 0..50 {
        call(&mut other, "SET hot 0123456789012345678901234567890123456789");
        for line in ["MULTI", "SET warm 01234567890123456789", "GET warm", "EXEC"] {
            call(&mut conn, line);
        }
    }
    other.call(&["EVAL", "return redis.call('SET', KEYS[1], 'x')", "1", "cold"]);
    call(&mut other, "PING");
    let names = |list: Value| -> Vec<String> { list.items().iter().step_by(2).map(shown).collect() };
    let net = found(&mut conn, "by-net-bytes");
    assert_eq!(names(net.clone()), ["warm", "hot"]);
    // 50 times SET, with the reply.
    assert_eq!(net.items()[3].int(), Some(50 * (4 + 9 + 9 + 47 + 5)));
    assert_eq!(names(found(&mut conn, "by-cpu-time-us")).len(), 2);
    for (name, least) in [
        ("tracking-active", 1),
        ("sample-ratio", 1),
        ("all-commands-all-slots-us", 1),
    ] {
        assert!(found(&mut conn, name).int() >= Some(least), "{name}");
    }
    assert!(found(&mut conn, "total-net-bytes").int() > net.items()[1].int());
    assert_eq!(call(&mut conn, "HOTKEYS STOP"), Value::ok());
    for _ in 0..100 {
        call(&mut other, "SET cold 0123456789012345678901234567890123456789");
    }
    assert_eq!(names(found(&mut conn, "by-net-bytes")), ["warm", "hot"]);
    assert_eq!(found(&mut conn, "tracking-active").int(), Some(0));
    assert_eq!(call(&mut conn, "HOTKEYS RESET"), Value::ok());
}
