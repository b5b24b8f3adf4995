//! Listening sockets, and who may come in.
//!
//! **Invariant:** as long as no worker keeps up, nobody is accepted: who comes waits in the system's queue
//! (`server.tcp_backlog`), not in memory of ours, and those who are here keep their turns.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::places::Places;
use super::socket::Accepted;
use super::worker::Workers;
use crate::config::schema::Config;
use crate::state::Server;

/// Sockets that are bound and listening.
pub struct Listeners {
    tcp: Vec<std::net::TcpListener>,
    unix: Option<(StdUnixListener, PathBuf)>,
}

impl Listeners {
    /// The TCP port in use; 0 when there is none.
    pub fn port(&self) -> u16 {
        self.tcp
            .first()
            .and_then(|listener| listener.local_addr().ok())
            .map_or(0, |addr| addr.port())
    }

    /// Addresses, for the log.
    pub fn describe(&self) -> Vec<String> {
        let tcp = self
            .tcp
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .map(|addr| addr.to_string());
        tcp.chain(self.unix.iter().map(|(_, path)| path.display().to_string()))
            .collect()
    }
}

/// Why the server cannot listen.
#[derive(Debug)]
pub enum BindError {
    /// `server.bind` has something that is no address.
    Address(io::Error),
    /// An address, or the path of a Unix socket, cannot be had.
    Listen(String, io::Error),
    /// There is none.
    Nowhere,
}

impl fmt::Display for BindError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => write!(out, "server.bind: {error}"),
            Self::Listen(address, error) => write!(out, "cannot listen on {address}: {error}"),
            Self::Nowhere => {
                out.write_str("there is no address to listen on: see server.bind, server.port and server.unixsocket")
            }
        }
    }
}

impl std::error::Error for BindError {}

/// Binds what the configuration asks for.
///
/// # Errors
/// Which address is wrong, or in use.
pub fn bind(config: &Config) -> Result<Listeners, BindError> {
    let mut tcp = Vec::new();
    if config.server.tcp_enabled() {
        for listen in config.server.listen_addrs().map_err(BindError::Address)? {
            match bind_tcp(listen.addr, config.server.tcp_backlog) {
                Ok(listener) => tcp.push(listener),
                Err(error) if listen.optional && error.kind() == io::ErrorKind::AddrNotAvailable => {}
                Err(error) => return Err(BindError::Listen(listen.addr.to_string(), error)),
            }
        }
    }
    let unix = match config.server.unixsocket_path() {
        Some(path) => {
            let mode = config.server.unixsocket_mode();
            let listener =
                bind_unix(path, mode).map_err(|error| BindError::Listen(path.display().to_string(), error))?;
            Some((listener, path.to_owned()))
        }
        None => None,
    };
    if tcp.is_empty() && unix.is_none() {
        return Err(BindError::Nowhere);
    }
    Ok(Listeners { tcp, unix })
}

fn bind_tcp(addr: SocketAddr, backlog: u32) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path, mode: Option<u32>) -> io::Result<StdUnixListener> {
    // A socket left behind by a process that is gone would block the bind; one in use answers.
    if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket()) {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let listener = StdUnixListener::bind(path)?;
    if let Some(mode) = mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Where connections come in.
struct Door {
    server: Arc<Server>,
    workers: Arc<Workers>,
    places: Places,
}

/// Accepts until the server ends, handing connections to the workers in turn.
pub async fn accept_all(listeners: Listeners, server: Arc<Server>, workers: Arc<Workers>) -> io::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let door = Arc::new(Door {
        server: Arc::clone(&server),
        workers,
        places: Places::default(),
    });
    for listener in listeners.tcp {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let door = Arc::clone(&door);
        tasks.spawn_local(async move {
            loop {
                match listener.accept().await {
                    Ok((socket, _)) => door.admit_tcp(socket).await,
                    Err(error) => note_accept_error(&error).await,
                }
            }
        });
    }
    if let Some((listener, path)) = listeners.unix {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let door = Arc::clone(&door);
        let _remove = RemoveOnDrop(path);
        tasks.spawn_local(async move {
            let _remove = _remove;
            loop {
                match listener.accept().await {
                    Ok((socket, _)) => {
                        if let Ok(socket) = socket.into_std() {
                            door.admit(Accepted::Unix(socket)).await;
                        }
                    }
                    Err(error) => note_accept_error(&error).await,
                }
            }
        });
    }
    server.shutdown.wait().await;
    tasks.shutdown().await;
    Ok(())
}

struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Accept errors (no descriptors left, aborted connections) pass; a short pause keeps them from spinning.
async fn note_accept_error(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}

impl Door {
    async fn admit_tcp(&self, socket: tokio::net::TcpStream) {
        let keepalive_s = self.server.params.live().tcp_keepalive_s();
        // Failing to set an option is no reason to refuse the client.
        let _ = socket.set_nodelay(true);
        if keepalive_s > 0 {
            let keepalive = TcpKeepalive::new()
                .with_time(std::time::Duration::from_secs(keepalive_s))
                .with_interval(std::time::Duration::from_secs((keepalive_s / 3).max(1)))
                .with_retries(3);
            let _ = SockRef::from(&socket).set_tcp_keepalive(&keepalive);
        }
        let is_local = socket
            .peer_addr()
            .is_ok_and(|addr| addr.ip().to_canonical().is_loopback());
        let Ok(socket) = socket.into_std() else { return };
        let live = self.server.params.live();
        let open = self.server.acl.default_user().has_no_password();
        if !is_local && open && live.protected_mode() {
            return refuse(&Accepted::Tcp(socket), PROTECTED);
        }
        self.admit(Accepted::Tcp(socket)).await;
    }

    async fn admit(&self, accepted: Accepted) {
        let Some(place) = self.places.take(self.server.params.live().maxclients()) else {
            self.server.clients.rejected.fetch_add(1, Ordering::Relaxed);
            return refuse(&accepted, b"-ERR max number of clients reached\r\n");
        };
        self.workers.assign(accepted, place).await;
    }
}

/// Says why, as far as the socket's buffer takes it, and closes.
fn refuse(accepted: &Accepted, why: &[u8]) {
    use std::io::Write;
    let _ = match accepted {
        Accepted::Tcp(socket) => (&mut &*socket).write(why),
        Accepted::Unix(socket) => (&mut &*socket).write(why),
    };
}

const PROTECTED: &[u8] = b"-DENIED LokiKV is running in protected mode because protected mode is enabled and no \
password is set for the default user. In this mode connections are only accepted from the loopback interface. To \
connect from other machines, set server.requirepass, or disable protected mode (server.protected_mode = false, or \
CONFIG SET protected-mode no from this machine) if the network is trusted.\r\n";
