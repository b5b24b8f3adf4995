//! Requests that are HTTP. Any page that somebody opens in a browser can send one to a port of that machine, and each
//! line of its body would be a command. So a client that sends such a line is closed, and nothing behind it runs.

use crate::client::ClientHandle;
use crate::resp::Args;
use crate::state::Server;

/// Seconds between two warnings.
const WARNING_GAP_S: u64 = 60;

/// Whether this is the first line of a request with a body, or the line that every request has: in any form and case.
#[inline]
pub(super) fn is_http(args: Args<'_>) -> bool {
    let name = args.get(0).unwrap_or_default();
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Lets the client go, without the replies that it has not got yet, and warns.
#[cold]
pub(super) fn abort(server: &Server, client: &ClientHandle, now_ms: u64) {
    client.kill();
    if server.stats.http_warnings.is_due(now_ms / 1000, WARNING_GAP_S) {
        tracing::warn!(
            client = client.id,
            addr = client.addr,
            "closing: possible SECURITY ATTACK: the client has sent POST or Host:, as a web page does that wants to reach \
             LokiKV through the browser of somebody who looks at it (cross protocol scripting)"
        );
    }
}
