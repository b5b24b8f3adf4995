//! Walks the text of a configuration file: which keys it sets, to what, and on which line.
//!
//! **Invariants**
//! - Only known keys come out; a mistake is reported with the line of the key, not of its section.

use std::fmt;

use toml_edit::{Document, Item, Key, Value};

use super::{
    de::Setting,
    flat::{DEFAULTS, is_section},
    suggest,
};

/// One key of the file.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    /// Dotted key.
    pub(super) key: String,
    /// Its value.
    pub(super) setting: Setting,
    /// Its line, from 1.
    pub(super) line: usize,
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Line, from 1.
    pub(super) line: usize,
    /// The whole message but the place.
    pub(super) message: String,
}

/// All keys that `text` sets, in order.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, Mistake> {
    let document = Document::parse(text).map_err(|error| Mistake {
        line: line_at(text, error.span().map_or(0, |span| span.start)),
        message: error.message().lines().collect::<Vec<_>>().join("; "),
    })?;
    let mut entries = Vec::new();
    for (section, item) in document.as_table() {
        let line = line_of(text, document.as_table().key(section), item);
        collect(text, section, item, line, &mut entries)?;
    }
    Ok(entries)
}

/// The entries of one section.
fn collect(text: &str, section: &str, item: &Item, line: usize, entries: &mut Vec<Entry>) -> Result<(), Mistake> {
    let mistake = |line, message| Err(Mistake { line, message });
    if !is_section(section) {
        let kind = if item.is_table_like() { "section" } else { "key" };
        let meant = suggest::section_for(section).or_else(|| suggest::key_for("", section));
        return mistake(line, format!("{section}: unknown {kind}{}", did_you_mean(meant)));
    }
    let Some(table) = item.as_table_like() else {
        return mistake(
            line,
            format!("{section}: is a section: write [{section}] and its keys below it"),
        );
    };
    for (name, value) in table.iter() {
        let line = line_of(text, table.key(name), value);
        let key = format!("{section}.{name}");
        if !DEFAULTS.contains_key(&key) {
            let meant = suggest::key_for(section, name);
            return mistake(line, format!("{key}: unknown key{}", did_you_mean(meant)));
        }
        match to_setting(value) {
            Ok(setting) => entries.push(Entry { key, setting, line }),
            Err(reason) => return mistake(line, format!("{key}: {reason}")),
        }
    }
    Ok(())
}

fn did_you_mean(meant: Option<String>) -> String {
    meant.map_or_else(String::new, |key| format!(" (did you mean {key}?)"))
}

/// Why a TOML value is none that the schema can have.
#[derive(Debug)]
pub(super) enum Unsuitable {
    /// A list of something else than strings.
    NotStrings,
    /// A value of this type.
    Type(&'static str),
}

impl fmt::Display for Unsuitable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStrings => out.write_str("is not a list of strings"),
            Self::Type(name) => write!(out, "a {name} is not accepted here"),
        }
    }
}

/// The plain form of a TOML value; the schema has no floats, dates or tables.
pub(super) fn to_setting(item: &Item) -> Result<Setting, Unsuitable> {
    match item {
        Item::Value(Value::Boolean(value)) => Ok(Setting::Bool(*value.value())),
        Item::Value(Value::Integer(value)) => Ok(Setting::Int(*value.value())),
        Item::Value(Value::String(value)) => Ok(Setting::Text(value.value().clone())),
        Item::Value(Value::Array(array)) => {
            let strings = array.iter().map(|item| item.as_str().map(str::to_owned));
            strings
                .collect::<Option<_>>()
                .map(Setting::List)
                .ok_or(Unsuitable::NotStrings)
        }
        other => Err(Unsuitable::Type(other.type_name())),
    }
}

fn line_of(text: &str, key: Option<&Key>, item: &Item) -> usize {
    let span = key.and_then(Key::span).or_else(|| item.span());
    line_at(text, span.map_or(0, |span| span.start))
}

/// The line, from 1, of the byte at `offset`.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        let Mistake { line, message } = entries(text).unwrap_err();
        format!("{line}: {message}")
    }

    #[test]
    fn keys_and_lines() {
        let found =
            entries("# one\n[server]\nport = 1 # two\nbind = [\n  \"::1\",\n]\n[wal]\n\nenabled = false\n").unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|e| (e.key.as_str(), e.setting.to_string(), e.line))
            .collect();
        assert_eq!(
            shown,
            [
                ("server.port", "1".to_owned(), 3),
                ("server.bind", "::1".to_owned(), 4),
                ("wal.enabled", "false".to_owned(), 9)
            ]
        );
        assert_eq!(entries("server.port = 2\nwal = { fsync = \"no\" }").unwrap().len(), 2);
    }

    #[test]
    fn mistakes_have_their_line() {
        assert_eq!(
            mistake("[server]\n\nprot = 1"),
            "3: server.prot: unknown key (did you mean server.port?)"
        );
        assert_eq!(
            mistake("\n[sever]\nport = 1"),
            "2: sever: unknown section (did you mean server?)"
        );
        assert_eq!(
            mistake("maxmemory = 1"),
            "1: maxmemory: unknown key (did you mean memory.max_bytes?)"
        );
        assert_eq!(
            mistake("server = 1"),
            "1: server: is a section: write [server] and its keys below it"
        );
        assert_eq!(
            mistake("[server]\nport = 1.5"),
            "2: server.port: a float is not accepted here"
        );
        assert_eq!(
            mistake("[server]\nbind = [1]"),
            "2: server.bind: is not a list of strings"
        );
        assert!(mistake("[server]\nport = 1\nport = 2").starts_with("3: "));
        assert!(mistake("[server]\nport = \n").starts_with("2: "));
    }
}
