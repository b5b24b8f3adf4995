//! Batches take time in proportion to what is in them, whatever the type: with as many elements as here, looking
//! through all for each would take minutes.

use super::testing::Harness;
use crate::resp::OwnedRequest;

const COUNT: usize = 100_000;

/// The words of an element.
type Each = fn(usize) -> String;

/// The words of `head`, then those of each element.
fn batch(head: &str, each: impl Fn(usize) -> String) -> OwnedRequest {
    let mut request = OwnedRequest::default();
    head.split(' ').for_each(|word| request.push(word.as_bytes()));
    for number in 0..COUNT {
        each(number).split(' ').for_each(|word| request.push(word.as_bytes()));
    }
    request
}

fn answer(server: &mut Harness, head: &str, each: impl Fn(usize) -> String) -> String {
    let reply = server.run_request(&batch(head, each));
    let end = reply.iter().position(|byte| *byte == b'\r').unwrap();
    String::from_utf8_lossy(&reply[..end]).into_owned()
}

/// The same batch to nothing, to something small, and to what it has made, then its elements' removal.
fn add_and_remove(adds: &[(&str, Each)], removes: &str) {
    for (head, each) in adds {
        let mut server = Harness::new();
        let name = |number| format!("m{number}");
        let added = answer(&mut server, head, each);
        let again = answer(&mut server, head, each);
        assert!(
            added == format!(":{COUNT}") || added == again,
            "{head}: {added}, {again}"
        );
        assert_eq!(answer(&mut server, removes, name), format!(":{COUNT}"), "{head}");
        let one: Vec<String> = head
            .split(' ')
            .map(str::to_owned)
            .chain(each(7).split(' ').map(str::to_owned))
            .collect();
        server.say(&one.join(" ").replace(&format!("FIELDS {COUNT}"), "FIELDS 1"));
        let rest = answer(&mut server, head, each);
        assert!(rest == format!(":{}", COUNT - 1) || rest == again, "{head}: {rest}");
        // Nearly all are not there.
        server.say("DEL key");
        server.say(&one.join(" ").replace(&format!("FIELDS {COUNT}"), "FIELDS 1"));
        assert_eq!(answer(&mut server, removes, name), ":1", "{head}");
        assert_eq!(server.say("EXISTS key"), ":0");
    }
}

#[test]
fn of_hashes() {
    let pair: Each = |number| format!("m{number} value");
    let timed = format!("HSETEX key EX 100 FIELDS {COUNT}");
    add_and_remove(&[("HSET key", pair), (timed.as_str(), pair)], "HDEL key");
}

#[test]
fn of_sets() {
    let name: Each = |number| format!("m{number}");
    add_and_remove(&[("SADD key", name)], "SREM key");
}

#[test]
fn of_sorted_sets() {
    let ascending: Each = |number| format!("{number} m{number}");
    let descending: Each = |number| format!("-{number} m{number}");
    let place: Each = |number| format!("{} {} m{number}", number % 170, number % 80);
    add_and_remove(
        &[("ZADD key", ascending), ("ZADD key", descending), ("GEOADD key", place)],
        "ZREM key",
    );
}

#[test]
fn of_elements_that_are_the_same() {
    let mut server = Harness::new();
    let field: Each = |number| format!("m{} {number}", number % 100);
    let name: Each = |number| format!("m{}", number % 100);
    let scored: Each = |number| format!("{number} m{}", number % 100);
    for (head, each) in [("HSET hash", field), ("SADD set", name), ("ZADD zset", scored)] {
        assert_eq!(answer(&mut server, head, each), ":100");
        assert_eq!(answer(&mut server, head, each), ":0");
    }
    assert_eq!(server.say("HGET hash m7"), "$5 99907");
    assert_eq!(server.say("ZSCORE zset m7"), "$5 99907");
}

#[test]
fn of_lists() {
    let mut server = Harness::new();
    let element = |number| format!("e{number}");
    assert_eq!(answer(&mut server, "RPUSH list", element), format!(":{COUNT}"));
    assert_eq!(answer(&mut server, "LPUSH list", element), format!(":{}", COUNT * 2));
    server.say("RPUSH small a b");
    assert_eq!(answer(&mut server, "LPUSH small", element), format!(":{}", COUNT + 2));
    assert_eq!(server.say("SORT list ALPHA STORE sorted"), format!(":{}", COUNT * 2));
    assert_eq!(server.say("LINDEX sorted 2"), "$2 e1");
    assert_eq!(server.say("LREM sorted 0 e1"), ":2");
}

#[test]
fn of_what_is_stored_or_brought_in() {
    let mut server = Harness::new();
    answer(&mut server, "HSET hash", |number| format!("m{number} value"));
    answer(&mut server, "SADD set", |number| format!("m{number}"));
    answer(&mut server, "ZADD zset", |number| format!("{number} m{number}"));
    let all = format!(":{COUNT}");
    for command in [
        "SUNIONSTORE to set none",
        "SINTERSTORE to set set",
        "SDIFFSTORE to set none",
    ] {
        assert_eq!(server.say(command), all, "{command}");
    }
    for command in [
        "ZUNIONSTORE to 2 zset set",
        "ZINTERSTORE to 2 zset set",
        "ZRANGESTORE to zset 0 -1",
    ] {
        assert_eq!(server.say(command), all, "{command}");
    }
    for key in ["hash", "set", "zset"] {
        let dumped = server.run(&[b"DUMP", key.as_bytes()]);
        let begin = dumped.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let payload = &dumped[begin..dumped.len() - 2];
        assert_eq!(
            server.run(&[b"RESTORE", b"to", b"0", payload, b"REPLACE"]),
            b"+OK\r\n",
            "{key}"
        );
    }
}
