//! The classes of keyspace events: Redis's letters.
//!
//! **Invariants**
//! - As in Redis, `A` stands for all classes but `m`, `n`, `o` and `c`. The canonical text has letters in Redis's
//!   order.
//! - In what `CONFIG GET notify-keyspace-events` shows ([`to_redis_text`]) an `A` hides `n`, `o` and `c` beside it.
//!   Since they count all the same, the configuration keeps the text that shows them ([`to_text`]).

use crate::engine::events::Classes;

/// The classes that `A` stands for, in the order in which Redis prints them.
const ALL: [(char, Classes); 10] = [
    ('g', Classes::GENERIC),
    ('$', Classes::STRING),
    ('l', Classes::LIST),
    ('s', Classes::SET),
    ('h', Classes::HASH),
    ('z', Classes::ZSET),
    ('x', Classes::EXPIRED),
    ('e', Classes::EVICTED),
    ('t', Classes::STREAM),
    ('d', Classes::MODULE),
];
/// What is printed behind them, unless they are all there.
const BESIDE: [(char, Classes); 3] = [
    ('n', Classes::NEW),
    ('o', Classes::OVERWRITTEN),
    ('c', Classes::TYPE_CHANGED),
];
/// What is printed last.
const REST: [(char, Classes); 3] = [
    ('K', Classes::ON_KEYS),
    ('E', Classes::ON_EVENTS),
    ('m', Classes::MISSED),
];

fn all() -> Classes {
    ALL.iter().fold(Classes::NONE, |all, (_, class)| all.with(*class))
}

/// The classes that `text` names, or `None` when a letter names none.
pub fn from_text(text: &str) -> Option<Classes> {
    text.chars().try_fold(Classes::NONE, |classes, letter| {
        if letter == 'A' {
            return Some(classes.with(all()));
        }
        let mut known = ALL.iter().chain(&BESIDE).chain(&REST);
        let (_, class) = known.find(|(known, _)| *known == letter)?;
        Some(classes.with(*class))
    })
}

/// The canonical text of `classes`.
pub fn to_text(classes: Classes) -> String {
    named(classes, true)
}

/// The canonical text of `classes` as Redis shows it.
pub fn to_redis_text(classes: Classes) -> String {
    named(classes, false)
}

fn named(classes: Classes, tells_all: bool) -> String {
    let letters = |table: &[(char, Classes)]| -> String {
        let named = table.iter().filter(|(_, class)| classes.has(*class));
        named.map(|(letter, _)| *letter).collect()
    };
    let is_all = classes.has(all());
    let of_all = if is_all { "A".to_owned() } else { letters(&ALL) };
    let beside = if is_all && !tells_all {
        String::new()
    } else {
        letters(&BESIDE)
    };
    of_all + &beside + &letters(&REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_that_of_redis() {
        for (set, shown, kept) in [
            ("", "", ""),
            ("KEA", "AKE", "AKE"),
            ("AK", "AK", "AK"),
            ("Ex$lnm", "$lxnEm", "$lxnEm"),
            ("KEAn", "AKE", "AnKE"),
            ("AKEmnoc", "AKEm", "AnocKEm"),
            ("cno", "noc", "noc"),
            ("KEnocm", "nocKEm", "nocKEm"),
            ("gnocd", "gdnoc", "gdnoc"),
            ("g$lshzxetdKE", "AKE", "AKE"),
            ("KEg$lshzxet", "g$lshzxetKE", "g$lshzxetKE"),
        ] {
            let classes = from_text(set).unwrap();
            assert_eq!(to_redis_text(classes), shown, "{set}");
            assert_eq!(to_text(classes), kept, "{set}");
            assert_eq!(from_text(kept), Some(classes));
        }
        assert_eq!(from_text("Kq"), None);
    }
}
