//! What `inspect` finds, one document at a time: a line for people, or a line of JSON.
//!
//! **Invariants**
//! - A document is bounded, whatever it shows: long byte strings and lists are shortened, and say so.
//! - Nothing that is shown can change what a terminal does: control characters are escaped.

use std::io::{self, Write};

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::engine::field::Field;

/// Bytes of a byte string that are shown.
const SHOWN_BYTES_MAX: usize = 1024;
/// Items of a list that are shown.
const SHOWN_ITEMS_MAX: usize = 1000;

/// Names and values of a document.
pub type Fields = Vec<(String, Field)>;

/// Makes [`Fields`]: `fields!["lsn" => 5_u64, "path" => path]`.
#[macro_export]
macro_rules! fields {
    [$($name:literal => $value:expr),* $(,)?] => {
        vec![$(($name.to_owned(), $crate::engine::field::Field::from($value))),*]
    };
}

/// Takes documents.
pub struct Report<'a> {
    out: &'a mut dyn Write,
    as_json: bool,
    /// Faults so far.
    pub faults: u64,
}

impl<'a> Report<'a> {
    /// Writes to `out`, as JSON or for people.
    pub fn new(out: &'a mut dyn Write, as_json: bool) -> Self {
        Self {
            out,
            as_json,
            faults: 0,
        }
    }

    /// One document. `kind` says what it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show(&mut self, kind: &str, fields: Fields) -> io::Result<()> {
        if self.as_json {
            let mut document = fields!["document" => kind];
            document.extend(fields);
            serde_json::to_writer(&mut *self.out, &Json(&Field::Map(document)))?;
            return writeln!(self.out);
        }
        let mut line = kind.to_owned();
        let mut below = Vec::new();
        for (name, value) in &fields {
            match value {
                Field::List(items) if items.iter().any(|item| matches!(item, Field::Map(_))) => below.extend(items),
                value => line.push_str(&format!("  {name}={}", to_text(value))),
            }
        }
        writeln!(self.out, "{line}")?;
        for item in below.into_iter().take(SHOWN_ITEMS_MAX) {
            writeln!(self.out, "    {}", inner_line(item))?;
        }
        Ok(())
    }

    /// What is damaged, missing or unknown.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn fault(&mut self, fields: Fields) -> io::Result<()> {
        self.faults += 1;
        self.show("fault", fields)
    }
}

fn inner_line(item: &Field) -> String {
    match item {
        Field::Map(fields) => {
            let parts = fields.iter().map(|(name, value)| format!("{name}={}", to_text(value)));
            parts.collect::<Vec<_>>().join("  ")
        }
        other => to_text(other),
    }
}

/// A field as JSON, its names in their order.
struct Json<'a>(&'a Field);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Field::Null => serializer.serialize_unit(),
            Field::Bool(value) => serializer.serialize_bool(*value),
            Field::Int(number) => serializer.serialize_i64(*number),
            Field::Uint(number) => serializer.serialize_u64(*number),
            // JSON has no infinities.
            Field::Double(number) if number.is_finite() => serializer.serialize_f64(*number),
            Field::Double(number) => serializer.collect_str(number),
            Field::Text(text) => serializer.serialize_str(text),
            Field::Bytes(bytes) => serialize_bytes(bytes, serializer),
            Field::List(items) => {
                let shown = items.iter().take(SHOWN_ITEMS_MAX);
                let mut list = serializer.serialize_seq(None)?;
                for item in shown {
                    list.serialize_element(&Json(item))?;
                }
                if items.len() > SHOWN_ITEMS_MAX {
                    let more = Field::Map(fields!["more" => items.len() - SHOWN_ITEMS_MAX]);
                    list.serialize_element(&Json(&more))?;
                }
                list.end()
            }
            Field::Map(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, &Json(value))?;
                }
                map.end()
            }
        }
    }
}

/// Text as a string, other bytes as `{"hex": …}`, long ones as `{"start": …, "bytes": n}`.
fn serialize_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    let start = match std::str::from_utf8(shown) {
        Ok(text) => Field::from(text),
        Err(_) => {
            let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            Field::Map(fields!["hex" => hex])
        }
    };
    if shown.len() == bytes.len() {
        return Json(&start).serialize(serializer);
    }
    let cut = Field::Map(fields!["start" => start, "bytes" => bytes.len()]);
    Json(&cut).serialize(serializer)
}

fn to_text(value: &Field) -> String {
    match value {
        Field::Null => "-".to_owned(),
        Field::Bool(value) => value.to_string(),
        Field::Int(number) => number.to_string(),
        Field::Uint(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Text(text) => quoted(text.as_bytes()),
        Field::Bytes(bytes) => quoted(bytes),
        Field::List(items) => {
            let mut shown: Vec<String> = items.iter().take(SHOWN_ITEMS_MAX).map(to_text).collect();
            if items.len() > shown.len() {
                shown.push(format!("... {} more", items.len() - shown.len()));
            }
            format!("[{}]", shown.join(", "))
        }
        Field::Map(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}={}", to_text(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Bytes as they are where that is clear, else quoted and escaped.
fn quoted(bytes: &[u8]) -> String {
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.:/#+".contains(letter);
    let mut text = match std::str::from_utf8(shown) {
        Ok(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        _ => format!("\"{}\"", shown.escape_ascii()),
    };
    if shown.len() < bytes.len() {
        text.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::Shared;

    fn shown(as_json: bool) -> String {
        let mut out = Vec::new();
        let bytes = |bytes: &[u8]| Field::Bytes(Shared::new(bytes.to_vec()));
        let effect = Field::Map(vec![("key".to_owned(), bytes(b"a\x1b[2J"))]);
        let fields = fields![
            "lsn" => 5_u64,
            "name" => "two words",
            "raw" => bytes(b"\xff\x00"),
            "long" => bytes(&[b'x'; 3000]),
            "effects" => Field::List(vec![effect]),
        ];
        Report::new(&mut out, as_json).show("record", fields).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_line_in_order() {
        let text = shown(true);
        assert!(
            text.starts_with(r#"{"document":"record","lsn":5,"name":"two words","raw":{"hex":"ff00"},"#),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["long"]["bytes"], 3000);
        assert_eq!(document["effects"][0]["key"], "a\u{1b}[2J");
    }

    #[test]
    fn lines_for_people_are_escaped_and_bounded() {
        let text = shown(false);
        assert!(
            text.starts_with("record  lsn=5  name=\"two words\"  raw=\"\\xff\\x00\"  long=xxx"),
            "{text}"
        );
        assert!(text.ends_with("    key=\"a\\x1b[2J\"\n"), "{text}");
        assert!(text.contains("... (3000 bytes)") && !text.contains('\x1b'), "{text}");
    }
}
