//! What a service manager is told: that the data is there, not before, and that the server ends.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::held::hold;
use crate::support::Server;

#[test]
fn ready_when_the_data_is_there_and_stopping() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    let told = || {
        let mut buffer = [0; 256];
        let len = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let mut server = Server::lokikv_stopped(&[]);
    let _port = hold(server.port());
    server.set_env("NOTIFY_SOCKET", path.to_str());
    server.launch();
    assert_eq!(told(), "STATUS=loading data");
    assert_eq!(told(), "READY=1\nSTATUS=ready for clients");
    // By then nobody is told to wait for the data.
    assert_eq!(server.connect_early().call(&["PING"]).text(), "PONG");
    assert!(server.terminate().success());
    assert_eq!(told(), "STOPPING=1\nSTATUS=ending");
    socket.set_nonblocking(true).expect("a flag");
    let more = socket.recv(&mut [0; 256]).expect_err("one message of each kind");
    assert_eq!(more.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_manager_that_is_gone_is_no_reason_not_to_serve() {
    let mut server = Server::lokikv_stopped(&[]);
    server.set_env("NOTIFY_SOCKET", Some("/proc/nonexistent/notify"));
    server.restart();
    assert_eq!(server.connect().call(&["PING"]).text(), "PONG");
    assert!(server.stdout().contains("cannot tell the service manager"));
}
