//! A reply as one ordered type for RESP2 and RESP3, so that replies can be compared, sorted and printed.
//!
//! **Invariants**: maps and sets are kept sorted (their order on the wire means nothing); attributes are dropped.

use std::fmt;

use redis_protocol::resp2::types::OwnedFrame as Frame2;
use redis_protocol::resp3::types::OwnedFrame as Frame3;

use super::text::quote;

/// A decoded reply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// `$-1` or `_`.
    Null,
    /// `*-1`.
    NullArray,
    Int(i64),
    Simple(Vec<u8>),
    Bulk(Vec<u8>),
    Error(Vec<u8>),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    /// As text, since a float has no total order.
    Double(String),
    Bool(bool),
    Big(Vec<u8>),
    Verbatim(Vec<u8>),
}

impl Value {
    /// A bulk string.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Value {
        Value::Bulk(bytes.as_ref().to_vec())
    }

    /// `+OK`.
    pub fn ok() -> Value {
        Value::Simple(b"OK".to_vec())
    }

    /// The bytes of any string-like reply (errors too).
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(b) | Value::Bulk(b) | Value::Error(b) | Value::Big(b) | Value::Verbatim(b) => Some(b),
            _ => None,
        }
    }

    /// The bytes of a string-like reply as text; empty for anything else.
    pub fn text(&self) -> String {
        self.bytes()
            .map(|b| String::from_utf8_lossy(b).into_owned())
            .unwrap_or_default()
    }

    /// The integer, if it is one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The elements of an array, set or push; a map is flattened as RESP2 does.
    pub fn items(&self) -> Vec<Value> {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => items.clone(),
            Value::Map(pairs) => pairs.iter().flat_map(|(k, v)| [k.clone(), v.clone()]).collect(),
            _ => Vec::new(),
        }
    }

    /// Key and value pairs of a map, or of the flat array RESP2 sends in its place.
    pub fn pairs(&self) -> Vec<(Value, Value)> {
        match self {
            Value::Map(pairs) => pairs.clone(),
            other => other
                .items()
                .chunks_exact(2)
                .map(|c| (c[0].clone(), c[1].clone()))
                .collect(),
        }
    }

    /// A number in a reply of `INFO`.
    pub fn figure(&self, name: &str) -> u64 {
        let info = self.text();
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|figure| figure.trim().parse().ok());
        number.unwrap_or_else(|| panic!("no number {name} in {info}"))
    }

    /// What a map, or the flat array in its place, has under `name`.
    pub fn field(&self, name: &str) -> Option<Value> {
        let found = self.pairs().into_iter().find(|(key, _)| key.text() == name);
        found.map(|(_, value)| value)
    }

    /// True for every kind of null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null | Value::NullArray)
    }

    /// True for an error reply.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_))
    }

    /// The name of the reply's type.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::NullArray => "null array",
            Value::Int(_) => "integer",
            Value::Simple(_) => "simple string",
            Value::Bulk(_) => "bulk string",
            Value::Error(_) => "error",
            Value::Array(_) => "array",
            Value::Map(_) => "map",
            Value::Set(_) => "set",
            Value::Push(_) => "push",
            Value::Double(_) => "double",
            Value::Bool(_) => "boolean",
            Value::Big(_) => "big number",
            Value::Verbatim(_) => "verbatim string",
        }
    }

    /// True if some part of it has no order on the wire (so that equal values may differ as bytes).
    pub fn has_unordered_part(&self) -> bool {
        match self {
            Value::Map(_) | Value::Set(_) => true,
            Value::Array(items) | Value::Push(items) => items.iter().any(Value::has_unordered_part),
            _ => false,
        }
    }

    /// The same value with its top-level array sorted.
    pub fn sorted(&self) -> Value {
        match self {
            Value::Array(items) => {
                let mut items = items.clone();
                items.sort();
                Value::Array(items)
            }
            other => other.clone(),
        }
    }
}

impl From<Frame2> for Value {
    fn from(frame: Frame2) -> Value {
        match frame {
            Frame2::SimpleString(b) => Value::Simple(b),
            Frame2::Error(s) => Value::Error(s.into_bytes()),
            Frame2::Integer(n) => Value::Int(n),
            Frame2::BulkString(b) => Value::Bulk(b),
            Frame2::Array(items) => Value::Array(items.into_iter().map(Value::from).collect()),
            Frame2::Null => Value::Null,
        }
    }
}

impl From<Frame3> for Value {
    fn from(frame: Frame3) -> Value {
        match frame {
            Frame3::BlobString { data, .. } | Frame3::ChunkedString(data) => Value::Bulk(data),
            Frame3::BlobError { data, .. } => Value::Error(data),
            Frame3::SimpleString { data, .. } => Value::Simple(data),
            Frame3::SimpleError { data, .. } => Value::Error(data.into_bytes()),
            Frame3::Boolean { data, .. } => Value::Bool(data),
            Frame3::Null => Value::Null,
            Frame3::Number { data, .. } => Value::Int(data),
            Frame3::Double { data, .. } => Value::Double(data.to_string()),
            Frame3::BigNumber { data, .. } => Value::Big(data),
            Frame3::VerbatimString { data, .. } => Value::Verbatim(data),
            aggregate => unreachable!("aggregates are decoded by the caller: {aggregate:?}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: &[Value]| {
            for (n, item) in items.iter().enumerate() {
                write!(f, "{}{item}", if n == 0 { "" } else { ", " })?;
            }
            Ok(())
        };
        match self {
            Value::Null => f.write_str("(nil)"),
            Value::NullArray => f.write_str("(nil array)"),
            Value::Int(n) => write!(f, "(integer) {n}"),
            Value::Simple(b) => write!(f, "+{}", quote(b)),
            Value::Bulk(b) => f.write_str(&quote(b)),
            Value::Error(b) => write!(f, "(error) {}", String::from_utf8_lossy(b)),
            Value::Double(s) => write!(f, "(double) {s}"),
            Value::Bool(b) => write!(f, "({b})"),
            Value::Big(b) => write!(f, "(big) {}", quote(b)),
            Value::Verbatim(b) => write!(f, "(verbatim) {}", quote(b)),
            Value::Array(items) => {
                f.write_str("[")?;
                list(f, items)?;
                f.write_str("]")
            }
            Value::Set(items) => {
                f.write_str("~{")?;
                list(f, items)?;
                f.write_str("}")
            }
            Value::Push(items) => {
                f.write_str(">[")?;
                list(f, items)?;
                f.write_str("]")
            }
            Value::Map(pairs) => {
                f.write_str("{")?;
                for (n, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if n == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}
