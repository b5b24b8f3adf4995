//! Numbers at the ends of their ranges, wherever a client may write one: an answer as Redis gives it, never a panic.

use super::table::table;
use super::testing::Harness;
use crate::resp::OwnedRequest;

/// More keys than there are, from one too many to what wraps when places are computed from it.
const TOO_MANY: &[&str] = &["3", "4294967297", "9223372036854775806", "9223372036854775807"];
/// No number of keys: beyond a signed 64-bit number.
const NO_NUMBER: &[&str] = &["9223372036854775808", "18446744073709551614", "18446744073709551615"];

const SYNTAX: &str = "-ERR syntax error";
const INTEGER: &str = "-ERR value is not an integer or out of range";
const POSITIVE: &str = "-ERR numkeys should be greater than 0";
const MORE_THAN_ARGS: &str = "-ERR Number of keys can't be greater than number of args";

#[test]
fn a_wrong_number_of_keys_is_answered_as_by_redis() {
    let commands = [
        ("ZUNION # a b", SYNTAX, INTEGER),
        ("ZINTER # a b", SYNTAX, INTEGER),
        ("ZDIFF # a b", SYNTAX, INTEGER),
        ("ZINTERCARD # a b", SYNTAX, INTEGER),
        ("ZUNIONSTORE d # a b", SYNTAX, INTEGER),
        ("ZINTERSTORE d # a b", SYNTAX, INTEGER),
        ("ZDIFFSTORE d # a b", SYNTAX, INTEGER),
        ("SINTERCARD # a b", MORE_THAN_ARGS, POSITIVE),
        ("LMPOP # a LEFT", SYNTAX, POSITIVE),
        ("BLMPOP 0 # a LEFT", SYNTAX, POSITIVE),
        ("ZMPOP # a MIN", SYNTAX, POSITIVE),
        ("BZMPOP 0 # a MIN", SYNTAX, POSITIVE),
    ];
    let mut server = Harness::new();
    for (command, too_many, no_number) in commands {
        for (numbers, expected) in [(TOO_MANY, too_many), (NO_NUMBER, no_number)] {
            for number in numbers {
                let line = command.replace('#', number);
                assert_eq!(server.say(&line), expected, "{line}");
            }
        }
    }
}

#[test]
fn keys_are_counted_only_where_they_are() {
    for (count, found) in [("1", Some(vec![2])), ("2", Some(vec![2, 3])), ("0", None), ("-1", None)] {
        assert_eq!(keys_of(&["ZUNION", count, "a", "b"]), found, "{count}");
    }
    for count in TOO_MANY.iter().chain(NO_NUMBER) {
        assert_eq!(keys_of(&["ZUNION", count, "a", "b"]), None, "{count}");
        assert_eq!(keys_of(&["BLMPOP", "0", count, "a", "LEFT"]), None, "{count}");
        assert_eq!(keys_of(&["ZDIFFSTORE", "d", count, "a", "b"]), None, "{count}");
    }
}

/// The places of the keys in a request, if they can be told.
fn keys_of(words: &[&str]) -> Option<Vec<usize>> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let request = OwnedRequest::from_slices(&words);
    let command = table().lookup(request.args().at(0)).unwrap();
    let uses = command.spec.key_uses(request.args()).ok()?;
    Some(uses.iter().map(|key| key.index).collect())
}
