//! Proves the two configuration files that are shipped: complete, valid, and saying what the defaults are.

use std::collections::BTreeSet;

use super::{Config, flat::DEFAULTS, load, locate};

const TOP: &str = include_str!("../../config.toml");
const DOCKER: &str = include_str!("../../docker/config.toml");

fn keys(text: &str) -> BTreeSet<String> {
    locate::entries(text)
        .unwrap()
        .into_iter()
        .map(|entry| entry.key)
        .collect()
}

#[test]
fn config_toml_is_exactly_the_defaults_but_for_the_port_of_http() {
    let mut config = Config::default();
    assert!(!config.http.is_on());
    config.http.port = 9121;
    assert_eq!(load::from_text(TOP, "config.toml"), Ok(config));
}

#[test]
fn config_toml_has_every_key_with_a_comment() {
    assert_eq!(keys(TOP), DEFAULTS.keys().cloned().collect());
    let lines: Vec<&str> = TOP.lines().collect();
    for entry in locate::entries(TOP).unwrap() {
        // Keys that are explained together stand together, below their comment.
        let mut above = lines[..entry.line - 1]
            .iter()
            .rev()
            .skip_while(|line| line.contains(" = "));
        assert!(above.next().unwrap().starts_with("# "), "{} has no comment", entry.key);
    }
}

#[test]
fn docker_config_fits_a_container() {
    let config = load::from_text(DOCKER, "docker/config.toml").unwrap();
    assert_eq!(config.server.bind, ["0.0.0.0"]);
    assert_eq!(config.storage.data_dir, "/data");
    assert_eq!(config.log.file, "");
    assert!(!config.server.protected_mode);
    assert!(config.wal.enabled);
}
