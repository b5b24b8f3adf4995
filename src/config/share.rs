//! A limit that is a number of bytes, or a share of `memory.max_bytes`: `"64mb"`, `"5%"`.
//!
//! **Invariant:** it fits one signed number, as in Redis: bytes as they are, a percentage negative.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::de::Setting;
use super::size;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteShare {
    /// So many bytes; 0: no limit.
    Bytes(u64),
    /// So many hundredths of the memory limit, 1 to 100; no limit where there is none of memory.
    Percent(u8),
}

impl Default for ByteShare {
    fn default() -> Self {
        Self::Bytes(0)
    }
}

impl ByteShare {
    /// What `text` says, if it is a size or a percentage.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(percent) = text.strip_suffix('%') else {
            return size::parse(text).map(Self::Bytes);
        };
        let percent = percent.parse().ok().filter(|percent| *percent <= 100)?;
        Some(if percent == 0 {
            Self::Bytes(0)
        } else {
            Self::Percent(percent)
        })
    }

    /// As one number; see the module.
    pub(super) fn to_number(self) -> i64 {
        match self {
            Self::Bytes(bytes) => i64::try_from(bytes).unwrap_or(i64::MAX),
            Self::Percent(percent) => -i64::from(percent),
        }
    }

    /// The bytes that a number stands for, with this limit of memory (0: none); 0: no limit.
    pub(super) fn bytes_of(number: i64, memory_bytes_max: u64) -> u64 {
        match u64::try_from(number) {
            Ok(bytes) => bytes,
            Err(_) => memory_bytes_max / 100 * number.unsigned_abs().min(100),
        }
    }
}

impl Serialize for ByteShare {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) => serializer.serialize_u64(*bytes),
            Self::Percent(percent) => serializer.serialize_str(&format!("{percent}%")),
        }
    }
}

impl<'de> Deserialize<'de> for ByteShare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Setting::deserialize(deserializer)?;
        let share = match &value {
            Setting::Int(number) => u64::try_from(*number).ok().map(Self::Bytes),
            Setting::Text(text) => Self::parse(text),
            Setting::Bool(_) | Setting::List(_) => None,
        };
        share.ok_or_else(|| D::Error::custom(format!("\"{value}\" is neither a size nor a percentage (\"5%\")")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_sizes_or_percentages() {
        for (text, share) in [
            ("0", Some(ByteShare::Bytes(0))),
            ("1mb", Some(ByteShare::Bytes(1 << 20))),
            ("5%", Some(ByteShare::Percent(5))),
            ("0%", Some(ByteShare::Bytes(0))),
            ("101%", None),
            ("-1%", None),
            ("%", None),
            ("x", None),
        ] {
            assert_eq!(ByteShare::parse(text), share, "{text}");
        }
        let bytes = |text, memory| ByteShare::bytes_of(ByteShare::parse(text).unwrap().to_number(), memory);
        assert_eq!((bytes("5%", 1000), bytes("5%", 0), bytes("2kb", 1000)), (50, 0, 2048));
    }
}
