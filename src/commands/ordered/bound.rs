//! Bounds and prefixes as arguments give them.

use crate::engine::index::ordered::{Edge, KeyRange};

/// The range that `min`, `max` and a prefix describe together.
pub(super) fn range(min: &[u8], max: &[u8], prefix: Option<&[u8]>) -> KeyRange {
    let range = KeyRange {
        low: low(min),
        high: high(max),
    };
    match prefix {
        Some(prefix) => range.and(KeyRange::with_prefix(prefix)),
        None => range,
    }
}

fn low(bound: &[u8]) -> Edge {
    match bound {
        b"-" => Edge::Start,
        b"+" => Edge::End,
        [b'(', key @ ..] => Edge::After(key.to_vec()),
        [b'[', key @ ..] | key => Edge::Before(key.to_vec()),
    }
}

fn high(bound: &[u8]) -> Edge {
    match bound {
        b"-" => Edge::Start,
        b"+" => Edge::End,
        [b'(', key @ ..] => Edge::Before(key.to_vec()),
        [b'[', key @ ..] | key => Edge::After(key.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let all = range(b"-", b"+", None);
        assert_eq!(all, KeyRange::ALL);
        let between = range(b"a", b"(b", None);
        assert_eq!(between.low, Edge::Before(b"a".to_vec()));
        assert_eq!(between.high, Edge::Before(b"b".to_vec()));
        assert_eq!(range(b"[a", b"[b", None).high, Edge::After(b"b".to_vec()));
        assert!(range(b"b", b"a", None).is_empty() && range(b"+", b"-", None).is_empty());
        assert!(range(b"(a", b"a", None).is_empty() && !range(b"a", b"a", None).is_empty());
    }

    #[test]
    fn prefixes() {
        let prefixed = |prefix: &[u8]| range(b"-", b"+", Some(prefix));
        assert_eq!(prefixed(b"ab").high, Edge::Before(b"ac".to_vec()));
        assert_eq!(prefixed(b"a\xff\xff").high, Edge::Before(b"b".to_vec()));
        assert_eq!(prefixed(b"\xff").high, Edge::End);
        assert_eq!(prefixed(b"").high, Edge::End);
        assert_eq!(range(b"abc", b"+", Some(b"ab")).low, Edge::Before(b"abc".to_vec()));
        assert!(range(b"b", b"+", Some(b"a")).is_empty());
    }
}
