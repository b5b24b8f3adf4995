//! Sections about the process: server, clients, memory, CPU.

use super::lines::{Lines, View, human};
use crate::commands::server::{LOKIKV_VERSION, REDIS_VERSION, VALKEY_VERSION};
use crate::engine::EXPIRY_TICKS_PER_S;
use crate::engine::defrag;
use crate::engine::worker::unix_ms;
use crate::page::Access;
use crate::state::Catalogue;
use crate::state::figures::{ClientFigures, MemoryFigures, process};

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
    let clients = ClientFigures::of(view.server);
    lines.put("connected_clients", clients.connected);
    lines.put("cluster_connections", 0);
    lines.put("maxclients", clients.connected_max);
    lines.put("client_recent_max_input_buffer", clients.query_bytes_largest);
    lines.put("client_recent_max_output_buffer", clients.output_bytes_largest);
    lines.put("blocked_clients", clients.blocked);
    lines.put("tracking_clients", clients.caching);
    lines.put("pubsub_clients", clients.subscribed);
    lines.put("watching_clients", clients.watching);
    lines.put("clients_in_timeout_table", 0);
}

/// Bytes that connected clients take.
pub(super) fn memory(view: &View<'_>, lines: &mut Lines) {
    let functions = view.server.functions.now(&view.server.engine);
    let memory = MemoryFigures::of(view.server);
    let (used, data, resident) = (memory.used(), memory.data, memory.resident);
    let percent = |part: u64, whole: u64| format!("{:.2}%", 100.0 * part as f64 / whole.max(1) as f64);
    lines.put_bytes("used_memory", used);
    lines.put_bytes("used_memory_rss", resident);
    lines.put_bytes("used_memory_peak", memory.peak());
    lines.put("used_memory_peak_perc", percent(data, memory.data_peak));
    lines.put("used_memory_overhead", memory.overhead);
    lines.put("used_memory_startup", 0);
    lines.put("used_memory_dataset", memory.dataset());
    lines.put("used_memory_dataset_perc", percent(memory.dataset(), data));
    lines.put("allocator_allocated", used);
    lines.put("allocator_active", resident);
    lines.put("allocator_resident", resident);
    let ratio = |part: u64, whole: u64| format!("{:.2}", part as f64 / whole.max(1) as f64);
    lines.put("allocator_frag_ratio", ratio(resident, used));
    lines.put("allocator_frag_bytes", resident.saturating_sub(used));
    lines.put_bytes("total_system_memory", memory.machine);
    scripts(view, (&memory, &functions), lines);
    lines.put_bytes("maxmemory", memory.max);
    lines.put("maxmemory_policy", view.server.params.live().policy());
    lines.put("mem_fragmentation_ratio", ratio(resident, data));
    lines.put("mem_fragmentation_bytes", resident.cast_signed() - data.cast_signed());
    lines.put("mem_not_counted_for_evict", memory.log);
    lines.put("mem_replication_backlog", 0);
    lines.put("mem_clients_slaves", 0);
    lines.put("mem_clients_normal", memory.clients);
    lines.put("mem_cluster_links", 0);
    lines.put("mem_aof_buffer", memory.log);
    lines.put("mem_allocator", "mimalloc");
    let is_running = view.server.defrag.is_running();
    lines.put("active_defrag_running", if is_running { defrag::PERCENT } else { 0 });
}

/// Scripts and functions, and what runs them.
fn scripts(view: &View<'_>, (memory, functions): (&MemoryFigures, &Catalogue), lines: &mut Lines) {
    let (of_scripts, of_functions) = (memory.scripts_machines, memory.functions_machines);
    lines.put("used_memory_lua", of_scripts);
    lines.put("used_memory_vm_eval", of_scripts);
    lines.put("used_memory_lua_human", human(of_scripts));
    lines.put("used_memory_scripts_eval", memory.scripts);
    lines.put("number_of_cached_scripts", view.server.scripts.count());
    lines.put("number_of_functions", functions.count());
    lines.put("number_of_libraries", functions.libraries().len());
    lines.put("used_memory_vm_functions", of_functions);
    lines.put_bytes("used_memory_vm_total", of_scripts + of_functions);
    lines.put("used_memory_functions", memory.functions);
    lines.put_bytes("used_memory_scripts", memory.scripts + memory.functions);
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
