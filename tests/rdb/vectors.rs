//! Vector sets between Redis 8.2 and LokiKV: elements, vectors, attributes and the graph are the same on both sides.

use std::fs;

use crate::args;
use crate::format::started_with;
use crate::place::Place;
use crate::support::{Args, Conn, Rng, Server, Value, seed};

/// Keys, each with what its set is made with: the arguments before a vector, its dimensions, those behind the element.
const SETS: [(&str, &[&str], usize, &[&str]); 6] = [
    ("bytes", &[], 24, &[]),
    ("floats", &[], 9, &["NOQUANT"]),
    ("bits", &[], 130, &["BIN"]),
    ("reduced", &["REDUCE", "7"], 20, &["NOQUANT"]),
    ("few links", &[], 6, &["M", "4"]),
    ("one", &[], 1, &[]),
];
const ELEMENTS: usize = 150;

fn fill(conn: &mut Conn, rng: &mut Rng) {
    let mut commands = Vec::new();
    for (key, before, dim, behind) in SETS {
        let count = if key == "one" { 1 } else { ELEMENTS };
        for n in 0..count {
            let mut command = args!["VADD", key];
            command.extend(before.iter().map(|word| word.as_bytes().to_vec()));
            let floats = (0..dim).map(|_| rng.range(-1_000, 1_000) as f32 / 500.0);
            let blob: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
            command.extend(args!["FP32", blob, name(n)]);
            command.extend(behind.iter().map(|word| word.as_bytes().to_vec()));
            if n % 3 == 0 && key != "few links" {
                command.extend(args!["SETATTR", format!(r#"{{"n":{n},"even":{}}}"#, n % 2 == 0)]);
            }
            commands.push(command);
            if n % 7 == 6 {
                commands.push(args!["VREM", key, name(rng.below(n))]);
            }
        }
    }
    commands.push(args!["PEXPIREAT", "floats", "4000000000123"]);
    for (command, reply) in commands.iter().zip(conn.pipeline(&commands).expect("fill")) {
        assert!(!reply.is_error(), "{}: {reply}", crate::support::text::join(command));
    }
}

/// Names of all kinds, those that are written as numbers among them.
fn name(n: usize) -> Vec<u8> {
    match n % 5 {
        0 => n.to_string().into_bytes(),
        1 => format!("element {n} {}", "x".repeat(n)).into_bytes(),
        2 => [&[0, 0xff, b'\r', b'\n'][..], n.to_string().as_bytes()].concat(),
        3 => format!("-{n}").into_bytes(),
        _ => format!("e{n}").into_bytes(),
    }
}

/// All that is known of the sets, but for what is the process's.
fn image(conn: &mut Conn) -> Vec<(String, Value)> {
    let mut image = Vec::new();
    for (key, ..) in SETS {
        let mut info = conn.call(&args!["VINFO", key]).items();
        let uid = info
            .iter()
            .position(|field| field.text() == "vset-uid")
            .expect("its number");
        info.drain(uid..uid + 2);
        image.push((format!("{key} VINFO"), Value::Array(info)));
        image.push((format!("{key} time"), conn.call(&args!["PEXPIRETIME", key])));
        for n in 0..ELEMENTS {
            for (command, behind) in [("VEMB", Some("RAW")), ("VGETATTR", None), ("VLINKS", None)] {
                let mut request: Args = args![command, key, name(n)];
                request.extend(behind.map(|word| word.as_bytes().to_vec()));
                let reply = conn.call(&request);
                // Redis puts neighbours into another order as it loads them.
                let reply = match (command, reply) {
                    ("VLINKS", Value::Array(levels)) => Value::Array(levels.iter().map(Value::sorted).collect()),
                    // Nor has it always the fewest digits.
                    ("VEMB", Value::Array(parts)) => Value::Array(parts.into_iter().map(as_number).collect()),
                    (_, reply) => reply,
                };
                image.push((format!("{key} {n} {command}"), reply));
            }
        }
    }
    image
}

/// The number that a text is, if it is one.
fn as_number(value: Value) -> Value {
    let number = std::str::from_utf8(value.bytes().unwrap_or_default()).ok();
    match number.and_then(|text| text.parse::<f64>().ok()) {
        Some(number) => Value::Int(number.to_bits() as i64),
        None => value,
    }
}

fn assert_same(one: &[(String, Value)], other: &[(String, Value)]) {
    assert_eq!(one.len(), other.len());
    let different = one.iter().zip(other).filter(|(one, other)| one != other);
    let different: Vec<String> = different
        .map(|((name, one), (_, other))| format!("{name}\n   {one}\n   {other}"))
        .collect();
    let shown = different.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} differ:\n{shown}", different.len());
}

fn move_all(from: &mut Conn, to: &mut Conn) {
    for (key, ..) in SETS {
        let payload = from.call(&args!["DUMP", key]);
        let payload = payload.bytes().unwrap_or_else(|| panic!("{key}: {payload}"));
        let at_ms = from.call(&args!["PEXPIRETIME", key]).int().expect("a time").max(0);
        let restored = to.call(&args!["RESTORE", key, at_ms.to_string(), payload, "ABSTTL"]);
        assert_eq!(restored, Value::ok(), "{key}");
    }
}

#[test]
fn payloads_go_both_ways() {
    let seed = seed();
    let (first, second) = (Server::redis8(&[]), Server::redis8(&[]));
    let middle = Server::lokikv(&["server.enable_debug_command=yes"]);
    let [mut first, mut second, mut middle] = [first.connect(), second.connect(), middle.connect()];
    fill(&mut first, &mut Rng::new(seed));
    let expected = image(&mut first);
    move_all(&mut first, &mut middle);
    assert_same(&expected, &image(&mut middle));
    for reload in [&["DEBUG", "RELOAD", "NOSAVE"][..], &["DEBUG", "RELOAD"]] {
        assert_eq!(middle.call(reload), Value::ok());
    }
    assert_same(&expected, &image(&mut middle));
    move_all(&mut middle, &mut second);
    assert_same(&expected, &image(&mut second));
    // What was never there is made here, and goes on there.
    for conn in [&mut middle, &mut second] {
        assert_eq!(conn.call(&["FLUSHALL"]), Value::ok());
    }
    fill(&mut middle, &mut Rng::new(seed ^ 1));
    move_all(&mut middle, &mut second);
    assert_same(&image(&mut middle), &image(&mut second));
    let more = args!["VADD", "bytes", "FP32", vec![b'@'; 24 * 4], "more"];
    assert_eq!(second.call(&more).int(), Some(1));
    let search = args!["VSIM", "reduced", "FP32", vec![b'@'; 20 * 4], "TRUTH", "COUNT", "5"];
    assert_eq!(middle.call(&search), second.call(&search));
}

#[test]
fn files_go_both_ways() {
    let seed = seed();
    let redis = Server::redis8(&[]);
    let mut conn = redis.connect();
    fill(&mut conn, &mut Rng::new(seed));
    let expected = image(&mut conn);
    assert_eq!(conn.call(&["SAVE"]), Value::ok());
    let place = Place::new(&fs::read(redis.data_dir().join("dump.rdb")).expect("what was saved"));
    let said = place.import("dump.rdb");
    assert!(said.starts_with(&format!("imported {} keys", SETS.len())), "{said}");
    let again = started_with(Server::redis8(&[]), &place.export("12"));
    assert_same(&expected, &image(&mut again.connect()));
    let export = |more: &[&'static str]| [&["export", "--data-dir", "data", "--force", "out.rdb"], more].concat();
    let said = place.run_well(&export(&[]));
    assert!(said.contains("RDB version 12"), "{said}");
    for (version, name) in [("11", "RDB version 11"), ("valkey", "Valkey's RDB version 80")] {
        let why = format!("it is a vector set, which {name} does not hold (RDB version 12 does)");
        place.fails(&export(&["--rdb-version", version]), &why);
    }
}

#[test]
fn what_cannot_be_kept_is_told() {
    let (redis, loki) = (Server::redis8(&[]), Server::lokikv(&[]));
    let (mut redis, mut loki) = (redis.connect(), loki.connect());
    let long = vec![b'@'; 70_000 * 4];
    assert_eq!(redis.call(&args!["VADD", "long", "FP32", long, "e"]).int(), Some(1));
    let payload = redis.call(&["DUMP", "long"]);
    let refused = loki.call(&args!["RESTORE", "long", "0", payload.bytes().expect("a payload")]);
    assert_eq!(refused.text(), "ERR Bad data format");
    assert_eq!(redis.call(&["SAVE"]), Value::ok());
    let vector = vec![b'@'; 65_536 * 4];
    let wide = args!["VADD", "wide", "REDUCE", "65536", "FP32", vector, "e"];
    assert_eq!(loki.call(&wide).int(), Some(1));
    let refused = loki.call(&["DUMP", "wide"]).text();
    let why = "ERR in Redis's format the projection of the vector set takes 17179869184 bytes, which is too much";
    assert_eq!(refused, why);
}
