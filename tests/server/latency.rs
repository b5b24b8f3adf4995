//! How long commands take, what made others wait, and who stood: LATENCY, INFO latencystats, and the log.

use std::time::{Duration, Instant};

use crate::support::{Conn, Server, Value};
use crate::{await_that, call};

fn server() -> Server {
    Server::lokikv(&["server.enable_debug_command=yes", "server.workers=1"])
}

/// A command's calls, and its distribution: microseconds and how many calls took no longer.
fn histogram(conn: &mut Conn, command: &str) -> Option<(i64, Vec<(i64, i64)>)> {
    let reply = conn.call(&["LATENCY", "HISTOGRAM", command]).items();
    let fields = reply.get(1)?.clone().items();
    let buckets = fields[3].clone().items();
    let numbers: Vec<i64> = buckets.iter().map(|number| number.int().expect("a number")).collect();
    let pairs = numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    Some((fields[1].int().expect("a number"), pairs))
}

/// The percentiles of a command, microseconds.
fn percentiles(conn: &mut Conn, command: &str) -> Vec<(String, f64)> {
    let info = call(conn, "INFO latencystats").text();
    let name = format!("latency_percentiles_usec_{command}:");
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .unwrap_or_default()
        .to_owned();
    let parts = line.split(',').filter_map(|part| part.split_once('='));
    parts
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect()
}

#[test]
fn durations_are_told_to_a_hundredth() {
    let server = server();
    let mut conn = server.connect();
    assert_eq!(histogram(&mut conn, "debug"), None);
    let began = Instant::now();
    call(&mut conn, "DEBUG SLEEP 0.03");
    let took_us = began.elapsed().as_micros() as f64;
    let (calls, buckets) = histogram(&mut conn, "debug").expect("a call");
    assert_eq!((calls, buckets.len()), (1, 1));
    assert!(buckets[0].0 >= 33_816 && buckets[0].1 == 1, "{buckets:?}");
    let told = percentiles(&mut conn, "debug|sleep");
    let told = if told.is_empty() {
        percentiles(&mut conn, "debug")
    } else {
        told
    };
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["p50", "p99", "p99.9"]);
    for (_, micros) in &told {
        assert!((30_000.0..took_us * 1.01).contains(micros), "{micros} of {took_us}");
    }
    // Small calls come in their even shares, all of them.
    let gets: Vec<Vec<Vec<u8>>> = (0..100).map(|_| vec![b"GET".to_vec(), b"k".to_vec()]).collect();
    conn.pipeline(&gets).expect("replies");
    let (calls, buckets) = histogram(&mut conn, "get").expect("calls");
    assert_eq!((calls, buckets.last().map(|(_, calls)| *calls)), (100, Some(100)));
    let of = |told: &[(String, f64)], at: usize| told[at].1;
    let told = percentiles(&mut conn, "get");
    assert!(of(&told, 0) <= of(&told, 1) && of(&told, 1) <= of(&told, 2), "{told:?}");
    assert_eq!(call(&mut conn, "CONFIG RESETSTAT"), Value::ok());
    assert_eq!(histogram(&mut conn, "get"), None);
}

/// The text of the doctor.
fn doctor(conn: &mut Conn) -> String {
    call(conn, "LATENCY DOCTOR").text()
}

#[test]
fn the_doctor_names_what_made_others_wait() {
    let server = server();
    let mut conn = server.connect();
    assert!(doctor(&mut conn).contains("monitoring is off"));
    call(&mut conn, "CONFIG SET latency-monitor-threshold 60000");
    assert_eq!(doctor(&mut conn), "No event has taken 60000 ms or longer.\n");
    call(&mut conn, "CONFIG SET latency-monitor-threshold 30");
    for line in ["MULTI", "SWAPDB 1 2", "DEBUG SLEEP 0.05", "EXEC"] {
        call(&mut conn, line);
    }
    await_that("the section is known", || {
        doctor(&mut conn).contains("- exclusive-section: ")
    });
    let text = doctor(&mut conn);
    assert!(text.contains("- command: "), "{text}");
    assert!(text.contains("with exclusive-section"), "{text}");
    // As fast as a sync may be, a threshold of a millisecond and enough of them find one; the figures are those of
    // INFO.
    call(&mut conn, "CONFIG SET latency-monitor-threshold 1 appendfsync always");
    let deadline = Instant::now() + Duration::from_secs(10);
    let value = "x".repeat(1 << 20);
    while !doctor(&mut conn).contains("- log-sync:") {
        assert!(Instant::now() < deadline, "{}", doctor(&mut conn));
        conn.call(&["SET", "k", &value]);
    }
    assert!(doctor(&mut conn).contains("With wal.fsync = \"always\" every write waits for its sync"));
    let latest = call(&mut conn, "LATENCY LATEST").items();
    let names: Vec<String> = latest.iter().map(|event| event.clone().items()[0].text()).collect();
    assert!(names.contains(&"log-sync".to_owned()) && names.contains(&"exclusive-section".to_owned()));
    call(&mut conn, "CONFIG SET latency-monitor-threshold 60000");
    call(&mut conn, "LATENCY RESET");
    assert!(doctor(&mut conn).starts_with("No event"));
}

/// Lines of the log that tell of a worker that stood.
fn stands(server: &Server) -> Vec<String> {
    let log = server.stdout();
    log.lines()
        .filter(|line| line.contains("a worker st"))
        .map(str::to_owned)
        .collect()
}

/// Has the worker stand for so long.
fn stand(conn: &mut Conn, seconds: &str) {
    call(conn, "MULTI");
    call(conn, &format!("DEBUG SLEEP {seconds}"));
    call(conn, "EXEC");
}

#[test]
fn a_worker_that_stands_is_told_of_once_a_second_at_most() {
    let server = server();
    let mut conn = server.connect();
    // On a busy machine it may stand elsewhere, too.
    let of_exec = || stands(&server).into_iter().find(|line| line.contains("at=\"EXEC\""));
    // A watchdog that gets no time itself tells of nothing, so there may have to be another one.
    await_that("a line", || {
        stand(&mut conn, "0.3");
        of_exec().is_some()
    });
    let began = Instant::now();
    let known = stands(&server).len();
    let line = of_exec().expect("a line");
    assert!(line.contains("worker-0"), "{line}");
    let millis = line.split("millis=").nth(1).and_then(|rest| rest.split(' ').next());
    let millis: u64 = millis.and_then(|text| text.parse().ok()).expect("a number");
    assert!(millis >= 100, "{line}");
    (0..10).for_each(|_| stand(&mut conn, "0.15"));
    await_that("another line", || {
        stand(&mut conn, "0.15");
        stands(&server).len() > known
    });
    let more = (stands(&server).len() - known) as u64;
    // The second that a line is of may be over when it is written.
    assert!(more <= 2 + began.elapsed().as_secs(), "{:?}", stands(&server));
}

/// What `CONFIG SET` takes for percentiles, and what it shows, as Redis 8.2.3 does.
#[test]
fn percentiles_are_those_of_redis() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    let name = "latency-tracking-info-percentiles";
    for (text, shown) in [
        ("-0", "-0"),
        ("50 50 99 50", "50 50 99 50"),
        ("0x10 +5 .5 5. 1e-310", "16 5 0.5 5 0"),
    ] {
        crate::set(&mut conn, name, text);
        let told = conn.call(&["CONFIG", "GET", name]);
        assert_eq!(
            told,
            Value::Array(vec![Value::bulk(name), Value::bulk(shown)]),
            "{text}"
        );
        let info = conn.call(&["INFO", "latencystats"]).text();
        let cells: Vec<String> = shown.split(' ').map(|percent| format!("p{percent}=")).collect();
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("latency_percentiles_usec_config|set:"))
            .expect("a line");
        let told: Vec<&str> = line.split(',').collect();
        assert!(
            told.len() == cells.len() && told.iter().zip(&cells).all(|(cell, name)| cell.starts_with(name)),
            "{line}"
        );
    }
    for wrong in ["1e400", "1e-400", "5d", "0x1p-1080"] {
        let refused = conn.call(&["CONFIG", "SET", name, wrong]).text();
        assert!(
            refused.ends_with("Invalid latency-tracking-info-percentiles parameters"),
            "{wrong}: {refused}"
        );
    }
}
