//! MULTI and what belongs to it.

use super::context::{Client, Server};
use crate::engine::worker::Worker;

/// Forgets the client's watched keys.
pub fn unwatch_all(_server: &Server, _client: &mut Client, _worker: &mut Worker) {}
