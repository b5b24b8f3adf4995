//! Whether the limit on memory fits the machine, or the control group that the server is in.

use std::fs;

use super::finding::{Findings, bytes};

/// Beside the data: clients, indexes that grow, what allocators lose.
const SHARE_MAX_PERCENT: u64 = 85;

/// What there is, bytes; `None`: not known.
pub(super) fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let machine = total(&text)?;
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    Some(group.map_or(machine, |group: u64| group.min(machine)))
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

/// `max`: `memory.max_bytes`.
pub(super) fn judge(max: u64, available: Option<u64>, findings: &mut Findings) {
    let Some(available) = available else { return };
    if max == 0 {
        findings.note(
            format!(
                "memory.max_bytes = 0: the data may grow until the system ends the server ({} are there)",
                bytes(available)
            ),
            format!("set memory.max_bytes, for instance to {}", bytes(available / 4 * 3)),
        );
    } else if max > available / 100 * SHARE_MAX_PERCENT {
        findings.fault(
            format!(
                "memory.max_bytes = {max} is too much for the {} that are there",
                bytes(available)
            ),
            format!(
                "set it to {} at most: clients and the allocator need some, too",
                bytes(available / 100 * SHARE_MAX_PERCENT)
            ),
        );
    } else {
        findings.good(format!(
            "memory.max_bytes = {max}: {} of {}",
            bytes(max),
            bytes(available)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;

    #[test]
    fn a_limit_has_to_fit() {
        let gib = 1 << 30;
        let judged = |max, available| {
            let mut findings = Findings::default();
            judge(max, available, &mut findings);
            findings.mark_of("memory.max_bytes")
        };
        assert_eq!(judged(0, Some(8 * gib)), Some(Mark::Note));
        assert_eq!(judged(6 * gib, Some(8 * gib)), Some(Mark::Good));
        assert_eq!(judged(7 * gib, Some(8 * gib)), Some(Mark::Amiss));
        assert_eq!(judged(7 * gib, None), None);
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
