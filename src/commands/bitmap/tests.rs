//! Bits as clients see them.

use crate::commands::testing::Harness;

fn check(server: &mut Harness, dialogue: &[(&str, &str)]) {
    for (line, reply) in dialogue {
        assert_eq!(server.say(line), *reply, "{line}");
    }
}

#[test]
fn single_bits() {
    check(
        &mut Harness::new(),
        &[
            ("SETBIT k 7 1", ":0"),
            ("SETBIT k 7 1", ":1"),
            ("GET k", "$1 \u{1}"),
            ("SETBIT k 20 0", ":0"),
            ("STRLEN k", ":3"),
            ("GETBIT k 7", ":1"),
            ("GETBIT k 4294967295", ":0"),
            ("GETBIT none 0", ":0"),
            (
                "GETBIT k 4294967296",
                "-ERR bit offset is not an integer or out of range",
            ),
            ("SETBIT k -1 1", "-ERR bit offset is not an integer or out of range"),
            ("SETBIT k 1 2", "-ERR bit is not an integer or out of range"),
            ("SETBIT none 0 0", ":0"),
            ("STRLEN none", ":1"),
        ],
    );
}

#[test]
fn counts_and_positions() {
    check(
        &mut Harness::new(),
        &[
            ("SET k foobar", "+OK"),
            ("BITCOUNT k", ":26"),
            ("BITCOUNT k 1 1", ":6"),
            ("BITCOUNT k 5 30 BIT", ":17"),
            ("BITCOUNT k 0", "-ERR syntax error"),
            ("BITCOUNT k 0 1 foo", "-ERR syntax error"),
            ("BITCOUNT k -1 -2 foo", "-ERR syntax error"),
            ("BITCOUNT k -1 -2 bit", ":0"),
            ("BITCOUNT k a 1", "-ERR value is not an integer or out of range"),
            ("BITCOUNT none a b", "-ERR value is not an integer or out of range"),
            ("BITCOUNT none 0 1", ":0"),
            ("BITPOS k 1", ":1"),
            ("BITPOS k 0 2 -1 BIT", ":3"),
            ("BITPOS k 2", "-ERR The bit argument must be 1 or 0."),
            ("BITPOS none 0 a", "-ERR value is not an integer or out of range"),
            ("BITPOS none 0 1", ":0"),
            ("BITPOS none 1", ":-1"),
            ("BITPOS k 0 0 -1 foo", "-ERR syntax error"),
        ],
    );
}

#[test]
fn combinations() {
    check(
        &mut Harness::new(),
        &[
            ("MSET a foobar b abcdef", "+OK"),
            ("BITOP AND d a b", ":6"),
            ("GET d", "$6 `bc`ab"),
            ("BITOP OR d a none", ":6"),
            ("GET d", "$6 foobar"),
            ("BITOP XOR a a a", ":6"),
            ("GET a", "$6 \0\0\0\0\0\0"),
            (
                "BITOP NOT d a b",
                "-ERR BITOP NOT must be called with a single source key.",
            ),
            ("BITOP NAND d a b", "-ERR syntax error"),
            ("BITOP OR d none", ":0"),
            ("GET d", "$-1"),
        ],
    );
}

#[test]
fn fields() {
    check(
        &mut Harness::new(),
        &[
            ("BITFIELD k GET u8 0", "*1 :0"),
            ("STRLEN k", ":0"),
            ("BITFIELD k INCRBY i5 100 1 GET u4 0", "*2 :1 :0"),
            ("STRLEN k", ":14"),
            ("BITFIELD k SET u8 #1 200 GET u8 #1", "*2 :0 :200"),
            ("BITFIELD k OVERFLOW FAIL INCRBY u8 #1 100", "*1 $-1"),
            ("BITFIELD k OVERFLOW SAT INCRBY u8 #1 100", "*1 :255"),
            ("BITFIELD k INCRBY u8 #1 1", "*1 :0"),
            ("BITFIELD k", "*0"),
            ("BITFIELD new OVERFLOW FAIL SET u2 60 9", "*1 $-1"),
            ("STRLEN new", ":8"),
            ("BITFIELD k SET u8 0 1 FOO", "-ERR syntax error"),
            ("BITFIELD k GET u8", "-ERR syntax error"),
            ("BITFIELD k OVERFLOW foo", "-ERR Invalid OVERFLOW type specified"),
            ("BITFIELD k SET u8 0 x", "-ERR value is not an integer or out of range"),
            ("BITFIELD_RO k GET u8 #1 GET i64 0", "*2 :0 :0"),
            (
                "BITFIELD_RO k SET u8 0 1",
                "-ERR BITFIELD_RO only supports the GET subcommand",
            ),
            (
                "BITFIELD k GET u64 0",
                "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            ),
        ],
    );
}
