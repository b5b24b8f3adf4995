//! Sections about the process: server, clients, memory, CPU.

use std::sync::atomic::Ordering::Relaxed;

use super::lines::{Lines, View, human};
use super::process;
use crate::client::ClientHandle;
use crate::commands::server::{LOKIKV_VERSION, REDIS_VERSION, VALKEY_VERSION};
use crate::engine::EXPIRY_TICKS_PER_S;
use crate::engine::worker::unix_ms;
use crate::page::Access;

pub(super) fn server(view: &View<'_>, lines: &mut Lines) {
    let server = view.server;
    let uptime_s = server.started.elapsed().as_secs();
    lines.put("redis_version", REDIS_VERSION);
    // What clients of Valkey read.
    lines.put("server_name", "lokikv");
    lines.put("valkey_version", VALKEY_VERSION);
    lines.put("lokikv_version", LOKIKV_VERSION);
    lines.put("redis_mode", "standalone");
    lines.put("server_mode", "standalone");
    lines.put("os", process::os());
    lines.put("arch_bits", usize::BITS);
    lines.put("multiplexing_api", "epoll");
    lines.put("process_id", std::process::id());
    lines.put("process_supervised", "no");
    lines.put("run_id", &server.run_id);
    lines.put("tcp_port", server.port);
    lines.put("server_time_usec", unix_ms() * 1000);
    lines.put("uptime_in_seconds", uptime_s);
    lines.put("uptime_in_days", uptime_s / 86_400);
    lines.put("hz", EXPIRY_TICKS_PER_S);
    lines.put("configured_hz", EXPIRY_TICKS_PER_S);
    lines.put("lru_clock", Access::in_second(unix_ms()).second());
    let executable = std::env::current_exe().unwrap_or_default();
    lines.put("executable", executable.display());
    let config = server.params.file().map(|path| path.display().to_string());
    lines.put("config_file", config.unwrap_or_default());
    lines.put("io_threads_active", 0);
    lines.put("worker_threads", server.params.config().server.worker_count());
}

pub(super) fn clients(view: &View<'_>, lines: &mut Lines) {
    let clients = view.server.clients.all();
    let largest = |pick: fn(&ClientHandle) -> u64| clients.iter().map(|client| pick(client)).max().unwrap_or_default();
    lines.put("connected_clients", clients.len());
    lines.put("cluster_connections", 0);
    lines.put("maxclients", view.server.params.live().maxclients());
    lines.put(
        "client_recent_max_input_buffer",
        largest(|client| client.query_bytes.load(Relaxed)),
    );
    lines.put(
        "client_recent_max_output_buffer",
        largest(|client| client.output_bytes.load(Relaxed)),
    );
    let blocked = clients.iter().filter(|client| client.is_blocked()).count();
    lines.put("blocked_clients", blocked);
    let caching = clients.iter().filter(|client| client.caching.is_on()).count();
    lines.put("tracking_clients", caching);
    let subscribed = |client: &ClientHandle| client.subscriptions.iter().any(|count| count.load(Relaxed) > 0);
    lines.put(
        "pubsub_clients",
        clients.iter().filter(|client| subscribed(client)).count(),
    );
    let watching = clients.iter().filter(|client| client.watched.load(Relaxed) > 0);
    lines.put("watching_clients", watching.count());
    lines.put("clients_in_timeout_table", 0);
}

/// Bytes that connected clients take.
pub(super) fn memory(view: &View<'_>, lines: &mut Lines) {
    let (engine, live) = (&view.server.engine, view.server.params.live());
    let tracked = engine.tracking().bytes();
    let (used, peak) = (engine.used_bytes(), engine.meter().peak_bytes());
    let (rss, clients) = (process::rss_bytes(), view.server.clients.held_bytes());
    // What waits to be written to the log is there whether keys are evicted or not.
    let pending = engine.wal().stats().pending_bytes;
    let held = clients + view.server.scripts.bytes() + pending;
    let overhead = super::data::index_bytes(engine) + tracked + held;
    let max = live.maxmemory();
    let percent = |part: u64, whole: u64| format!("{:.2}%", 100.0 * part as f64 / whole.max(1) as f64);
    let dataset = used.saturating_sub(overhead - held);
    lines.put_bytes("used_memory", used + held);
    lines.put_bytes("used_memory_rss", rss);
    lines.put_bytes("used_memory_peak", peak.max(used + held));
    lines.put("used_memory_peak_perc", percent(used, peak));
    lines.put("used_memory_overhead", overhead);
    lines.put("used_memory_startup", 0);
    lines.put("used_memory_dataset", dataset);
    lines.put("used_memory_dataset_perc", percent(dataset, used));
    lines.put("allocator_allocated", used + held);
    lines.put("allocator_active", rss);
    lines.put("allocator_resident", rss);
    let ratio = |part: u64, whole: u64| format!("{:.2}", part as f64 / whole.max(1) as f64);
    lines.put("allocator_frag_ratio", ratio(rss, used + held));
    lines.put("allocator_frag_bytes", rss.saturating_sub(used + held));
    lines.put_bytes("total_system_memory", process::memory_bytes());
    scripts(view, lines);
    lines.put_bytes("maxmemory", max);
    lines.put("maxmemory_policy", live.policy());
    lines.put("mem_fragmentation_ratio", ratio(rss, used));
    lines.put("mem_fragmentation_bytes", rss.cast_signed() - used.cast_signed());
    lines.put("mem_not_counted_for_evict", pending);
    lines.put("mem_replication_backlog", 0);
    lines.put("mem_clients_slaves", 0);
    lines.put("mem_clients_normal", clients);
    lines.put("mem_cluster_links", 0);
    lines.put("mem_aof_buffer", pending);
    lines.put("mem_allocator", "mimalloc");
    lines.put("active_defrag_running", 0);
}

/// Scripts and functions, and what runs them.
fn scripts(view: &View<'_>, lines: &mut Lines) {
    let server = view.server;
    let (scripts, functions) = (&server.scripts, server.functions.now(&server.engine));
    let (of_scripts, of_functions) = (scripts.machines.get(), server.functions.machines.get());
    lines.put("used_memory_lua", of_scripts);
    lines.put("used_memory_vm_eval", of_scripts);
    lines.put("used_memory_lua_human", human(of_scripts));
    lines.put("used_memory_scripts_eval", scripts.bytes());
    lines.put("number_of_cached_scripts", scripts.count());
    lines.put("number_of_functions", functions.count());
    lines.put("number_of_libraries", functions.libraries().len());
    lines.put("used_memory_vm_functions", of_functions);
    lines.put_bytes("used_memory_vm_total", of_scripts + of_functions);
    lines.put("used_memory_functions", functions.bytes());
    lines.put_bytes("used_memory_scripts", scripts.bytes() + functions.bytes());
}

pub(super) fn cpu(_view: &View<'_>, lines: &mut Lines) {
    let (own, children) = (process::cpu_time(false), process::cpu_time(true));
    for (name, seconds) in [
        ("used_cpu_sys", own.system),
        ("used_cpu_user", own.user),
        ("used_cpu_sys_children", children.system),
        ("used_cpu_user_children", children.user),
    ] {
        lines.put(name, format!("{seconds:.6}"));
    }
}
