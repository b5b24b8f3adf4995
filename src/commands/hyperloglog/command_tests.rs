//! HyperLogLogs as clients see them.

use super::hll::{add, count, empty, invalidate_cache, set_cached_count};
use crate::commands::testing::Harness;

fn check(server: &mut Harness, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(server.say(line), *reply, "{line}");
    }
}

/// The value of a GET reply.
fn value(server: &mut Harness, key: &str) -> Vec<u8> {
    let reply = server.run(&[b"GET", key.as_bytes()]);
    let start = reply.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    reply[start..reply.len() - 2].to_vec()
}

#[test]
fn dialogue() {
    let mut server = Harness::new();
    check(
        &mut server,
        &[
            ("PFADD h", ":1"),
            ("PFADD h", ":0"),
            ("PFCOUNT h", ":0"),
            ("PFADD h a b c", ":1"),
            ("PFADD h a", ":0"),
            ("PFCOUNT h", ":3"),
            ("ADDHLL g c d", ":1"),
            ("HLLCOUNT g", ":2"),
            ("HLLCOUNT g h none", ":4"),
            ("PFCOUNT none", ":0"),
            ("PFCOUNT none none", ":0"),
            ("PFMERGE m h g none", "+OK"),
            ("PFCOUNT m", ":4"),
            ("PFMERGE new", "+OK"),
            ("PFCOUNT new", ":0"),
            ("ADDHLL h", "-ERR wrong number of arguments for 'addhll' command"),
            ("PFDEBUG ENCODING h", "+sparse"),
            ("PFDEBUG TODENSE h", ":1"),
            ("PFDEBUG TODENSE h", ":0"),
            ("PFDEBUG ENCODING h", "+dense"),
            ("PFDEBUG DECODE h", "-ERR HLL encoding is not sparse"),
            ("PFDEBUG FOO h", "-ERR Unknown PFDEBUG subcommand 'FOO'"),
            ("PFDEBUG DECODE none", "-ERR The specified key does not exist"),
            ("PFADD h a", ":0"),
            ("PFADD h e", ":1"),
            ("PFCOUNT h", ":4"),
            ("PFMERGE m h", "+OK"),
            ("PFDEBUG ENCODING m", "+dense"),
            ("PFCOUNT m", ":5"),
            ("SET s text", "+OK"),
        ],
    );
    for line in [
        "PFADD s a",
        "PFCOUNT s",
        "PFCOUNT h s",
        "PFMERGE m s",
        "PFMERGE s h",
        "PFDEBUG FOO s",
    ] {
        assert_eq!(
            server.say(line),
            "-WRONGTYPE Key is not a valid HyperLogLog string value.",
            "{line}"
        );
    }
}

#[test]
fn bytes_are_those_of_the_algorithm() {
    let mut server = Harness::new();
    let mut model = empty();
    invalidate_cache(&mut model);
    server.say("PFADD h");
    for round in 0..3000u32 {
        let element = format!("element-{round}");
        let changed = add(&mut model, element.as_bytes(), super::hll::SPARSE_BYTES_MAX_DEFAULT).unwrap();
        assert_eq!(
            server.say(&format!("PFADD h {element}")),
            format!(":{}", u8::from(changed))
        );
        if round.is_multiple_of(100) {
            let total = count(&model).unwrap();
            set_cached_count(&mut model, total);
            assert_eq!(server.say("PFCOUNT h"), format!(":{total}"));
        }
        if round.is_multiple_of(10) {
            assert_eq!(value(&mut server, "h"), model, "after {round}");
        }
    }
    assert_eq!(server.say("PFDEBUG ENCODING h"), "+dense");
}

#[test]
fn expiry_stays() {
    let mut server = Harness::new();
    server.say("PFADD h a");
    server.say("GETEX h PX 1000");
    for line in ["PFADD h b", "PFCOUNT h", "PFMERGE h", "PFDEBUG TODENSE h", "PFADD h c"] {
        server.say(line);
    }
    server.advance_ms(1000);
    assert_eq!(server.say("PFCOUNT h"), ":0");
}
