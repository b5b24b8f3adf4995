//! A connection to a running server, and what it answers.

use std::collections::BTreeMap;
use std::time::Duration;

use redis_protocol::resp3::types::{OwnedFrame, Resp3Frame};

use super::super::connect::{ask, connect};
use crate::config::doctor_args::DoctorArgs;
use crate::config::server_url::ServerUrl;
use crate::resp::Client;

/// Names and their values.
pub(super) type Table = BTreeMap<String, String>;

pub(super) struct Link(Client);

impl Link {
    /// Connects, and logs in where the URL has a password.
    pub fn open(args: &DoctorArgs, url: &ServerUrl) -> Result<Self, String> {
        let client = connect(url, &args.tls, Duration::from_millis(args.timeout_ms));
        client.map(Self).map_err(|why| format!("{url}: {why}"))
    }

    /// What INFO tells.
    pub fn info(&mut self) -> Result<Table, String> {
        let frame = ask(&mut self.0, &["INFO", "everything"])?;
        Ok(fields(frame.as_str().ok_or("INFO is not answered by text")?))
    }

    /// What CONFIG GET tells of all parameters.
    pub fn config(&mut self) -> Result<Table, String> {
        match ask(&mut self.0, &["CONFIG", "GET", "*"])? {
            OwnedFrame::Array { data, .. } => {
                let words: Vec<String> = data
                    .iter()
                    .map(|word| word.as_str().unwrap_or_default().to_owned())
                    .collect();
                let pairs = words.chunks_exact(2).filter_map(|pair| match pair {
                    [name, value] => Some((name.clone(), value.clone())),
                    _ => None,
                });
                Ok(pairs.collect())
            }
            _ => Err("CONFIG GET is not answered by a list".to_owned()),
        }
    }
}

/// The lines `name:value` of INFO.
pub(super) fn fields(info: &str) -> Table {
    let pairs = info.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim_end().to_owned()))
        .collect()
}
