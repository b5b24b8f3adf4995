//! What set commands answer, beside the comparison with Redis.

use std::collections::BTreeSet;

use crate::commands::testing::Harness;

fn bulks(reply: &str) -> BTreeSet<String> {
    reply
        .split(' ')
        .skip(1)
        .filter(|word| !word.starts_with('$'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn chance_takes_each_member_once() {
    let mut server = Harness::new();
    let members: Vec<String> = (0..2000).map(|n| format!("m{n}")).collect();
    assert_eq!(server.say(&format!("SADD s {}", members.join(" "))), ":2000");
    assert_eq!(bulks(&server.say("SRANDMEMBER s 100")).len(), 100);
    assert_eq!(bulks(&server.say("SRANDMEMBER s 1999")).len(), 1999);
    assert!(server.say("SRANDMEMBER s -50").starts_with("*50 "));
    let mut popped = bulks(&server.say("SPOP s 100"));
    popped.extend(bulks(&server.say("SPOP s 1800")));
    assert_eq!((popped.len(), server.say("SCARD s")), (1900, ":100".to_owned()));
    popped.extend(bulks(&server.say("SPOP s 1000")));
    assert_eq!(popped, members.into_iter().collect());
    assert_eq!(server.say("EXISTS s"), ":0");
}

/// A big set gives integers as texts, a small one finds them as integers.
#[test]
fn what_is_made_of_a_big_set_is_found_in_it() {
    let mut server = Harness::new();
    let members: Vec<String> = (0..1000).map(|n| format!("m{n}")).collect();
    server.say(&format!("SADD big 5 -6 {}", members.join(" ")));
    server.say(&format!("SADD few {}", members.join(" ")));
    assert_eq!(server.say("SDIFFSTORE left big few"), ":2");
    assert_eq!(server.say("OBJECT ENCODING left"), "$6 intset");
    for made in [
        "SDIFFSTORE left big few",
        "SINTERSTORE left big left",
        "SUNIONSTORE left left",
    ] {
        assert_eq!(server.say(made), ":2");
        assert_eq!(server.say("SMISMEMBER left 5 -6 m1"), "*3 :1 :1 :0", "{made}");
        assert_eq!(server.say("SADD left 5"), ":0", "{made}");
    }
    assert_eq!(server.say("SREM left 5 -6"), ":2");
}

#[test]
fn a_big_set_is_walked_whole() {
    let mut server = Harness::new();
    let members: Vec<String> = (0..5000).map(|n| format!("m{n}")).collect();
    server.say(&format!("SADD s {}", members.join(" ")));
    let (mut cursor, mut seen) = ("0".to_owned(), BTreeSet::new());
    loop {
        let reply = server.say(&format!("SSCAN s {cursor} COUNT 50"));
        let words: Vec<&str> = reply.split(' ').collect();
        cursor = words[2].to_owned();
        seen.extend(
            words[3..]
                .iter()
                .filter(|word| word.starts_with('m'))
                .map(|word| (*word).to_owned()),
        );
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen, members.into_iter().collect());
}
