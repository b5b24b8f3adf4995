//! What stream commands answer, beside the comparison with Redis.

use crate::commands::testing::Harness;

#[test]
fn entries_are_read_and_acknowledged() {
    let mut server = Harness::new();
    assert_eq!(server.say("XADD s 1-1 a 1"), "$3 1-1");
    assert_eq!(server.say("XADD s * a 2"), format!("$15 {}-0", server.now_ms()));
    assert_eq!(server.say("XGROUP CREATE s g 0"), "+OK");
    let first = "*1 *2 $1 s *1 *2 $3 1-1 *2 $1 a $1 1";
    assert_eq!(server.say("XREADGROUP GROUP g c COUNT 1 STREAMS s >"), first);
    server.advance_ms(500);
    assert_eq!(server.say("XPENDING s g - + 10"), "*1 *4 $3 1-1 $1 c :500 :1");
    assert_eq!(server.say("XREADGROUP GROUP g c STREAMS s 0"), first);
    assert_eq!(server.say("XPENDING s g - + 10"), "*1 *4 $3 1-1 $1 c :0 :2");
    server.advance_ms(100);
    assert_eq!(server.say("XPENDING s g IDLE 101 - + 10"), "*0");
    assert_eq!(server.say("XAUTOCLAIM s g d 100 0 JUSTID"), "*3 $3 0-0 *1 $3 1-1 *0");
    assert_eq!(server.say("XCLAIM s g c 1 1-1"), "*0");
    assert_eq!(server.say("XCLAIM s g c 0 1-1 IDLE 40 JUSTID"), "*1 $3 1-1");
    assert_eq!(server.say("XPENDING s g - + 10"), "*1 *4 $3 1-1 $1 c :40 :2");
    assert_eq!(server.say("XACK s g 1-1 1-1"), ":1");
    assert_eq!(server.say("XPENDING s g"), "*4 :0 $-1 $-1 *-1");
}

#[test]
fn a_consumer_that_gets_nothing_changes_nothing() {
    let mut server = Harness::new();
    server.say("XGROUP CREATE s g $ MKSTREAM");
    server.say("XGROUP CREATECONSUMER s g c");
    server.advance_ms(50);
    assert_eq!(server.say("XREADGROUP GROUP g c BLOCK 0 STREAMS s >"), "*-1");
    assert_eq!(
        server.say("XINFO CONSUMERS s g"),
        "*1 *6 $4 name $1 c $7 pending :0 $4 idle :50"
    );
    server.say("XREADGROUP GROUP g d STREAMS s >");
    assert_eq!(server.say("XGROUP CREATECONSUMER s g d"), ":1");
}

#[test]
fn resp3_maps_streams() {
    let mut server = Harness::resp3();
    server.say("XADD s 1-1 a 1");
    assert_eq!(
        server.say("XREAD STREAMS s none 0 0"),
        "%1 $1 s *1 *2 $3 1-1 *2 $1 a $1 1"
    );
    assert_eq!(server.say("XREAD STREAMS none 0"), "_");
}
