//! Memory, by redis_exporter's names.

use super::super::exposition::{Exposition, Rows};
use crate::state::figures::MemoryFigures;

const BYTES: &Rows<MemoryFigures> = &[
    (
        "redis_memory_used_bytes",
        "Data, clients and scripts",
        MemoryFigures::used,
    ),
    (
        "redis_memory_used_rss_bytes",
        "The process, as the system sees it",
        |memory| memory.resident,
    ),
    (
        "redis_memory_used_peak_bytes",
        "The most that was ever used",
        MemoryFigures::peak,
    ),
    ("redis_memory_used_overhead_bytes", "All but values of keys", |memory| {
        memory.overhead
    }),
    (
        "redis_memory_used_dataset_bytes",
        "Values of keys",
        MemoryFigures::dataset,
    ),
    ("redis_memory_used_lua_bytes", "Values of scripts", |memory| {
        memory.scripts_machines
    }),
    ("redis_memory_used_vm_eval_bytes", "Values of scripts", |memory| {
        memory.scripts_machines
    }),
    (
        "redis_memory_used_vm_functions_bytes",
        "Values of functions",
        |memory| memory.functions_machines,
    ),
    (
        "redis_memory_used_scripts_eval_bytes",
        "Scripts that are cached",
        |memory| memory.scripts,
    ),
    ("redis_memory_used_functions_bytes", "Functions", |memory| {
        memory.functions
    }),
    (
        "redis_memory_max_bytes",
        "How much may be used; 0: no limit",
        |memory| memory.max,
    ),
    (
        "redis_config_maxmemory",
        "How much may be used; 0: no limit",
        |memory| memory.max,
    ),
    ("redis_total_system_memory_bytes", "Memory of the machine", |memory| {
        memory.machine
    }),
    (
        "redis_allocator_allocated_bytes",
        "Asked of the allocator",
        MemoryFigures::used,
    ),
    ("redis_allocator_active_bytes", "Pages of the allocator", |memory| {
        memory.resident
    }),
    (
        "redis_allocator_resident_bytes",
        "The process, as the system sees it",
        |memory| memory.resident,
    ),
    ("redis_mem_clients_normal", "Held by clients, in bytes", |memory| {
        memory.clients
    }),
    (
        "redis_mem_aof_buffer",
        "Waits to be written to the log, in bytes",
        |memory| memory.log,
    ),
    (
        "redis_mem_not_counted_for_eviction_bytes",
        "There whether keys are evicted or not",
        |memory| memory.log,
    ),
    (
        "redis_allocator_frag_bytes",
        "The process, as the system sees it, less what is used",
        |memory| memory.resident.saturating_sub(memory.used()),
    ),
];

pub(super) fn put(memory: &MemoryFigures, out: &mut Exposition) {
    out.gauge_each(BYTES, memory);
    let ratio = |whole: u64| memory.resident as f64 / whole.max(1) as f64;
    for (name, value) in [
        ("redis_mem_fragmentation_ratio", ratio(memory.data)),
        ("redis_memory_fragmentation_ratio", ratio(memory.data)),
        ("redis_allocator_frag_ratio", ratio(memory.used())),
    ] {
        out.gauge(
            name,
            "The process, as the system sees it, as a multiple of what is used",
            value,
        );
    }
    let excess = memory.resident.cast_signed() - memory.data.cast_signed();
    let help = "The process, as the system sees it, less the data";
    out.gauge("redis_mem_fragmentation_bytes", help, excess);
}
