//! Reading single values: what a key accepts, and the words of its refusal.
//!
//! **Invariants**
//! - Every refusal names the offending value and what would be accepted; the key and the place are added by the loader.
//! - Text that spells a number, a size or a switch is accepted where one is expected: flags and CONFIG SET give text.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

use super::{bind, keyspace_events, percentiles, size, stop};

/// A value of the configuration, whatever its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
            Self::List(items) => f.write_str(&items.join(" ")),
        }
    }
}

impl Setting {
    /// The value as it would stand in the file, for messages.
    fn quoted(&self) -> String {
        match self {
            Self::Text(value) => format!("{value:?}"),
            Self::List(items) => format!("{items:?}"),
            other => other.to_string(),
        }
    }

    /// The whole number this is, or spells.
    fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Accepts any scalar or list of strings.
struct SettingVisitor;

impl<'de> Visitor<'de> for SettingVisitor {
    type Value = Setting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, a string, true, false or a list of strings")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Setting, E> {
        Ok(Setting::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Setting, E> {
        Ok(Setting::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Setting, E> {
        i64::try_from(value)
            .map(Setting::Int)
            .map_err(|_| E::custom(format!("{value} is too large")))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Setting, E> {
        Ok(Setting::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Setting, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Setting::List(items))
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingVisitor)
    }
}

/// A word: text only.
pub(super) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Setting::deserialize(deserializer)? {
        Setting::Text(text) => Ok(text),
        other => Err(D::Error::custom(format!("{} is not a string", other.quoted()))),
    }
}

/// A string; a bare number is taken for its digits, so that `requirepass = 1234` does what it says.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Setting::deserialize(deserializer)? {
        Setting::Text(text) => Ok(text),
        Setting::Int(number) => Ok(number.to_string()),
        other => Err(D::Error::custom(format!("{} is not a string", other.quoted()))),
    }
}

/// `true` or `false`, or the words `yes` and `no`.
pub(super) fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Setting::deserialize(deserializer)?;
    match &value {
        Setting::Bool(on) => return Ok(*on),
        Setting::Text(text) if text == "true" || text == "yes" => return Ok(true),
        Setting::Text(text) if text == "false" || text == "no" => return Ok(false),
        _ => {}
    }
    Err(D::Error::custom(format!("{} is not true or false", value.quoted())))
}

/// A whole number within `MIN..=MAX`.
pub(super) fn int<'de, D, T, const MIN: i64, const MAX: i64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let value = Setting::deserialize(deserializer)?;
    let Some(number) = value.as_int() else {
        return Err(D::Error::custom(format!("{} is not a whole number", value.quoted())));
    };
    let fits = (MIN..=MAX)
        .contains(&number)
        .then(|| T::try_from(number).ok())
        .flatten();
    fits.ok_or_else(|| {
        let range = if MAX == i64::MAX {
            format!("at least {MIN}")
        } else {
            format!("within {MIN}..={MAX}")
        };
        D::Error::custom(format!("{number} is not {range}"))
    })
}

/// A TCP port; 0 is accepted.
pub(super) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let value = Setting::deserialize(deserializer)?;
    let port = value.as_int().and_then(|number| u16::try_from(number).ok());
    let shown = || {
        value
            .as_int()
            .map_or_else(|| value.quoted(), |number| number.to_string())
    };
    port.ok_or_else(|| D::Error::custom(format!("{} is not a port (0..=65535)", shown())))
}

/// A size in bytes of at least `MIN`.
pub(super) fn size<'de, D: Deserializer<'de>, const MIN: u64>(deserializer: D) -> Result<u64, D::Error> {
    size_in::<D, MIN, { i64::MAX as u64 }>(deserializer)
}

/// A size in bytes from `MIN` to `MAX`.
pub(super) fn size_in<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(
    deserializer: D,
) -> Result<u64, D::Error> {
    let value = Setting::deserialize(deserializer)?;
    let bytes = match &value {
        Setting::Int(number) => u64::try_from(*number).ok(),
        Setting::Text(text) => size::parse(text),
        _ => None,
    };
    match bytes {
        Some(bytes) if (MIN..=MAX).contains(&bytes) => Ok(bytes),
        Some(bytes) if bytes > MAX => Err(D::Error::custom(format!(
            "{} is more than {}",
            value.quoted(),
            size::format(MAX)
        ))),
        Some(_) => Err(D::Error::custom(format!(
            "{} is less than {}",
            value.quoted(),
            size::format(MIN)
        ))),
        None => Err(D::Error::custom(format!(
            "{} is not a size (bytes, or a number with k, kb, m, mb, g or gb)",
            value.quoted()
        ))),
    }
}

/// A list of addresses; one string is split at blanks and commas.
pub(super) fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let items = match Setting::deserialize(deserializer)? {
        Setting::List(items) => items,
        Setting::Text(text) => text
            .split([' ', ',', '\t'])
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect(),
        other => {
            return Err(D::Error::custom(format!(
                "{} is not a string or a list of strings",
                other.quoted()
            )));
        }
    };
    match items.iter().find(|item| !bind::is_valid(item)) {
        _ if items.is_empty() => Err(D::Error::custom("needs at least one address")),
        _ if items.len() > 16 => Err(D::Error::custom("more than 16 addresses")),
        Some(bad) => Err(D::Error::custom(format!("{bad:?} is not an address or host name"))),
        None => Ok(items),
    }
}

/// The permissions of a file, as a string of octal digits.
pub(super) fn octal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Setting::deserialize(deserializer)? {
        Setting::Text(text) if u32::from_str_radix(&text, 8).is_ok_and(|mode| mode <= 0o777) => Ok(text),
        other => Err(D::Error::custom(format!(
            "{} is not a string of octal digits, such as \"700\" (\"0\": leave it to the umask)",
            other.quoted()
        ))),
    }
}

/// Percentiles with blanks between them, in their shortest form.
pub(super) fn percentiles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = text(deserializer)?;
    let numbers = percentiles::from_text(&text).map_err(|fault| D::Error::custom(format!("{text:?}: {fault}")))?;
    Ok(percentiles::to_text(&numbers))
}

/// The classes of keyspace events, brought into canonical order.
pub(super) fn events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = word(deserializer)?;
    let flags = keyspace_events::from_text(&text).ok_or_else(|| {
        D::Error::custom(format!(
            "{text:?} has a letter that is no event class (use \"Ag$lshzxeKEtmdnoc\")"
        ))
    })?;
    Ok(keyspace_events::to_text(flags))
}

/// Words for how a signal ends the server, brought into canonical order.
pub(super) fn stop<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = word(deserializer)?;
    let bits = stop::from_text(&text).map_err(|fault| {
        D::Error::custom(match fault {
            stop::NotAWay::Unknown => format!("{text:?} is not made of: {}", stop::WORDS.join(", ")),
            stop::NotAWay::Both => format!("{text:?} asks for a checkpoint and for none"),
        })
    })?;
    Ok(stop::to_text(bits))
}

/// A path that must be given.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = word(deserializer)?;
    if path.is_empty() {
        Err(D::Error::custom("must not be empty"))
    } else {
        Ok(path)
    }
}
