//! What follows from configured values: paths, addresses, counts.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use super::bind::{self, ListenAddr};
use super::keyspace_events;
use super::schema::{Config, Encoding, Memory, Notifications, Server, Storage};
use crate::engine::Engine;
use crate::engine::events::Classes;
use crate::page::access::Frequency;
use crate::page::thresholds::Limits;
use crate::recovery::verify::Folders;

/// So many connections of administrators are served at once.
pub const ADMIN_CLIENTS_MAX: u64 = 16;
/// So many connections by HTTP have a place at the same time.
pub const HTTP_CONNECTIONS_MAX: usize = 64;

/// Where administrators connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminDoor {
    /// To a TCP port.
    Tcp(SocketAddr),
    /// To a Unix socket.
    Unix(PathBuf),
}

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

impl Config {
    /// Whether plain TCP is served: port 0 beside a Unix socket or a TLS port turns it off.
    fn serves_plain_tcp(&self) -> bool {
        self.server.port != 0 || (self.server.unixsocket.is_empty() && !self.tls.is_on())
    }

    /// The sockets to listen on for plain TCP, host names looked up; empty when it is off.
    pub fn plain_addrs(&self) -> io::Result<Vec<ListenAddr>> {
        addrs(&self.server.bind, self.serves_plain_tcp().then_some(self.server.port))
    }

    /// Those for TLS.
    pub fn tls_addrs(&self) -> io::Result<Vec<ListenAddr>> {
        addrs(&self.server.bind, self.tls.is_on().then_some(self.tls.port))
    }

    /// Those for HTTP.
    pub fn http_addrs(&self) -> io::Result<Vec<ListenAddr>> {
        addrs(&self.http.bind, self.http.is_on().then_some(self.http.port))
    }

    /// Where administrators connect, if anywhere. A path that is not absolute begins in the data directory.
    pub fn admin_door(&self) -> Option<AdminDoor> {
        let text = self.server.admin_bind.as_str();
        if text.is_empty() {
            return None;
        }
        if let Ok(addr) = text.parse() {
            return Some(AdminDoor::Tcp(addr));
        }
        Some(AdminDoor::Unix(self.storage.data_path().join(text)))
    }

    /// Whether that is where it is unless somebody says otherwise.
    pub fn has_default_admin_door(&self) -> bool {
        self.server.admin_bind == Server::default().admin_bind
    }

    /// Threads that serve connections.
    pub fn serving_threads(&self) -> usize {
        self.server.worker_count() + usize::from(self.admin_door().is_some())
    }
}

fn addrs(hosts: &[String], port: Option<u16>) -> io::Result<Vec<ListenAddr>> {
    let mut addrs = Vec::new();
    if let Some(port) = port {
        for host in hosts {
            addrs.extend(bind::resolve(host, port)?);
        }
    }
    Ok(addrs)
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
    /// Has lists and sets called as is configured.
    pub fn configure_naming(&self, engine: &Engine) {
        let naming = engine.naming();
        naming.list_size.store(self.list_size, Relaxed);
        naming.set_entries_max.store(self.set_entries_max, Relaxed);
        naming.set_value_bytes_max.store(self.set_value_bytes_max, Relaxed);
    }

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
        let mut config = Config::default();
        config.server.bind = vec!["*".to_owned(), "::1".to_owned()];
        config.server.port = 0;
        assert_eq!(config.plain_addrs().unwrap().len(), 2);
        assert_eq!(config.tls_addrs().unwrap(), []);
        config.tls.port = 7;
        assert_eq!(config.plain_addrs().unwrap(), []);
        let ports: Vec<u16> = config
            .tls_addrs()
            .unwrap()
            .iter()
            .map(|listen| listen.addr.port())
            .collect();
        assert_eq!(ports, [7, 7]);
        let server = &mut config.server;
        assert_eq!((server.unixsocket_path(), server.unixsocket_mode()), (None, None));
        server.unixsocket = "/s".to_owned();
        server.unixsocketperm = "770".to_owned();
        assert_eq!(
            (server.unixsocket_path(), server.unixsocket_mode()),
            (Some(Path::new("/s")), Some(0o770))
        );
        assert_eq!(server.worker_count(), 1.max(core_count() - 1));
        server.workers = 7;
        assert_eq!(server.worker_count(), 7);
        config.tls.port = 0;
        assert_eq!(config.plain_addrs().unwrap(), []);
    }

    #[test]
    fn the_door_of_administrators() {
        let mut config = Config::default();
        config.storage.data_dir = "/d".to_owned();
        let mut door = |text: &str| {
            config.server.admin_bind = text.to_owned();
            config.admin_door()
        };
        assert_eq!(door(""), None);
        assert_eq!(door("admin.sock"), Some(AdminDoor::Unix("/d/admin.sock".into())));
        assert_eq!(door("/run/x"), Some(AdminDoor::Unix("/run/x".into())));
        assert_eq!(
            door("127.0.0.1:7000"),
            Some(AdminDoor::Tcp("127.0.0.1:7000".parse().unwrap()))
        );
    }
}
