//! What the threads of the process use, and what waits for them.

use super::super::exposition::Exposition;
use crate::state::Server;
use crate::state::figures::process;

pub(super) fn put(server: &Server, out: &mut Exposition) {
    let workers = server.params.config().server.worker_count();
    out.gauge("lokikv_workers", "Threads that serve clients", workers);
    let waiting = server.pubsub.waiting_bytes();
    let help = "Messages and notices that wait for the worker with most of them";
    out.gauge("lokikv_push_waiting_bytes", help, waiting);
    // How busy a worker is: the growth of this per second. To look for the next request before a sleep is work, too.
    let help = "Processor time of a thread";
    let mut seconds = out.counters("lokikv_thread_cpu_seconds_total", help);
    for (name, used_s) in process::threads() {
        seconds.put(&[("thread", &name)], used_s);
    }
}
