//! Checks of values against each other; a value alone was checked when it was read.

use std::path::PathBuf;

use super::schema::Config;

/// A combination that cannot work: the key to blame and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Dotted key.
    pub key: String,
    /// Why its value cannot stand.
    pub reason: String,
}

/// The first conflict in `config`.
pub(super) fn check(config: &Config) -> Result<(), Conflict> {
    ports(config)?;
    folders(config)
}

fn conflict(key: &'static str, reason: impl Into<String>) -> Result<(), Conflict> {
    Err(Conflict {
        key: key.to_owned(),
        reason: reason.into(),
    })
}

fn ports(config: &Config) -> Result<(), Conflict> {
    if let Some((key, reason)) = config.tls.conflict() {
        return conflict(key, reason);
    }
    let (plain, tls) = (config.server.port, config.tls.port);
    if tls != 0 && plain == tls {
        return conflict("tls.port", "it is server.port already");
    }
    let http = config.http.port;
    if http != 0 && (http == plain || http == tls) {
        let other = if http == plain { "server.port" } else { "tls.port" };
        return conflict("http.port", format!("it is {other} already"));
    }
    if config.http.tls && !config.tls.is_on() {
        return conflict("http.tls", "there is no TLS: see tls.port");
    }
    Ok(())
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
    use crate::config::values::AuthClients;

    #[test]
    fn defaults_are_in_harmony() {
        assert_eq!(check(&Config::default()), Ok(()));
    }

    #[test]
    fn tls_has_what_it_needs_and_a_port_of_its_own() {
        let mut config = Config::default();
        config.tls.port = config.server.port;
        assert_eq!(check(&config).unwrap_err().key, "tls.cert_file");
        config.tls.auth_clients = AuthClients::No;
        (config.tls.cert_file, config.tls.key_file) = ("cert.pem".to_owned(), "key.pem".to_owned());
        assert_eq!(check(&config).unwrap_err().key, "tls.port");
        config.tls.port += 1;
        assert_eq!(check(&config), Ok(()));
        for taken in [config.server.port, config.tls.port] {
            config.http.port = taken;
            assert_eq!(check(&config).unwrap_err().key, "http.port");
        }
        config.http.port = config.tls.port + 1;
        config.http.tls = true;
        assert_eq!(check(&config), Ok(()));
        config.tls.port = 0;
        assert_eq!(check(&config).unwrap_err().key, "http.tls");
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
