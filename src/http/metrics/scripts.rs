//! Scripts and functions.

use super::super::exposition::Exposition;
use crate::state::Server;

pub(super) fn put(server: &Server, out: &mut Exposition) {
    // As they were looked at last: to look at them now may mean to load them.
    let functions = server.functions.last();
    let scripts = server.scripts.count();
    out.gauge("redis_number_of_cached_scripts", "Scripts that are cached", scripts);
    out.gauge("redis_number_of_functions", "Functions", functions.count());
    let libraries = functions.libraries().len();
    out.gauge("redis_number_of_libraries", "Libraries of functions", libraries);
    let help = "A script has run for longer than scripts.busy_reply_threshold_ms";
    out.gauge("lokikv_script_busy", help, server.busy.are_some());
}
