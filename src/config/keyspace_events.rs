//! The classes of keyspace notifications: Redis's letters, as bits.
//!
//! **Invariants**
//! - [`to_text`] is canonical: it is what `CONFIG GET notify-keyspace-events` shows, letters in Redis's order.
//! - Like Redis 7.0, `A` stands for all classes but `m` and `n`, and hides an `n` beside it in the canonical text.

/// Events on the key's own channel (`K`).
pub const KEYSPACE: u32 = 1 << 0;
/// Events on the event's channel (`E`).
pub const KEYEVENT: u32 = 1 << 1;
/// Generic commands: DEL, EXPIRE, RENAME … (`g`).
pub const GENERIC: u32 = 1 << 2;
/// String commands (`$`).
pub const STRING: u32 = 1 << 3;
/// List commands (`l`).
pub const LIST: u32 = 1 << 4;
/// Set commands (`s`).
pub const SET: u32 = 1 << 5;
/// Hash commands (`h`).
pub const HASH: u32 = 1 << 6;
/// Sorted set commands (`z`).
pub const ZSET: u32 = 1 << 7;
/// Keys that expired (`x`).
pub const EXPIRED: u32 = 1 << 8;
/// Keys evicted for memory (`e`).
pub const EVICTED: u32 = 1 << 9;
/// Stream commands (`t`).
pub const STREAM: u32 = 1 << 10;
/// Reads of keys that do not exist (`m`).
pub const KEY_MISS: u32 = 1 << 11;
/// Module types (`d`); accepted, never raised.
pub const MODULE: u32 = 1 << 13;
/// Keys that came into being (`n`).
pub const NEW: u32 = 1 << 14;
/// What `A` stands for.
pub const ALL: u32 = GENERIC | STRING | LIST | SET | HASH | ZSET | EXPIRED | EVICTED | STREAM | MODULE;

/// The classes that `A` replaces, in the order in which Redis prints them, and `n`, which it prints among them.
const CLASSES: [(char, u32); 11] = [
    ('g', GENERIC),
    ('$', STRING),
    ('l', LIST),
    ('s', SET),
    ('h', HASH),
    ('z', ZSET),
    ('x', EXPIRED),
    ('e', EVICTED),
    ('t', STREAM),
    ('d', MODULE),
    ('n', NEW),
];
/// What is printed after the classes.
const REST: [(char, u32); 3] = [('K', KEYSPACE), ('E', KEYEVENT), ('m', KEY_MISS)];

/// Bits for `text`, or `None` when a letter names no class.
pub fn from_text(text: &str) -> Option<u32> {
    text.chars().try_fold(0, |flags, letter| {
        if letter == 'A' {
            return Some(flags | ALL);
        }
        let (_, bit) = CLASSES.iter().chain(&REST).find(|(known, _)| *known == letter)?;
        Some(flags | bit)
    })
}

/// The canonical text of `flags`.
pub fn to_text(flags: u32) -> String {
    let letters = |table: &[(char, u32)]| -> String {
        table
            .iter()
            .filter(|(_, bit)| flags & bit != 0)
            .map(|(letter, _)| *letter)
            .collect()
    };
    let classes = if flags & ALL == ALL {
        "A".to_owned()
    } else {
        letters(&CLASSES)
    };
    classes + &letters(&REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_that_of_redis() {
        for (set, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("AK", "AK"),
            ("Ex$lnm", "$lxnEm"),
            ("KEAn", "AKE"),
            ("g$lshzxetdKE", "AKE"),
        ] {
            assert_eq!(to_text(from_text(set).unwrap()), shown, "{set}");
        }
        assert_eq!(from_text("Kq"), None);
    }
}
