//! What those who answer are handed of a request.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::commands::spec::Table;
use crate::state::Server;

/// Who asks.
pub(super) struct Peer {
    /// From where.
    pub addr: SocketAddr,
    /// Whom its certificate names, where that counts as a login.
    pub name: Option<String>,
}

/// See the module.
pub(super) struct Asked<'a> {
    /// The server.
    pub server: &'a Arc<Server>,
    /// Its commands.
    pub commands: &'static Table,
    /// What it calls this server (`Host`).
    pub host: &'a str,
    /// What the client would like to have (`Accept`).
    pub accept: &'a str,
    /// What the address has behind its path.
    pub query: &'a str,
}
