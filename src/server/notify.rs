//! What a service manager is told that started the server: that it is ready, and that it ends (systemd's
//! `Type=notify`).
//!
//! The environment variable NOTIFY_SOCKET names a Unix socket, and a datagram to it is a message. It says whom to tell
//! and configures nothing. Where it is not there, nobody is told.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// All data is there, and clients are served.
pub(super) const READY: &str = "READY=1\nSTATUS=ready for clients";
/// Clients can connect, and are told that the data is being loaded.
pub(super) const LOADING: &str = "STATUS=loading data";
/// The server ends.
pub(super) const STOPPING: &str = "STOPPING=1\nSTATUS=ending";

/// Tells it, if there is somebody to tell. Whether it arrives does not matter to clients, so a failure is logged only.
pub(super) fn tell(message: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
        return;
    };
    if let Err(error) = send(&name, message) {
        tracing::warn!(%error, socket = ?name, "cannot tell the service manager");
    }
}

/// `name` is a path; with `@` as its first character it is a name in the abstract namespace.
fn send(name: &OsStr, message: &str) -> io::Result<()> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // The manager may be slow; the server does not wait for it.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let len = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    }

    #[test]
    fn by_path_and_by_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), READY).unwrap();
        assert_eq!(received(&socket), READY);

        let name = format!("lokikv-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(OsStr::new(&format!("@{name}")), STOPPING).unwrap();
        assert_eq!(received(&socket), STOPPING);
    }

    #[test]
    fn nobody_listens() {
        assert!(send(OsStr::new("/proc/nonexistent/notify"), READY).is_err());
    }
}
