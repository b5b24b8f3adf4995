//! What those who answer are handed of a request.

use std::sync::Arc;

use crate::commands::spec::Table;
use crate::state::Server;

/// See the module.
pub(super) struct Asked<'a> {
    /// The server.
    pub server: &'a Arc<Server>,
    /// Its commands.
    pub commands: &'static Table,
    /// What the client would like to have (`Accept`).
    pub accept: &'a str,
}
