//! The addresses of `server.bind`: their forms, and the sockets they mean.
//!
//! **Invariants**
//! - What `is_valid` accepts, `resolve` understands; only the name service can still fail.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
};

/// One address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddr {
    /// Address and port.
    pub addr: SocketAddr,
    /// Whether the server goes on when this machine does not have the address.
    pub optional: bool,
}

/// Whether `item` can be listened on: an IP address, a host name, `*` or `::*`; a leading `-` makes it optional.
pub(super) fn is_valid(item: &str) -> bool {
    let (host, _) = split(item);
    let host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    ip(host).is_some()
        // A name of digits and dots only would be a mistyped address.
        || (host.contains(|c: char| c.is_ascii_alphabetic()) && host.chars().all(host_char))
}

/// The sockets that `item` means; a host name is looked up and may mean several.
pub(super) fn resolve(item: &str, port: u16) -> io::Result<Vec<ListenAddr>> {
    let (host, optional) = split(item);
    let with_mark = |addr| ListenAddr { addr, optional };
    if let Some(ip) = ip(host) {
        return Ok(vec![with_mark(SocketAddr::new(ip, port))]);
    }
    match (host, port).to_socket_addrs() {
        Ok(found) => Ok(found.map(with_mark).collect()),
        Err(_) if optional => Ok(Vec::new()),
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot resolve {host}: {error}"))),
    }
}

fn split(item: &str) -> (&str, bool) {
    item.strip_prefix('-').map_or((item, false), |host| (host, true))
}

fn ip(host: &str) -> Option<IpAddr> {
    match host {
        "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
        "::*" => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => host.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for good in ["127.0.0.1", "::1", "*", "::*", "-::1", "localhost", "-db-1.example.org"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "-", "1.2.3", "256.1.1.1", "a b", "[::1]", "host:80", "::g"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn sockets() {
        let shown = |item| {
            resolve(item, 7)
                .unwrap()
                .iter()
                .map(|l| (l.addr.to_string(), l.optional))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown("*"), [("0.0.0.0:7".to_owned(), false)]);
        assert_eq!(shown("-::*"), [("[::]:7".to_owned(), true)]);
        assert_eq!(shown("10.0.0.1"), [("10.0.0.1:7".to_owned(), false)]);
        assert!(
            resolve("localhost", 7)
                .unwrap()
                .iter()
                .all(|listen| listen.addr.ip().is_loopback())
        );
    }
}
