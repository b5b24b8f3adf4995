//! Checks of values against each other; a value alone was checked when it was read.

use std::path::PathBuf;

use super::schema::Config;

/// A combination that cannot work: the key to blame and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// Dotted key.
    pub(super) key: &'static str,
    /// Why its value cannot stand.
    pub(super) reason: String,
}

/// The first conflict in `config`.
pub(super) fn check(config: &Config) -> Result<(), Conflict> {
    tls(config)?;
    folders(config)
}

fn conflict(key: &'static str, reason: impl Into<String>) -> Result<(), Conflict> {
    Err(Conflict {
        key,
        reason: reason.into(),
    })
}

fn tls(config: &Config) -> Result<(), Conflict> {
    let tls = &config.tls;
    let asked = [
        ("tls.port", tls.port != 0),
        ("tls.cert_file", !tls.cert_file.is_empty()),
        ("tls.key_file", !tls.key_file.is_empty()),
        ("tls.ca_file", !tls.ca_file.is_empty()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((key, _)) => conflict(key, "this version has no TLS yet; leave the section at its defaults"),
        None => Ok(()),
    }
}

/// Files of one purpose must not lie among those of another: each purpose deletes what it does not know.
fn folders(config: &Config) -> Result<(), Conflict> {
    let storage = &config.storage;
    let named: [(&'static str, PathBuf); 4] = [
        ("storage.data_dir", storage.data_path()),
        ("storage.checkpoint_dir", storage.checkpoint_path()),
        ("storage.persist_dir", storage.persist_path()),
        ("storage.wal_dir", storage.wal_path()),
    ];
    for (later, (key, folder)) in named.iter().enumerate() {
        if let Some((other, _)) = named.iter().take(later).find(|(_, earlier)| earlier == folder) {
            return conflict(key, format!("{:?} is already {other}", folder.display().to_string()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_harmony() {
        assert_eq!(check(&Config::default()), Ok(()));
    }

    #[test]
    fn tls_is_refused() {
        let mut config = Config::default();
        config.tls.key_file = "key.pem".to_owned();
        assert_eq!(check(&config).unwrap_err().key, "tls.key_file");
    }

    #[test]
    fn folders_must_differ() {
        let mut config = Config::default();
        config.storage.wal_dir = "./data/checkpoint".to_owned();
        assert_eq!(check(&config).unwrap_err().key, "storage.wal_dir");
        config.storage.wal_dir = "./data".to_owned();
        assert_eq!(check(&config).unwrap_err().key, "storage.wal_dir");
    }
}
