//! The configuration as a flat map from dotted key to value, and back.
//!
//! **Invariants**
//! - [`flatten`] has every key of the schema, whatever its value; it is where all lists of keys come from.
//! - [`build`] is the only way from values to a [`Config`], so every value passes the schema's checks.

use std::{collections::BTreeMap, sync::LazyLock};

use ::config::{Source, Value, ValueKind};
use serde::Deserialize;

use super::{acl::USERS, de::Setting, refusal::Refusal, schema::Config};

/// Dotted key (`section.key`) → value, sorted.
pub(super) type Flat = BTreeMap<String, Setting>;

/// Every key with its default.
pub(super) static DEFAULTS: LazyLock<Flat> = LazyLock::new(|| flatten(&Config::default()));

/// All keys of `config` with their values.
#[expect(
    clippy::expect_used,
    reason = "the schema is structs of scalars and string lists: they always serialize"
)]
pub(super) fn flatten(config: &Config) -> Flat {
    let layer = ::config::Config::try_from(config).expect("the schema serializes");
    let sections = layer.collect().expect("a serialized configuration can be read");
    let mut flat = Flat::new();
    for (section, table) in sections {
        for (key, value) in table.into_table().unwrap_or_default() {
            let setting = Setting::deserialize(value).expect("the schema has scalars and string lists only");
            flat.insert(format!("{section}.{key}"), setting);
        }
    }
    // The layer crate has no empty lists.
    flat.entry(USERS.to_owned())
        .or_insert_with(|| Setting::List(Vec::new()));
    flat
}

/// Whether `section` is a section of the file.
pub(super) fn is_section(section: &str) -> bool {
    // `metrics` has no key yet, so the list of keys does not show it.
    section == "metrics" || DEFAULTS.keys().any(|key| key.split('.').next() == Some(section))
}

/// The defaults with the known keys of `changes` laid over them.
pub(super) fn build<'a>(changes: impl IntoIterator<Item = (&'a String, &'a Setting)>) -> Result<Config, Refusal> {
    let mut builder = ::config::Config::builder();
    for (key, setting) in changes {
        builder = builder.set_override(key.as_str(), to_value(setting))?;
    }
    Ok(builder.build().and_then(::config::Config::try_deserialize)?)
}

/// Why `setting` cannot be the value of `key`, if it cannot.
pub(super) fn check_one(key: &str, setting: &Setting) -> Result<(), Refusal> {
    build([(&key.to_owned(), setting)]).map(drop)
}

/// The layer crate's form of a value.
pub(super) fn to_value(setting: &Setting) -> Value {
    let kind = match setting {
        Setting::Bool(value) => ValueKind::from(*value),
        Setting::Int(value) => ValueKind::from(*value),
        Setting::Text(value) => ValueKind::from(value.as_str()),
        Setting::List(items) => ValueKind::from(items.clone()),
    };
    Value::new(None, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_and_back_is_the_same() {
        let mut config = Config::default();
        config.server.bind = vec!["::1".to_owned(), "127.0.0.1".to_owned()];
        config.server.requirepass = "007".to_owned();
        config.slowlog.log_slower_than_us = -1;
        assert_eq!(build(&flatten(&config)).unwrap(), config);
    }

    /// Whatever the schema takes, it can write.
    #[test]
    fn huge_numbers_are_refused_or_kept() {
        for key in DEFAULTS.keys() {
            for number in [i64::MAX as u64, 1 << 63, u64::MAX] {
                let setting = Setting::Text(number.to_string());
                if let Ok(config) = build([(key, &setting)]) {
                    assert!(flatten(&config).contains_key(key), "{key} {number}");
                }
            }
        }
    }

    #[test]
    fn the_reason_is_bare() {
        let port = Setting::Int(70_000);
        let refused = check_one("server.port", &port).unwrap_err();
        assert_eq!(refused.to_string(), "70000 is not a port (0..=65535)");
    }
}
