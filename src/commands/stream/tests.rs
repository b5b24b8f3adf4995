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
fn a_consumer_that_gets_nothing_is_known() {
    let mut server = Harness::new();
    server.say("XGROUP CREATE s g $ MKSTREAM");
    server.say("XGROUP CREATECONSUMER s g c");
    server.advance_ms(50);
    assert_eq!(server.say("XREADGROUP GROUP g c BLOCK 0 STREAMS s >"), "*-1");
    assert_eq!(
        server.say("XINFO CONSUMERS s g"),
        "*1 *8 $4 name $1 c $7 pending :0 $4 idle :50 $8 inactive :-1"
    );
    server.advance_ms(1_000);
    server.say("XREADGROUP GROUP g c STREAMS s >");
    server.advance_ms(20);
    let idle = "*1 *8 $4 name $1 c $7 pending :0 $4 idle :20 $8 inactive :-1";
    assert_eq!(server.say("XINFO CONSUMERS s g"), idle);
    server.say("XREADGROUP GROUP g d STREAMS s >");
    assert_eq!(server.say("XGROUP CREATECONSUMER s g d"), ":0");
    for claim in ["XCLAIM s g e 0 1-1", "XAUTOCLAIM s g f 0 0"] {
        server.say(claim);
    }
    assert_eq!(server.say("XGROUP DELCONSUMER s g e"), ":0");
    assert_eq!(server.say("XGROUP CREATECONSUMER s g e"), ":1");
    assert_eq!(server.say("XGROUP CREATECONSUMER s g f"), ":0");
}

#[test]
fn what_was_given_back_has_waited_for_nobody_knows_how_long() {
    let mut server = Harness::new();
    server.say("XADD s 1-0 a b");
    server.say("XGROUP CREATE s g 0");
    server.say("XREADGROUP GROUP g c STREAMS s >");
    server.say("XNACK s g FAIL IDS 1 1-0");
    let claimed = server.say("XREADGROUP GROUP g c CLAIM 0 STREAMS s >");
    assert!(claimed.ends_with(":-1 :1"), "{claimed}");
}

/// It is active when it is given something new or claims it, not when it is given its own again.
#[test]
fn a_consumer_is_active_when_it_gets_something() {
    let mut server = Harness::new();
    let inactive = |server: &mut Harness| {
        server
            .say("XINFO CONSUMERS s g")
            .split("inactive ")
            .nth(1)
            .unwrap()
            .to_owned()
    };
    server.say("XGROUP CREATE s g $ MKSTREAM");
    server.say("XADD s 1-0 a b");
    server.say("XREADGROUP GROUP g c NOACK STREAMS s >");
    assert_eq!(inactive(&mut server), ":-1");
    server.say("XADD s 2-0 a b");
    server.say("XREADGROUP GROUP g c STREAMS s >");
    server.advance_ms(30);
    server.say("XREADGROUP GROUP g c STREAMS s 0");
    assert_eq!(inactive(&mut server), ":30");
    server.say("XCLAIM s g c 0 9-0");
    assert_eq!(inactive(&mut server), ":30");
    server.say("XCLAIM s g c 0 2-0");
    assert_eq!(inactive(&mut server), ":0");
}

/// What is ahead of a group counts whole while nothing of it was deleted, and is nothing where nothing is left.
#[test]
fn a_group_that_is_behind_all_entries_knows_its_lag() {
    let mut server = Harness::new();
    let lag = |server: &mut Harness| server.say("XINFO GROUPS s").split("$3 lag ").nth(1).unwrap().to_owned();
    server.say("XGROUP CREATE s g $ MKSTREAM");
    for id in ["1-0", "2-0", "3-0"] {
        server.say(&format!("XADD s {id} a b"));
    }
    server.say("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    server.say("XDEL s 2-0");
    assert_eq!(lag(&mut server), "$-1");
    server.say("XDEL s 1-0");
    assert_eq!(lag(&mut server), ":1");
    server.say("XTRIM s MAXLEN 0");
    assert_eq!(lag(&mut server), ":0");
    server.say("XADD s 9-0 a b");
    server.say("XREADGROUP GROUP g c STREAMS s >");
    assert!(server.say("XINFO GROUPS s").contains("entries-read :4 "));
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

#[test]
fn xsetid_does_not_go_below_what_was_deleted() {
    let mut server = Harness::new();
    for command in ["XADD s 5-0 a b", "XADD s 6-0 a b", "XDEL s 6-0"] {
        server.say(command);
    }
    let refused = "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
    assert_eq!(server.say("XSETID s 5-1"), refused);
    assert_eq!(server.say("XSETID s 4-0"), refused);
    // Neither does it help to name a lower one.
    assert_eq!(server.say("XSETID s 5-1 MAXDELETEDID 5-0"), refused);
    assert_eq!(server.say("XSETID s 6-0"), "+OK");
    assert_eq!(server.say("XSETID s 6-1 MAXDELETEDID 5-0"), "+OK");
    assert_eq!(server.say("XSETID s 5-1"), "+OK");
    let top = "-ERR The ID specified in XSETID is smaller than the target stream top item";
    server.say("XADD s 7-0 a b");
    assert_eq!(server.say("XSETID s 6-0"), top);
}

#[test]
fn entries_go_with_what_groups_say_of_them() {
    let mut server = Harness::new();
    for line in [
        "XADD s 1-1 a 1",
        "XADD s 2-1 a 1",
        "XADD s 3-1 a 1",
        "XADD s 4-1 a 1",
        "XGROUP CREATE s g 0",
    ] {
        server.say(line);
    }
    server.say("XGROUP CREATE s h 0");
    server.say("XREADGROUP GROUP g c COUNT 3 STREAMS s >");
    server.say("XREADGROUP GROUP h c COUNT 2 STREAMS s >");
    // The first is pending, the last not read by all.
    assert_eq!(server.say("XDELEX s ACKED IDS 2 1-1 4-1"), "*2 :2 :2");
    server.say("XACK s g 1-1");
    assert_eq!(server.say("XACKDEL s h ACKED IDS 2 1-1 1-1"), "*2 :1 :-1");
    assert_eq!(server.say("XACKDEL s g IDS 1 2-1"), "*1 :1");
    assert_eq!(server.say("XPENDING s h"), "*4 :1 $3 2-1 $3 2-1 *1 *2 $1 c $1 1");
    // What is left of an entry that went before goes, too.
    assert_eq!(server.say("XDELEX s DELREF IDS 1 2-1"), "*1 :-1");
    assert_eq!(server.say("XPENDING s h"), "*4 :0 $-1 $-1 *-1");
    assert_eq!(server.say("XDELEX s DELREF IDS 1 3-1"), "*1 :1");
    assert_eq!(server.say("XPENDING s g"), "*4 :0 $-1 $-1 *-1");
    assert_eq!(server.say("XRANGE s - +"), "*1 *2 $3 4-1 *2 $1 a $1 1");
}

#[test]
fn groups_that_are_gone_refer_to_nothing() {
    let mut server = Harness::new();
    for line in [
        "XADD s 1-1 a 1",
        "XADD s 2-1 a 1",
        "XGROUP CREATE s g 2",
        "XGROUP CREATE s h 0",
    ] {
        server.say(line);
    }
    assert_eq!(server.say("XDELEX s ACKED IDS 1 1-1"), "*1 :2");
    server.say("XGROUP DESTROY s h");
    assert_eq!(server.say("XDELEX s ACKED IDS 1 1-1"), "*1 :1");
}

#[test]
fn approximate_trims_mind_references() {
    let mut server = Harness::new();
    server.say("XGROUP CREATE s g 0 MKSTREAM");
    (1..=300).for_each(|n| drop(server.say(&format!("XADD s {n}-1 a 1"))));
    server.say("XREADGROUP GROUP g c STREAMS s >");
    server.say("XACK s g 50-1");
    assert_eq!(server.say("XTRIM s MAXLEN ~ 120 ACKED"), ":1");
    assert_eq!(server.say("XTRIM s MAXLEN ~ 120 DELREF"), ":99");
    assert_eq!(server.say("XPENDING s g - + 1"), "*1 *4 $5 101-1 $1 c :0 :1");
    assert_eq!(server.say("XADD s MAXLEN = 0 ACKED 301-1 a 1"), "$5 301-1");
    assert_eq!(server.say("XLEN s"), ":201");
}

#[test]
fn the_last_entry_is_waited_for() {
    let mut server = Harness::new();
    server.say("XGROUP CREATE s g 0 MKSTREAM");
    assert_eq!(server.say("XREAD BLOCK 0 STREAMS s +"), "*-1");
    server.say("XADD s 1-1 a 1");
    server.say("XADD s 2-1 a 2");
    let last = "*1 *2 $1 s *1 *2 $3 2-1 *2 $1 a $1 2";
    assert_eq!(server.say("XREAD COUNT 9 BLOCK 0 STREAMS s +"), last);
    server.say("XDEL s 2-1");
    assert_eq!(server.say("XREAD STREAMS s +"), "*1 *2 $1 s *1 *2 $3 1-1 *2 $1 a $1 1");
}

/// Streams `s` and `t` with entries 1-1 to 3-1 each, and a group of both.
fn with_two_streams() -> Harness {
    let mut server = Harness::new();
    for key in ["s", "t"] {
        server.say(&format!("XGROUP CREATE {key} g 0 MKSTREAM"));
        (1..=3).for_each(|n| drop(server.say(&format!("XADD {key} {n}-1 a {n}"))));
    }
    server
}

#[test]
fn what_has_been_pending_for_long_is_given_first() {
    let mut server = with_two_streams();
    server.say("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    server.advance_ms(40);
    server.say("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    server.advance_ms(60);
    // The second has not been pending for long enough; the third is new.
    let read = "XREADGROUP GROUP g d COUNT 5 CLAIM 100 STREAMS s >";
    let both = "*1 *2 $1 s *2 *4 $3 1-1 *2 $1 a $1 1 :100 :1 *4 $3 3-1 *2 $1 a $1 3 :0 :0";
    assert_eq!(server.say(read), both);
    assert_eq!(
        server.say("XPENDING s g"),
        "*4 :3 $3 1-1 $3 3-1 *2 *2 $1 c $1 1 *2 $1 d $1 2"
    );
    assert_eq!(server.say("XPENDING s g 1 1 1 d"), "*1 *4 $3 1-1 $1 d :0 :2");
    assert_eq!(server.say(read), "*-1");
    server.advance_ms(40);
    assert_eq!(server.say(read), "*1 *2 $1 s *1 *4 $3 2-1 *2 $1 a $1 2 :100 :1");
    // The one that waits longest comes first, whatever its id; NOACK is not for what was pending.
    server.advance_ms(1_000);
    let claim = "XREADGROUP GROUP g c COUNT 2 NOACK CLAIM 0 STREAMS s >";
    let oldest = "*1 *2 $1 s *2 *4 $3 1-1 *2 $1 a $1 1 :1040 :2 *4 $3 3-1 *2 $1 a $1 3 :1040 :1";
    assert_eq!(server.say(claim), oldest);
    assert_eq!(server.say("XPENDING s g - + 9 c").matches("$1 c").count(), 2);
}

#[test]
fn entries_that_are_gone_are_not_claimed() {
    let mut server = with_two_streams();
    server.say("XREADGROUP GROUP g c STREAMS s >");
    server.say("XDEL s 1-1 2-1");
    server.advance_ms(10);
    let last = "*1 *2 $1 s *1 *4 $3 3-1 *2 $1 a $1 3 :10 :1";
    assert_eq!(server.say("XREADGROUP GROUP g d COUNT 1 CLAIM 10 STREAMS s >"), last);
    assert_eq!(server.say("XPENDING s g"), "*4 :1 $3 3-1 $3 3-1 *1 *2 $1 d $1 1");
    server.say("XDEL s 3-1");
    // Nothing is given, and nothing stays behind either.
    assert_eq!(server.say("XREADGROUP GROUP g e CLAIM 0 BLOCK 0 STREAMS s >"), "*-1");
    assert_eq!(server.say("XPENDING s g"), "*4 :0 $-1 $-1 *-1");
    assert_eq!(server.say("XGROUP CREATECONSUMER s g e"), ":0");
}

#[test]
fn claim_is_for_groups_and_new_entries() {
    let mut server = with_two_streams();
    let not_here = "-ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.";
    assert_eq!(server.say("XREAD CLAIM 1 STREAMS s 0"), not_here);
    let not_integer = "-ERR min-idle-time is not an integer or out of range";
    assert_eq!(server.say("XREADGROUP GROUP g c CLAIM x STREAMS s >"), not_integer);
    let negative = "-ERR min-idle-time must be a positive integer";
    assert_eq!(server.say("XREADGROUP GROUP g c CLAIM -1 STREAMS s >"), negative);
    server.say("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    server.advance_ms(10);
    assert_eq!(server.say("XREADGROUP GROUP g d CLAIM 0 STREAMS s 0"), "*1 *2 $1 s *0");
    let history = "*1 *2 $1 s *1 *2 $3 1-1 *2 $1 a $1 1";
    assert_eq!(server.say("XREADGROUP GROUP g c CLAIM 0 STREAMS s 0"), history);
}

#[test]
fn replies_are_limited_over_all_streams() {
    let mut server = with_two_streams();
    let entry = |n| format!("*2 $3 {n}-1 *2 $1 a $1 {n}");
    let [one, two, three] = [1, 2, 3].map(entry);
    let of_both = format!("*2 *2 $1 s *2 {one} {two} *2 $1 t *1 {one}");
    assert_eq!(server.say("XREAD COUNT 2 MAXCOUNT 3 STREAMS s t 0 0"), of_both);
    let all_of_one = format!("*1 *2 $1 s *3 {one} {two} {three}");
    assert_eq!(server.say("XREAD MAXCOUNT 3 STREAMS s t 0 0"), all_of_one);
    // The first entry is given whatever its size, and of another stream nothing is begun that does not fit.
    let first = format!("*1 *2 $1 s *1 {one}");
    assert_eq!(server.say("XREAD MAXSIZE 1 STREAMS s t 0 0"), first);
    // The stream and its key take 11 bytes, each entry 31.
    let two_fit = format!("*1 *2 $1 s *2 {one} {two}");
    assert_eq!(server.say("XREAD MAXSIZE 73 STREAMS s t 0 0"), two_fit);
    assert_eq!(server.say("XREAD MAXSIZE 72 STREAMS s t 0 0"), first);
    assert_eq!(server.say("XREAD MAXSIZE 1 STREAMS none 0"), "*-1");
    // What is not given is not delivered.
    let group = "XREADGROUP GROUP g c MAXCOUNT 4 STREAMS s t > >";
    let four = format!("*2 *2 $1 s *3 {one} {two} {three} *2 $1 t *1 {one}");
    assert_eq!(server.say(group), four);
    assert_eq!(server.say("XPENDING t g").split(' ').nth(1), Some(":1"));
    let rest = format!("*1 *2 $1 t *1 {two}");
    assert_eq!(server.say("XREADGROUP GROUP g c MAXSIZE 2 STREAMS s t > >"), rest);
    assert_eq!(
        server.say("XREADGROUP GROUP g c MAXCOUNT 2 STREAMS s t 1-1 0"),
        format!("*1 *2 $1 s *2 {two} {three}")
    );
}

#[test]
fn limits_are_checked() {
    let mut server = with_two_streams();
    for (line, error) in [
        ("MAXCOUNT 0", "-ERR MAXCOUNT must be a positive integer"),
        ("MAXSIZE -1", "-ERR MAXSIZE must be a positive integer"),
        ("MAXSIZE x", "-ERR value is not an integer or out of range"),
        (
            "COUNT 3 MAXCOUNT 2",
            "-ERR MAXCOUNT must be greater than or equal to COUNT",
        ),
        (
            "MAXCOUNT 2 COUNT 3",
            "-ERR MAXCOUNT must be greater than or equal to COUNT",
        ),
    ] {
        assert_eq!(server.say(&format!("XREAD {line} STREAMS s 0")), error);
        assert_eq!(server.say(&format!("XREADGROUP GROUP g c {line} STREAMS s >")), error);
    }
}
