//! "Did you mean": the known key nearest to a mistyped one.

use super::{flat::DEFAULTS, params::table};

/// The key that whoever wrote `section.key` most likely meant.
pub(super) fn key_for(section: &str, key: &str) -> Option<String> {
    by_redis_name(key)
        .or_else(|| same_key_elsewhere(key))
        .or_else(|| nearest(&format!("{section}.{key}")))
}

/// The section that `section` is a misspelling of.
pub(super) fn section_for(section: &str) -> Option<String> {
    let sections = DEFAULTS.keys().filter_map(|key| key.split('.').next());
    closest(section, sections)
}

/// `maxmemory` and the like, also with underscores.
fn by_redis_name(key: &str) -> Option<String> {
    let name = key.replace('_', "-").to_ascii_lowercase();
    let param = table::find(&name)?;
    param.keys.first().map(|key| (*key).to_owned())
}

/// The right key in the wrong section, when only one section has it.
fn same_key_elsewhere(key: &str) -> Option<String> {
    let mut found = DEFAULTS
        .keys()
        .filter(|known| known.split_once('.').is_some_and(|(_, name)| name == key));
    found.next().filter(|_| found.next().is_none()).cloned()
}

fn nearest(path: &str) -> Option<String> {
    closest(path, DEFAULTS.keys().map(String::as_str))
}

fn closest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (distance, best) = candidates
        .map(|candidate| (distance(&text, candidate), candidate))
        .min()?;
    (distance <= (text.len() / 4).max(2)).then(|| best.to_owned())
}

/// Levenshtein distance in bytes; O(len × len), on text of a dozen bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let here = (diagonal + usize::from(x != y)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, here);
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, d) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("port", "prot", 2),
        ] {
            assert_eq!(distance(a, b), d, "{a} {b}");
        }
    }

    #[test]
    fn suggestions() {
        for (section, key, expected) in [
            ("server", "prot", Some("server.port")),
            ("server", "max_bytes", Some("memory.max_bytes")),
            ("memory", "maxmemory", Some("memory.max_bytes")),
            ("wal", "appendfsync", Some("wal.fsync")),
            ("wal", "f_sync", Some("wal.fsync")),
            ("server", "quite_something_else", None),
        ] {
            assert_eq!(key_for(section, key).as_deref(), expected, "{section}.{key}");
        }
        assert_eq!(section_for("sever").as_deref(), Some("server"));
        assert_eq!(section_for("elephants"), None);
    }
}
