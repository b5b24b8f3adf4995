//! Loads the configuration: defaults, then the file, then the flags; every mistake with its place.
//!
//! **Invariants**
//! - An error is one line: place, key, reason.
//! - The order of layers is fixed here: defaults < file < flags; among flags the last wins.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use ::config::{File, FileFormat};

use super::{
    check,
    de::Setting,
    flat::{self, DEFAULTS},
    locate, refusal,
    schema::Config,
    suggest,
};

/// Why there is no configuration: `place: key: reason` in one line.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// One key set by a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Dotted key.
    pub key: String,
    /// Its value as text; a list may be written as in TOML.
    pub value: String,
    /// The flag as the user wrote it, for messages.
    pub flag: String,
}

/// What [`load`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The valid configuration.
    pub config: Config,
    /// The absolute path of the file it came from, if there was one.
    pub file: Option<PathBuf>,
}

/// The configuration from `file` (none: the defaults) and `overrides`.
pub fn load(file: Option<&Path>, overrides: &[Override]) -> Result<Loaded, ConfigError> {
    let Some(path) = file else {
        return Ok(Loaded {
            config: layers("", "defaults", overrides)?,
            file: None,
        });
    };
    let name = path.display().to_string();
    let read = || -> io::Result<_> { Ok((fs::read_to_string(path)?, path.canonicalize()?)) };
    let (text, absolute) = read().map_err(|error| ConfigError(format!("{name}: cannot read: {error}")))?;
    Ok(Loaded {
        config: layers(&text, &name, overrides)?,
        file: Some(absolute),
    })
}

/// The configuration that the text of a file alone means; `name` is used in messages.
pub(super) fn from_text(text: &str, name: &str) -> Result<Config, ConfigError> {
    layers(text, name, &[])
}

/// Where each key that is not at its default was set.
type Places = BTreeMap<String, String>;

fn layers(text: &str, name: &str, overrides: &[Override]) -> Result<Config, ConfigError> {
    let mut places = Places::new();
    for entry in locate::entries(text).map_err(|m| ConfigError(format!("{name}:{}: {}", m.line, m.message)))? {
        note(
            &mut places,
            &entry.key,
            format!("{name}:{}", entry.line),
            &entry.setting,
        )?;
    }
    let mut builder = ::config::Config::builder().add_source(File::from_str(text, FileFormat::Toml));
    for Override { key, value, flag } in overrides {
        let setting = flag_value(value);
        if !DEFAULTS.contains_key(key) {
            return Err(unknown_flag_key(key, flag));
        }
        note(&mut places, key, flag.clone(), &setting)?;
        let set = builder.set_override(key.as_str(), flat::to_value(&setting));
        builder = set.map_err(|error| at(flag, key, &refusal::bare(&error).to_string()))?;
    }
    let config: Config = builder
        .build()
        .and_then(::config::Config::try_deserialize)
        .map_err(|error| ConfigError(format!("{name}: {error}")))?;
    check::check(&config).map_err(|conflict| {
        let place = places.get(&conflict.key).map_or(name, String::as_str);
        at(place, &conflict.key, &conflict.reason)
    })?;
    Ok(config)
}

/// Checks one value alone and remembers where it came from.
fn note(places: &mut Places, key: &str, place: String, setting: &Setting) -> Result<(), ConfigError> {
    flat::check_one(key, setting).map_err(|why| at(&place, key, &why.to_string()))?;
    places.insert(key.to_owned(), place);
    Ok(())
}

fn at(place: &str, key: &str, reason: &str) -> ConfigError {
    ConfigError(format!("{place}: {key}: {reason}"))
}

fn unknown_flag_key(key: &str, flag: &str) -> ConfigError {
    let (section, name) = key.split_once('.').unwrap_or(("", key));
    let meant = suggest::key_for(section, name).map_or_else(String::new, |key| format!(" (did you mean {key}?)"));
    at(flag, key, &format!("unknown key{meant}"))
}

/// The value of a flag: text, unless it is written as a TOML list or a TOML string.
fn flag_value(value: &str) -> Setting {
    if value.starts_with(['[', '"', '\'']) {
        let parsed = value.parse::<toml_edit::Value>().map(toml_edit::Item::Value);
        if let Ok(Ok(setting)) = parsed.map(|item| locate::to_setting(&item)) {
            return setting;
        }
    }
    Setting::Text(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::Fsync;

    fn flag(key: &str, value: &str) -> Override {
        Override {
            key: key.to_owned(),
            value: value.to_owned(),
            flag: format!("--set {key}={value}"),
        }
    }

    fn error(text: &str, overrides: &[Override]) -> String {
        layers(text, "config.toml", overrides).unwrap_err().to_string()
    }

    #[test]
    fn defaults_then_file_then_flags() {
        assert_eq!(layers("", "x", &[]), Ok(Config::default()));
        let text = "[server]\nport = 7000\ndatabases = 4\n[memory]\nmax_bytes = \"1gb\"";
        let config = layers(text, "x", &[flag("server.port", "7001"), flag("wal.fsync", "always")]).unwrap();
        assert_eq!(
            (config.server.port, config.server.databases, config.memory.max_bytes),
            (7001, 4, 1 << 30)
        );
        assert_eq!(config.wal.fsync, Fsync::Always);
        let last = layers("", "x", &[flag("server.port", "1"), flag("server.port", "2")]).unwrap();
        assert_eq!(last.server.port, 2);
    }

    #[test]
    fn lists_and_odd_text_in_flags() {
        let bind = |value| layers("", "x", &[flag("server.bind", value)]).unwrap().server.bind;
        assert_eq!(bind("[\"::1\", \"127.0.0.1\"]"), ["::1", "127.0.0.1"]);
        assert_eq!(bind("::1,127.0.0.1"), ["::1", "127.0.0.1"]);
        for pass in ["0123", "1e5", "true", "[x", "a=b", ""] {
            let config = layers("", "x", &[flag("server.requirepass", pass)]).unwrap();
            assert_eq!(config.server.requirepass, pass);
        }
        let off = layers(
            "",
            "x",
            &[flag("wal.enabled", "no"), flag("checkpoint.interval_s", "0")],
        )
        .unwrap();
        assert!(!off.wal.enabled && off.checkpoint.interval_s == 0);
    }

    #[test]
    fn errors_are_one_line_with_the_place() {
        for (text, expected) in [
            (
                "[server]\nport = 70000",
                "config.toml:2: server.port: 70000 is not a port (0..=65535)",
            ),
            (
                "[server]\n\nprot = 1",
                "config.toml:3: server.prot: unknown key (did you mean server.port?)",
            ),
            (
                "[server]\nport = \"x\"",
                "config.toml:2: server.port: \"x\" is not a port (0..=65535)",
            ),
            (
                "[server]\ndatabases = 0",
                "config.toml:2: server.databases: 0 is not within 1..=65536",
            ),
            (
                "[server]\nmaxclients = true",
                "config.toml:2: server.maxclients: true is not a whole number",
            ),
            (
                "[server]\nprotected_mode = 3",
                "config.toml:2: server.protected_mode: 3 is not true or false",
            ),
            (
                "[server]\nbind = \"1.2.3\"",
                "config.toml:2: server.bind: \"1.2.3\" is not an address or host name",
            ),
            (
                "[server]\nbind = []",
                "config.toml:2: server.bind: needs at least one address",
            ),
            (
                "[server]\nunixsocketperm = 700",
                "config.toml:2: server.unixsocketperm: 700 is not a string of octal digits, such as \"700\" (\"0\": leave it to the umask)",
            ),
            (
                "[wal]\nsegment_bytes = 10",
                "config.toml:2: wal.segment_bytes: 10 is less than 64kb",
            ),
            (
                "[wal]\nfsync = \"hm\"",
                "config.toml:2: wal.fsync: \"hm\" is not one of: always, everysec, no",
            ),
            (
                "[memory]\nmax_bytes = \"1tb\"",
                "config.toml:2: memory.max_bytes: \"1tb\" is not a size (bytes, or a number with k, kb, m, mb, g or gb)",
            ),
            (
                "[checkpoint]\ncompression = \"zip\"",
                "config.toml:2: checkpoint.compression: \"zip\" is not one of: none, lz4",
            ),
            (
                "[tls]\nauth_clients = \"no\"\nprotocols = \"SSLv3\"",
                "config.toml:3: tls.protocols: \"SSLv3\" is none of: TLSv1.2, TLSv1.3",
            ),
            (
                "[slowlog]\nlog_slower_than_us = -2",
                "config.toml:2: slowlog.log_slower_than_us: -2 is not at least -1",
            ),
            (
                "[storage]\ndata_dir = \"\"",
                "config.toml:2: storage.data_dir: must not be empty",
            ),
            (
                "[notifications]\nkeyspace_events = \"Kq\"",
                "config.toml:2: notifications.keyspace_events: \"Kq\" has a letter that is no event class (use \"Ag$lshzxeKEtmdnoc\")",
            ),
            (
                "[log]\nlevel = [\"a\"]",
                "config.toml:2: log.level: [\"a\"] is not a string",
            ),
        ] {
            assert_eq!(error(text, &[]), expected);
        }
    }

    #[test]
    fn flags_are_named_in_errors() {
        let cases = [
            (
                flag("server.port", "99999"),
                "--set server.port=99999: server.port: 99999 is not a port (0..=65535)",
            ),
            (
                flag("port", "1"),
                "--set port=1: port: unknown key (did you mean server.port?)",
            ),
            (
                flag("tls.ciphers", "RC4"),
                "--set tls.ciphers=RC4: tls.ciphers: \"RC4\" is none of: ECDHE-ECDSA-AES256-GCM-SHA384:\
                 ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384:\
                 ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305",
            ),
        ];
        for (flag, expected) in cases {
            assert_eq!(error("", &[flag]), expected);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load(Some(Path::new("no/such.toml")), &[]).unwrap_err().to_string();
        assert!(error.starts_with("no/such.toml: cannot read: No such file"), "{error}");
    }

    #[test]
    fn everything_but_defaults_is_not_needed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        fs::write(&path, "[metrics]\n[server]\nport = 1\n").unwrap();
        let loaded = load(Some(&path), &[]).unwrap();
        assert_eq!(loaded.file, Some(path.canonicalize().unwrap()));
        assert_eq!(loaded.config.server.port, 1);
    }
}
