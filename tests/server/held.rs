//! Ports that are kept for a server until it has them: nobody else is given them meanwhile.

use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Socket, Type};

/// Keeps a port that is free. A server that is told of it can listen there all the same: both let an address be used
/// again, and this socket does not listen.
pub fn hold(port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an option");
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    socket.bind(&address.into()).expect("the port is free");
    socket
}

/// The same of any port, and which one it is.
pub fn held_port() -> (Socket, u16) {
    let socket = hold(0);
    let address = socket.local_addr().expect("an address").as_socket();
    let port = address.expect("an address with a port").port();
    (socket, port)
}
