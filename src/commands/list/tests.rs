//! What list commands answer, beside the comparison with Redis.

use crate::commands::testing::Harness;

#[test]
fn the_last_element_takes_the_list_with_it() {
    let mut server = Harness::new();
    assert_eq!(server.say("RPUSH l a b c"), ":3");
    assert_eq!(server.say("LRANGE l 0 -1"), "*3 $1 a $1 b $1 c");
    assert_eq!(server.say("LPOP l 2"), "*2 $1 a $1 b");
    assert_eq!(server.say("LMOVE l l LEFT RIGHT"), "$1 c");
    assert_eq!(server.say("RPOP l"), "$1 c");
    assert_eq!(server.say("EXISTS l"), ":0");
    assert_eq!(server.say("LPOP l"), "$-1");
    assert_eq!(server.say("LPOP l 1"), "*-1");
}

#[test]
fn a_long_list_is_as_quick_at_every_place() {
    let mut server = Harness::new();
    let elements: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    assert_eq!(server.say(&format!("RPUSH l {}", elements.join(" "))), ":5000");
    assert_eq!(server.say("LINDEX l 2500"), "$4 2500");
    assert_eq!(server.say("LINDEX l -1"), "$4 4999");
    assert_eq!(server.say("LPOS l 4000"), ":4000");
    assert_eq!(server.say("LINSERT l AFTER 2500 x"), ":5001");
    assert_eq!(server.say("LRANGE l 2500 2502"), "*3 $4 2500 $1 x $4 2501");
    assert_eq!(server.say("LREM l 0 x"), ":1");
    assert_eq!(server.say("LTRIM l 10 -11"), "+OK");
    assert_eq!(server.say("LLEN l"), ":4980");
    assert_eq!(server.say("OBJECT ENCODING l"), "$9 quicklist");
    assert_eq!(server.say("BLPOP l 0"), "*2 $1 l $2 10");
    assert_eq!(server.say("BLMPOP 0 1 none LEFT"), "*-1");
}
