//! Messages of producers, and entries that are given back: what no server beside which commands are compared has.

use crate::commands::testing::Harness;

fn says(server: &mut Harness, lines: &[(&str, &str)]) {
    for (line, answer) in lines {
        let words = line.split_ascii_whitespace();
        let words: Vec<&[u8]> = words
            .map(|word| if word == "\"\"" { b"" } else { word.as_bytes() })
            .collect();
        let reply = String::from_utf8(server.run(&words)).unwrap();
        assert_eq!(reply.trim_end().replace("\r\n", " "), *answer, "{line}");
    }
}

#[test]
fn a_message_becomes_an_entry_once() {
    let mut server = Harness::new();
    let first = server.say("XADD s IDMP p one * a 1");
    server.advance_ms(5);
    assert_eq!(server.say("XADD s IDMP p one * a 2"), first);
    assert_eq!(server.say("XADD s MAXLEN 0 idmp p one * a 2"), first);
    assert_eq!(server.say("XLEN s"), ":1");
    // Names are a producer's own, and are not those of another put together otherwise.
    let second = server.say("XADD s NOMKSTREAM IDMP q one MAXLEN ~ 9 * a 2");
    assert_ne!(second, first);
    assert_ne!(server.say("XADD s IDMP po ne * a 2"), first);
    let hashed = server.say("XADD s IDMPAUTO p * a 1 b 2");
    assert_eq!(server.say("XADD s IDMPAUTO p * b 2 a 1"), hashed);
    assert_ne!(server.say("XADD s IDMPAUTO p * a 2 b 1"), hashed);
    assert_ne!(server.say("XADD s IDMPAUTO p * a 1 a 1"), hashed);
    says(
        &mut server,
        &[
            ("XADD none NOMKSTREAM IDMP p one * a 1", "$-1"),
            ("XLEN s", ":6"),
            ("TYPE none", "+none"),
        ],
    );
}

#[test]
fn messages_are_known_for_as_long_and_as_many_as_is_told() {
    let mut server = Harness::new();
    let first = server.say("XADD s IDMP p one * a 1");
    says(&mut server, &[("XCFGSET s IDMP-DURATION 100 IDMP-MAXSIZE 100", "+OK")]);
    assert_eq!(server.say("XADD s IDMP p one * a 1"), first);
    says(&mut server, &[("XCFGSET s IDMP-DURATION 2 IDMP-MAXSIZE 2", "+OK")]);
    let again = server.say("XADD s IDMP p one * a 1");
    assert_ne!(again, first);
    server.advance_ms(1999);
    assert_eq!(server.say("XADD s IDMP p one * a 1"), again);
    server.advance_ms(1);
    assert_ne!(server.say("XADD s IDMP p one * a 1"), again);
    let two = server.say("XADD s IDMP p two * a 1");
    assert_eq!(server.say("XADD s IDMP p two * a 1"), two);
    server.say("XADD s IDMP p three * a 1");
    assert_eq!(server.say("XADD s IDMP p two * a 1"), two);
    // The oldest of this producer had to go.
    server.say("XADD s IDMP q one * a 1");
    assert_eq!(server.say("XLEN s"), ":6");
    server.say("XADD s IDMP p one * a 1");
    assert_eq!(server.say("XLEN s"), ":7");
    let info = server.say("XINFO STREAM s");
    let counts = "$13 idmp-duration :2 $12 idmp-maxsize :2 $12 pids-tracked :2 $12 iids-tracked :3 $10 iids-added :7 \
                  $15 iids-duplicates :4 $6 groups :0";
    assert!(info.contains(counts), "{info}");
    server.advance_ms(2000);
    server.say("XADD s IDMP q two * a 1");
    let full = server.say("XINFO STREAM s FULL");
    assert!(
        full.contains("$12 pids-tracked :1 $12 iids-tracked :1 $10 iids-added :8"),
        "{full}"
    );
}

#[test]
fn a_stream_without_messages_tells_nothing_of_them() {
    let mut server = Harness::new();
    server.say("XADD s 1-1 a 1");
    assert!(!server.say("XINFO STREAM s").contains("idmp"));
    server.say("XCFGSET s IDMP-MAXSIZE 100");
    assert!(server.say("XINFO STREAM s").contains("$12 idmp-maxsize :100"));
    let (copy, dump) = (server.say("COPY s t"), server.say("XINFO STREAM t"));
    assert_eq!((copy.as_str(), dump), (":1", server.say("XINFO STREAM s")));
}

#[test]
fn what_is_said_of_messages_wrongly() {
    let mut server = Harness::new();
    server.say("XADD s 1-1 a 1");
    server.say("SET str 1");
    let twice = "-ERR IDMP/IDMPAUTO specified multiple times";
    let auto = "-ERR IDMP/IDMPAUTO can be used only with auto-generated IDs";
    let duration = "-ERR IDMP-DURATION must be between 1 and 86400 seconds";
    let maxsize = "-ERR IDMP-MAXSIZE must be between 1 and 10000 entries";
    let number = "-ERR value is not an integer or out of range";
    says(
        &mut server,
        &[
            (
                "XADD s IDMP p * a 1",
                "-ERR Invalid stream ID specified as stream command argument",
            ),
            ("XADD s IDMP p one 2-1 a 1", auto),
            ("XADD s IDMPAUTO p 2-* a 1", auto),
            ("XADD s IDMP p one IDMP p two * a 1", twice),
            ("XADD s IDMPAUTO p IDMP p two * a 1", twice),
            (
                "XADD s IDMP \"\" one * a 1",
                "-ERR IDMP requires a non-empty producer ID",
            ),
            (
                "XADD s IDMP p \"\" * a 1",
                "-ERR IDMP requires a non-empty idempotent ID",
            ),
            (
                "XADD s IDMPAUTO \"\" * a 1",
                "-ERR IDMPAUTO requires a non-empty producer ID",
            ),
            ("XTRIM s MAXLEN 1 IDMP p one", "-ERR syntax error"),
            (
                "XADD str IDMP p one * a 1",
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
            ("XCFGSET s", "-ERR At least one parameter must be specified"),
            ("XCFGSET s IDMP-DURATION", "-ERR syntax error"),
            ("XCFGSET s DURATION 1", "-ERR syntax error"),
            ("XCFGSET s IDMP-DURATION 0", duration),
            ("XCFGSET s IDMP-DURATION 86401", duration),
            ("XCFGSET s IDMP-MAXSIZE -5", maxsize),
            ("XCFGSET s IDMP-DURATION 1 IDMP-MAXSIZE 10001", maxsize),
            ("XCFGSET s IDMP-MAXSIZE 3.5", number),
            ("XCFGSET s IDMP-MAXSIZE 000", number),
            ("XCFGSET none IDMP-MAXSIZE 5", "-ERR no such key"),
            ("XIDMPRECORD none p one 1-1", "-ERR no such key"),
            (
                "XIDMPRECORD s p one 2-1",
                "-ERR The specified stream ID was deleted or doesn't exist",
            ),
            ("XADD s 2-1 a 1", "$3 2-1"),
            ("XCFGSET s IDMP-DURATION 86400", "+OK"),
        ],
    );
    // Messages that have just become entries.
    let id = server.say("XADD s * a 1").split_off(4);
    let record = format!("XIDMPRECORD s p one {id}");
    assert_eq!(server.say(&record), "+OK");
    assert_eq!(server.say(&record), "+OK");
    assert_eq!(
        server.say("XIDMPRECORD s p one 2-1"),
        "-ERR The specified IDMP producer-id/idempotent-id pair maps to a different stream ID"
    );
    assert_eq!(server.say("XADD s IDMP p one * a 1"), format!("$15 {id}"));
}

#[test]
fn entries_are_given_back_to_their_group() {
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
    server.say("XREADGROUP GROUP g c COUNT 3 STREAMS s >");
    server.advance_ms(10);
    says(
        &mut server,
        &[
            ("XNACK s g FAIL IDS 2 2-1 9-9", ":1"),
            (
                "XPENDING s g - + 10",
                "*3 *4 $3 1-1 $1 c :10 :1 *4 $3 2-1 $0  :-1 :1 *4 $3 3-1 $1 c :10 :1",
            ),
            ("XPENDING s g", "*4 :3 $3 1-1 $3 3-1 *1 *2 $1 c $1 2"),
            ("XNACK s g silent IDS 3 2-1 2-1 1-1", ":3"),
            ("XPENDING s g - + 2", "*2 *4 $3 1-1 $0  :-1 :0 *4 $3 2-1 $0  :-1 :0"),
            ("XNACK s g FATAL RETRYCOUNT 7 IDS 1 2-1", ":1"),
            ("XNACK s g FATAL IDS 1 1-1 FORCE", ":1"),
            // One that is not pending is made so; one that is not there is not.
            ("XNACK s g SILENT IDS 2 4-1 9-9 FORCE", ":1"),
            ("XPENDING s g IDLE 5 - + 10 c", "*1 *4 $3 3-1 $1 c :10 :1"),
        ],
    );
    assert!(server.say("XINFO STREAM s FULL").contains("$12 nacked-count :3"));
    // They have waited longest, and are taken by whoever asks.
    says(
        &mut server,
        &[
            ("XCLAIM s g d 3600000 1-1 JUSTID", "*1 $3 1-1"),
            ("XCLAIM s g d 0 1-1", "*1 *2 $3 1-1 *2 $1 a $1 1"),
            ("XPENDING s g - + 1", "*1 *4 $3 1-1 $1 d :0 :9223372036854775807"),
            ("XAUTOCLAIM s g d 3600000 0 JUSTID", "*3 $3 0-0 *2 $3 2-1 $3 4-1 *0"),
            ("XPENDING s g 2-1 2-1 1", "*1 *4 $3 2-1 $1 d :0 :7"),
            ("XNACK s g FAIL IDS 1 3-1", ":1"),
            (
                "XREADGROUP GROUP g d COUNT 1 CLAIM 0 STREAMS s >",
                "*1 *2 $1 s *1 *4 $3 3-1 *2 $1 a $1 1 :-1 :1",
            ),
            ("XACK s g 3-1", ":1"),
            ("XNACK s g FAIL IDS 1 4-1", ":1"),
            ("XGROUP DELCONSUMER s g d", ":2"),
            ("XACK s g 4-1", ":1"),
            ("XPENDING s g", "*4 :0 $-1 $-1 *-1"),
        ],
    );
    assert!(!server.say("XINFO STREAM s FULL").contains("nacked"));
}

#[test]
fn what_is_said_wrongly_of_entries_given_back() {
    let mut server = Harness::new();
    server.say("XGROUP CREATE s g 0 MKSTREAM");
    server.say("SET str 1");
    let no_group = "-NOGROUP No such key 's' or consumer group 'h'";
    let not_positive = "-ERR numids must be a positive integer";
    says(
        &mut server,
        &[
            ("XNACK s g MAYBE IDS 1 1-1", "-ERR mode must be SILENT, FAIL, or FATAL"),
            ("XNACK s h MAYBE IDS 1 1-1", no_group),
            (
                "XNACK none g FAIL IDS 1 1-1",
                "-NOGROUP No such key 'none' or consumer group 'g'",
            ),
            (
                "XNACK str g FAIL IDS 1 1-1",
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
            ("XNACK s g FAIL IDS 0 1-1", not_positive),
            ("XNACK s g FAIL IDS x 1-1", not_positive),
            ("XNACK s g FAIL IDS 3 1-1", "-ERR number of IDs doesn't match numids"),
            (
                "XNACK s g FAIL IDS 1 1-1 BOGUS",
                "-ERR Unrecognized XNACK option 'BOGUS'",
            ),
            (
                "XNACK s g FAIL IDS 1 1-1 RETRYCOUNT -1",
                "-ERR Invalid RETRYCOUNT value, must be >= 0",
            ),
            (
                "XNACK s g FAIL FORCE RETRYCOUNT 1 FORCE",
                "-ERR syntax error, expected IDS keyword",
            ),
            (
                "XNACK s g FAIL IDS 1 never",
                "-ERR Invalid stream ID specified as stream command argument",
            ),
            ("XNACK s g FAIL IDS 1 1-1", ":0"),
        ],
    );
}
