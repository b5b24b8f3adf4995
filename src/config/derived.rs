//! What follows from configured values: paths, addresses, counts.

use std::io;
use std::path::{Path, PathBuf};

use super::bind::{self, ListenAddr};
use super::keyspace_events;
use super::schema::{Encoding, Memory, Notifications, Server, Storage};
use crate::engine::Engine;
use crate::engine::events::Classes;
use crate::page::access::Frequency;
use crate::page::thresholds::Limits;
use crate::recovery::verify::Folders;

/// Cores that this process may use.
pub fn core_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Server {
    /// The number of workers to start on this machine.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => core_count().saturating_sub(1).max(1),
            n => n,
        }
    }

    /// Whether TCP is served at all: port 0 beside a Unix socket turns it off.
    pub fn tcp_enabled(&self) -> bool {
        self.port != 0 || self.unixsocket.is_empty()
    }

    /// The sockets to listen on, host names looked up; empty when TCP is off.
    pub fn listen_addrs(&self) -> io::Result<Vec<ListenAddr>> {
        let mut addrs = Vec::new();
        for item in self.bind.iter().filter(|_| self.tcp_enabled()) {
            addrs.extend(bind::resolve(item, self.port)?);
        }
        Ok(addrs)
    }

    /// The Unix socket's path, when there is one.
    pub fn unixsocket_path(&self) -> Option<&Path> {
        (!self.unixsocket.is_empty()).then(|| Path::new(&self.unixsocket))
    }

    /// The mode to give the Unix socket, when one is configured.
    pub fn unixsocket_mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.unixsocketperm, 8)
            .ok()
            .filter(|mode| *mode != 0)
    }
}

impl Memory {
    /// Has the engine evict as is configured.
    pub fn configure_eviction(&self, engine: &Engine) {
        let frequency = Frequency {
            log_factor: self.lfu_log_factor as u32,
            decay_min: self.lfu_decay_min as u32,
        };
        let eviction = engine.eviction();
        eviction.configure(self.policy.into(), self.eviction_samples as u32, frequency);
    }
}

impl Notifications {
    /// The classes of events that are asked for.
    pub fn classes(&self) -> Classes {
        // The text was checked when it was read.
        keyspace_events::from_text(&self.keyspace_events).unwrap_or_default()
    }
}

impl Storage {
    /// The folder of everything.
    pub fn data_path(&self) -> PathBuf {
        PathBuf::from(&self.data_dir)
    }

    /// The folder of checkpoints.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.under(&self.checkpoint_dir, "checkpoint")
    }

    /// The folder of persisted collections.
    pub fn persist_path(&self) -> PathBuf {
        self.under(&self.persist_dir, "persist")
    }

    /// The folder of WAL segments.
    pub fn wal_path(&self) -> PathBuf {
        self.under(&self.wal_dir, "wal")
    }

    /// What `verify` reads.
    pub fn folders(&self) -> Folders {
        Folders {
            checkpoints: self.checkpoint_path(),
            persisted: self.persist_path(),
            log: self.wal_path(),
        }
    }

    fn under(&self, configured: &str, name: &str) -> PathBuf {
        if configured.is_empty() {
            self.data_path().join(name)
        } else {
            PathBuf::from(configured)
        }
    }
}

impl Encoding {
    /// As the log and manifests carry it.
    pub const fn limits(&self) -> Limits {
        Limits {
            hash_entries_max: self.hash_entries_max,
            hash_value_bytes_max: self.hash_value_bytes_max,
            intset_entries_max: self.intset_entries_max,
            zset_entries_max: self.zset_entries_max,
            zset_value_bytes_max: self.zset_value_bytes_max,
            stream_node_bytes_max: self.stream_node_bytes_max,
            stream_node_entries_max: self.stream_node_entries_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_follow_data_dir_unless_named() {
        let storage = Storage {
            data_dir: "/d".to_owned(),
            wal_dir: "/w".to_owned(),
            ..Storage::default()
        };
        assert_eq!(storage.checkpoint_path(), Path::new("/d/checkpoint"));
        assert_eq!(storage.persist_path(), Path::new("/d/persist"));
        assert_eq!(storage.wal_path(), Path::new("/w"));
    }

    #[test]
    fn sockets() {
        let mut server = Server {
            bind: vec!["*".to_owned(), "::1".to_owned()],
            port: 0,
            ..Server::default()
        };
        assert_eq!(server.listen_addrs().unwrap().len(), 2);
        assert_eq!((server.unixsocket_path(), server.unixsocket_mode()), (None, None));
        server.unixsocket = "/s".to_owned();
        server.unixsocketperm = "770".to_owned();
        assert_eq!(server.listen_addrs().unwrap(), []);
        assert_eq!(
            (server.unixsocket_path(), server.unixsocket_mode()),
            (Some(Path::new("/s")), Some(0o770))
        );
        assert_eq!(server.worker_count(), 1.max(core_count() - 1));
        server.workers = 7;
        assert_eq!(server.worker_count(), 7);
    }
}
