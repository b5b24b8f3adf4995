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
use crate::config::bind::ListenAddr;
use crate::config::schema::Config;
use crate::config::{ADMIN_CLIENTS_MAX, AdminDoor};
use crate::state::Server;

/// Only who runs the server, and root, may open the socket for administrators.
const ADMIN_MODE: u32 = 0o600;
/// So many connections for HTTP may wait to be accepted.
const HTTP_BACKLOG: u32 = 64;
/// The longest path that a Unix socket can have.
const UNIX_PATH_BYTES_MAX: usize = 107;

/// Sockets that are bound and listening.
pub struct Listeners {
    plain: Vec<std::net::TcpListener>,
    tls: Vec<std::net::TcpListener>,
    unix: Option<(StdUnixListener, PathBuf)>,
    /// For administrators.
    admin: Option<AdminListener>,
}

enum AdminListener {
    Tcp(std::net::TcpListener),
    Unix(StdUnixListener, PathBuf),
}

impl Listeners {
    /// The TCP port in use: the plain one, or else the one for TLS; 0 when there is none.
    pub fn port(&self) -> u16 {
        self.plain
            .iter()
            .chain(&self.tls)
            .find_map(|listener| listener.local_addr().ok())
            .map_or(0, |addr| addr.port())
    }

    /// Addresses, for the log.
    pub fn describe(&self) -> Vec<String> {
        let shown = |listener: &std::net::TcpListener| listener.local_addr().ok().map(|addr| addr.to_string());
        let mut all: Vec<String> = self.plain.iter().filter_map(shown).collect();
        all.extend(self.tls.iter().filter_map(shown).map(|addr| format!("{addr} (TLS)")));
        all.extend(self.unix.iter().map(|(_, path)| path.display().to_string()));
        let admin = self.admin.as_ref().map(|listener| match listener {
            AdminListener::Tcp(listener) => shown(listener).unwrap_or_default(),
            AdminListener::Unix(_, path) => path.display().to_string(),
        });
        all.extend(admin.map(|addr| format!("{addr} (administrators)")));
        all
    }
}

/// Why the server cannot listen.
#[derive(Debug)]
pub enum BindError {
    /// What this key has is no address.
    Address(&'static str, io::Error),
    /// An address, or the path of a Unix socket, cannot be had.
    Listen(String, io::Error),
    /// There is none.
    Nowhere,
}

impl fmt::Display for BindError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(key, error) => write!(out, "{key}: {error}"),
            Self::Listen(address, error) => write!(out, "cannot listen on {address}: {error}"),
            Self::Nowhere => out.write_str(
                "there is no address to listen on: see server.bind, server.port, tls.port and server.unixsocket",
            ),
        }
    }
}

impl std::error::Error for BindError {}

/// Binds what the configuration asks for.
///
/// # Errors
/// Which address is wrong, or in use.
pub fn bind(config: &Config) -> Result<Listeners, BindError> {
    let backlog = config.server.tcp_backlog;
    let address = |error| BindError::Address("server.bind", error);
    let plain = bind_all(&config.plain_addrs().map_err(address)?, backlog)?;
    let tls = bind_all(&config.tls_addrs().map_err(address)?, backlog)?;
    let unix = match config.server.unixsocket_path() {
        Some(path) => {
            let mode = config.server.unixsocket_mode();
            let listener =
                bind_unix(path, mode).map_err(|error| BindError::Listen(path.display().to_string(), error))?;
            Some((listener, path.to_owned()))
        }
        None => None,
    };
    if plain.is_empty() && tls.is_empty() && unix.is_none() {
        return Err(BindError::Nowhere);
    }
    Ok(Listeners {
        plain,
        tls,
        unix,
        admin: bind_admin(config)?,
    })
}

/// Binds what the configuration asks for to serve HTTP; nothing if it does not.
///
/// # Errors
/// Which address is wrong, or in use.
pub fn bind_http(config: &Config) -> Result<Vec<std::net::TcpListener>, BindError> {
    let address = |error| BindError::Address("http.bind", error);
    let bound = bind_all(&config.http_addrs().map_err(address)?, HTTP_BACKLOG);
    bound.map_err(|error| match error {
        BindError::Listen(address, error) => BindError::Listen(format!("{address} (http.port)"), error),
        other => other,
    })
}

fn bind_all(addrs: &[ListenAddr], backlog: u32) -> Result<Vec<std::net::TcpListener>, BindError> {
    let mut listeners = Vec::new();
    for listen in addrs {
        match bind_tcp(listen.addr, backlog) {
            Ok(listener) => listeners.push(listener),
            Err(error) if listen.optional && error.kind() == io::ErrorKind::AddrNotAvailable => {}
            Err(error) => return Err(BindError::Listen(listen.addr.to_string(), error)),
        }
    }
    Ok(listeners)
}

fn bind_admin(config: &Config) -> Result<Option<AdminListener>, BindError> {
    let Some(door) = config.admin_door() else {
        return Ok(None);
    };
    match door {
        AdminDoor::Tcp(addr) => bind_tcp(addr, config.server.tcp_backlog)
            .map(|listener| Some(AdminListener::Tcp(listener)))
            .map_err(|error| BindError::Listen(addr.to_string(), error)),
        // Nobody has asked for it here, and a data directory may lie deep.
        AdminDoor::Unix(path) if path.as_os_str().len() > UNIX_PATH_BYTES_MAX && config.has_default_admin_door() => {
            tracing::warn!(
                path = %path.display(),
                "no socket for administrators: its path is too long; set server.admin_bind"
            );
            Ok(None)
        }
        AdminDoor::Unix(path) => bind_unix(&path, Some(ADMIN_MODE))
            .map_err(|error| BindError::Listen(path.display().to_string(), error))
            .map(|listener| Some(AdminListener::Unix(listener, path))),
    }
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
    /// For administrators.
    spare_places: Places,
}

/// Which listener a connection comes by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Plain,
    Tls,
    Admin,
}

/// Accepts until the server ends, handing connections to the workers in turn.
pub async fn accept_all(listeners: Listeners, server: Arc<Server>, workers: Arc<Workers>) -> io::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let door = Arc::new(Door {
        server: Arc::clone(&server),
        workers,
        places: Places::default(),
        spare_places: Places::spare(),
    });
    let Listeners {
        plain,
        tls,
        unix,
        admin,
    } = listeners;
    let (mut tcp, mut sockets) = (Vec::new(), Vec::new());
    tcp.extend(plain.into_iter().map(|listener| (listener, By::Plain)));
    tcp.extend(tls.into_iter().map(|listener| (listener, By::Tls)));
    sockets.extend(unix.map(|(listener, path)| (listener, path, By::Plain)));
    match admin {
        Some(AdminListener::Tcp(listener)) => tcp.push((listener, By::Admin)),
        Some(AdminListener::Unix(listener, path)) => sockets.push((listener, path, By::Admin)),
        None => {}
    }
    for (listener, by) in tcp {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let door = Arc::clone(&door);
        tasks.spawn_local(async move {
            loop {
                match listener.accept().await {
                    Ok((socket, _)) => door.admit_tcp(socket, by).await,
                    Err(error) => note_accept_error(&error).await,
                }
            }
        });
    }
    for (listener, path, by) in sockets {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let (door, shown) = (Arc::clone(&door), Arc::from(path.display().to_string()));
        let remove = RemoveOnDrop(path);
        tasks.spawn_local(async move {
            let _remove = remove;
            loop {
                match listener.accept().await {
                    Ok((socket, _)) => {
                        if let Ok(socket) = socket.into_std() {
                            door.admit(Accepted::Unix(socket, Arc::clone(&shown)), by).await;
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
    async fn admit_tcp(&self, socket: tokio::net::TcpStream, by: By) {
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
        let accepted = match by {
            By::Tls => match self.server.tls.terms() {
                Some(terms) => Accepted::Tls(socket, terms),
                None => return,
            },
            By::Plain | By::Admin => Accepted::Tcp(socket),
        };
        if !is_local && open && live.protected_mode() {
            return refuse(&accepted, PROTECTED);
        }
        self.admit(accepted, by).await;
    }

    async fn admit(&self, accepted: Accepted, by: By) {
        let place = match by {
            By::Admin => self.spare_places.take(ADMIN_CLIENTS_MAX),
            By::Plain | By::Tls => self.places.take(self.server.params.live().maxclients()),
        };
        let Some(place) = place else {
            self.server.clients.rejected.fetch_add(1, Ordering::Relaxed);
            return refuse(&accepted, b"-ERR max number of clients reached\r\n");
        };
        self.workers.assign(accepted, place).await;
    }
}

/// Says why, as far as the socket's buffer takes it, and closes. Over TLS nothing has been agreed on by which it could
/// be said.
fn refuse(accepted: &Accepted, why: &[u8]) {
    use std::io::Write;
    let _ = match accepted {
        Accepted::Tcp(socket) => (&mut &*socket).write(why),
        Accepted::Unix(socket, _) => (&mut &*socket).write(why),
        Accepted::Tls(..) => Ok(0),
    };
}

const PROTECTED: &[u8] = b"-DENIED LokiKV is running in protected mode because protected mode is enabled and no \
password is set for the default user. In this mode connections are only accepted from the loopback interface. To \
connect from other machines, set server.requirepass, or disable protected mode (server.protected_mode = false, or \
CONFIG SET protected-mode no from this machine) if the network is trusted.\r\n";
