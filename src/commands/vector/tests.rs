//! What commands on vector sets answer, where no other server is asked.

use crate::commands::support::random::Random;
use crate::commands::testing::Harness;

fn with_names(names: &[&str]) -> Harness {
    let mut server = Harness::new();
    for (n, name) in names.iter().enumerate() {
        assert_eq!(server.say(&format!("VADD k VALUES 2 {n} 1 {name}")), ":1");
    }
    server
}

#[test]
fn ranges_are_in_the_order_of_names() {
    let mut server = with_names(&["b", "a", "ab", "c", "B"]);
    for (range, names) in [
        ("- +", "*5 $1 B $1 a $2 ab $1 b $1 c"),
        ("[a +", "*4 $1 a $2 ab $1 b $1 c"),
        ("(a (c", "*2 $2 ab $1 b"),
        ("- [ab", "*3 $1 B $1 a $2 ab"),
        ("[a [a", "*1 $1 a"),
        ("(a (a", "*0"),
        ("(a [a", "*0"),
        ("[c [a", "*0"),
        ("- + 2", "*2 $1 B $1 a"),
        ("(a + 2", "*2 $2 ab $1 b"),
        ("- + 0", "*0"),
        ("- + -1", "*5 $1 B $1 a $2 ab $1 b $1 c"),
        ("[ +", "*5 $1 B $1 a $2 ab $1 b $1 c"),
    ] {
        assert_eq!(server.say(&format!("VRANGE k {range}")), names, "{range}");
    }
    assert_eq!(server.say("VRANGE nokey - +"), "*0");
    let no_range = "-ERR min or max not valid string range item";
    for range in ["+ -", "a +", "- b", "+ +"] {
        assert_eq!(server.say(&format!("VRANGE k {range}")), no_range);
    }
    assert_eq!(server.say("VRANGE k - + x"), "-ERR COUNT value is not an integer");
    let arity = "-ERR wrong number of arguments for 'VRANGE' command";
    assert_eq!(server.say("VRANGE k -"), arity);
    assert_eq!(server.say("VRANGE k - + 1 2"), arity);
}

#[test]
fn a_range_visits_all_in_steps() {
    let mut server = Harness::new();
    for n in 0..100 {
        server.say(&format!("VADD k VALUES 2 {n} 1 e{n:02}"));
    }
    let (mut start, mut seen) = ("-".to_owned(), Vec::new());
    loop {
        let reply = server.say(&format!("VRANGE k {start} + 7"));
        let names: Vec<&str> = reply.split(' ').filter(|word| word.starts_with('e')).collect();
        let Some(last) = names.last() else { break };
        start = format!("({last}");
        seen.extend(names.iter().map(|name| (*name).to_owned()));
    }
    assert_eq!(seen, (0..100).map(|n| format!("e{n:02}")).collect::<Vec<_>>());
}

#[test]
fn draws_are_different_ones_or_as_many_as_wanted() {
    let mut server = Harness::new();
    for n in 0..40 {
        server.say(&format!("VADD k VALUES 2 {n} 1 e{n}"));
    }
    let mut drawn = |count: &str| {
        let reply = server.say(&format!("VRANDMEMBER k {count}"));
        let names = reply.split(' ').filter(|word| word.starts_with('e'));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    for count in [0, 1, 7, 39, 40, 41, 1_000_000] {
        let mut names = drawn(&count.to_string());
        assert_eq!(names.len(), count.min(40));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count.min(40));
    }
    assert_eq!(drawn("-500").len(), 500);
    let mut seen: Vec<String> = (0..200).flat_map(|_| drawn("5")).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 40, "1,000 draws out of 40");
    let too_large = "-ERR the reply would take more than 64 MiB, ask for fewer elements";
    assert_eq!(server.say("VRANDMEMBER k -9223372036854775808"), too_large);
}

#[test]
fn long_vectors_are_refused() {
    let mut server = Harness::new();
    let too_long = b"-ERR vectors have at most 65536 dimensions\r\n";
    let longest = vec![b'@'; 65_536 * 4];
    let longer = vec![b'@'; 65_537 * 4];
    assert_eq!(server.run(&[b"VADD", b"k", b"FP32", &longer, b"e"]), too_long);
    assert_eq!(server.say("VADD k REDUCE 65537 VALUES 2 1 2 e"), too_long_line());
    assert_eq!(server.run(&[b"VADD", b"k", b"FP32", &longest, b"e"]), b":1\r\n");
    assert_eq!(server.say("VDIM k"), ":65536");
}

fn too_long_line() -> &'static str {
    "-ERR vectors have at most 65536 dimensions"
}

#[test]
fn what_is_not_finite_does_no_harm() {
    let mut server = Harness::new();
    let floats: Vec<u8> = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE]
        .iter()
        .flat_map(|float| float.to_le_bytes())
        .collect();
    for (key, quant) in [(b"q", &b"Q8"[..]), (b"n", b"NOQUANT"), (b"b", b"BIN")] {
        assert_eq!(server.run(&[b"VADD", key, b"FP32", &floats, b"e", quant]), b":1\r\n");
        let line = format!("VADD {} VALUES 5 1 2 3 4 5 f ", key[0] as char);
        let quant = std::str::from_utf8(quant).unwrap();
        assert_eq!(server.say(&format!("{line}{quant}")), ":1");
        let key = key[0] as char;
        assert!(server.say(&format!("VSIM {key} ELE e WITHSCORES")).starts_with("*4"));
        assert!(server.say(&format!("VEMB {key} e")).starts_with("*5"));
        assert!(server.say(&format!("VEMB {key} e RAW")).starts_with('*'));
        let dumped = server.run(&[b"DUMP", key.to_string().as_bytes()]);
        let payload = payload_of(&dumped);
        let copy = format!("{key}copy");
        assert_eq!(server.run(&[b"RESTORE", copy.as_bytes(), b"0", payload]), b"+OK\r\n");
    }
}

/// The bytes of a bulk string.
fn payload_of(reply: &[u8]) -> &[u8] {
    let start = reply.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    &reply[start..reply.len() - 2]
}

#[test]
fn a_set_is_the_same_after_its_dump_is_restored() {
    let mut random = Random::from_seed(3);
    for quant in ["", "NOQUANT", "BIN", "M 5 NOQUANT"] {
        for reduce in ["", "REDUCE 3 "] {
            let mut server = Harness::new();
            for n in 0..150 {
                let vector: Vec<String> = (0..7).map(|_| format!("{:.3}", random.fraction() - 0.5)).collect();
                let vector = vector.join(" ");
                let attributes = if n % 3 == 0 {
                    format!("SETATTR {{\"n\":{n}}}")
                } else {
                    String::new()
                };
                let line = format!("VADD k {reduce}VALUES 7 {vector} e{} {quant} {attributes}", n % 120);
                assert!(server.say(&line).starts_with(':'), "{line}");
                if n % 10 == 0 {
                    server.say(&format!("VREM k e{}", n / 2));
                }
            }
            let dumped = server.run(&[b"DUMP", b"k"]);
            let restored = server.run(&[b"RESTORE", b"r", b"0", payload_of(&dumped)]);
            assert_eq!(restored, b"+OK\r\n");
            let info = |server: &mut Harness, key: &str| {
                let info = server.say(&format!("VINFO {key}"));
                let (before, rest) = info.split_once("+vset-uid").unwrap();
                format!("{before}{}", rest.split_once('+').unwrap().1)
            };
            assert_eq!(info(&mut server, "k"), info(&mut server, "r"));
            for n in 0..120 {
                for (command, behind) in [("VEMB", "RAW"), ("VGETATTR", ""), ("VLINKS", "WITHSCORES")] {
                    let of = |key: &str| format!("{command} {key} e{n} {behind}");
                    assert_eq!(server.say(&of("k")), server.say(&of("r")), "{command} e{n}");
                }
            }
            assert_eq!(server.say("VRANGE k - +"), server.say("VRANGE r - +"));
            let search = |key: &str| format!("VSIM {key} VALUES 7 1 2 3 4 5 6 7 WITHSCORES COUNT 100 FILTER .n>20");
            assert_eq!(server.say(&search("k")), server.say(&search("r")));
        }
    }
}

#[test]
fn numbers_are_shortest_in_both_protocols() {
    for (mut server, vector) in [(Harness::new(), "*2 $1 3 $1 4"), (Harness::resp3(), "*2 ,3 ,4")] {
        server.say("VADD k VALUES 2 3 4 a NOQUANT");
        assert_eq!(server.say("VEMB k a"), vector);
    }
    let mut server = Harness::resp3();
    assert_eq!(server.say("VADD k VALUES 2 1 0 a NOQUANT SETATTR {}"), "#t");
    assert_eq!(server.say("VADD k VALUES 2 0 1 b NOQUANT"), "#t");
    assert_eq!(server.say("VSIM k ELE a WITHSCORES"), "%2 $1 a ,1 $1 b ,0.5");
    assert_eq!(server.say("VSIM k ELE a WITHATTRIBS"), "%2 $1 a $2 {} $1 b _");
    let both = "%2 $1 a *2 ,1 $2 {} $1 b *2 ,0.5 _";
    assert_eq!(server.say("VSIM k ELE a WITHSCORES WITHATTRIBS"), both);
    assert_eq!(server.say("VSIM k ELE a FILTER 0 WITHSCORES"), "%0");
    assert_eq!(server.say("VSIM nokey ELE a WITHSCORES"), "*0");
    assert_eq!(server.say("VISMEMBER k a"), "#t");
    assert_eq!(server.say("VSETATTR k nosuch {}"), "#f");
    assert_eq!(server.say("VREM nokey a"), "#f");
    assert_eq!(server.say("VGETATTR k b"), "_");
    assert_eq!(server.say("VINFO nokey"), "_");
}
