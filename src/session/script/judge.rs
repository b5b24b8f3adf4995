//! What a running script may call: Redis's checks, in its order.
//!
//! **Invariant:** once a script has changed something it is not refused for a state of the server that comes and goes.

use crate::client::Client;
use crate::commands::error::CmdError;
use crate::commands::rights::{self, Moment};
use crate::commands::spec::{Handler, Table, flag};
use crate::session::admit;
use crate::session::call::Call;
use crate::state::Server;

const NOT_ALLOWED: CmdError = CmdError::text("ERR This Redis command is not allowed from script");
const READ_ONLY: CmdError = CmdError::text("ERR Write commands are not allowed from read-only scripts.");

/// See the module.
pub(super) struct Rights {
    /// It may change nothing.
    pub is_read_only: bool,
    /// It is refused what needs memory, since there was none when it began.
    pub denies_oom: bool,
    /// It has changed something.
    pub has_written: bool,
}

impl Rights {
    /// Judges a call; what runs then.
    pub fn judge(&mut self, place: (&Server, &Table), client: &Client, call: &Call<'_>) -> Result<Handler, CmdError> {
        let server = place.0;
        let handler = call.handler.in_multi(call.args).ok_or(NOT_ALLOWED)?;
        if call.has(flag::NO_SCRIPT) {
            return Err(NOT_ALLOWED);
        }
        if client.open_at() != server.acl.generation() {
            rights::check(place, client, (call.command, call.args), Moment::Script)?;
        }
        if self.is_read_only && call.has(flag::WRITE | flag::MAY_REPLICATE) {
            return Err(READ_ONLY);
        }
        if !self.has_written {
            if call.has(flag::WRITE) {
                admit::check_disk(server)?;
            }
            if call.has(flag::DENY_OOM) {
                if self.denies_oom {
                    return Err(CmdError::OutOfMemory);
                }
                admit::check_space(server, call, client)?;
            }
        }
        self.has_written |= call.has(flag::WRITE);
        Ok(handler)
    }
}
