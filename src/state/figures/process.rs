//! What the operating system says of the process.

use std::collections::BTreeMap;
use std::fs;

/// Bytes of the process in memory; 0 when the system does not say.
pub fn rss_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * system(libc::_SC_PAGESIZE)
}

/// Bytes of memory the machine has.
pub fn memory_bytes() -> u64 {
    system(libc::_SC_PHYS_PAGES) * system(libc::_SC_PAGESIZE)
}

fn system(name: libc::c_int) -> u64 {
    // SAFETY: sysconf takes any number and has no other effect.
    let value = unsafe { libc::sysconf(name) };
    u64::try_from(value).unwrap_or_default()
}

/// Processor time, seconds: in the system, and in the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTime {
    /// In the system.
    pub system: f64,
    /// In the program.
    pub user: f64,
}

/// Processor time of the process, or of its ended children.
pub fn cpu_time(of_children: bool) -> CpuTime {
    let who = if of_children {
        libc::RUSAGE_CHILDREN
    } else {
        libc::RUSAGE_SELF
    };
    // SAFETY: rusage is plain numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live rusage.
    if unsafe { libc::getrusage(who, &raw mut usage) } != 0 {
        return CpuTime::default();
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    CpuTime {
        system: seconds(usage.ru_stime),
        user: seconds(usage.ru_utime),
    }
}

/// The threads of the process, by name, with their processor time in seconds; those of one name together.
pub fn threads() -> BTreeMap<String, f64> {
    let per_s = system(libc::_SC_CLK_TCK).max(1) as f64;
    let mut found = BTreeMap::new();
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    // One that has ended meanwhile has no such file any more.
    for stat in tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok()) {
        if let Some((name, ticks)) = name_and_ticks(&stat) {
            *found.entry(name.to_owned()).or_default() += ticks as f64 / per_s;
        }
    }
    found
}

/// Of the line that the system has on a thread: its name, and ticks in the program and in the system.
fn name_and_ticks(stat: &str) -> Option<(&str, u64)> {
    let (head, rest) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let mut fields = rest.split(' ').skip(11).map(str::parse::<u64>);
    Some((name, fields.next()?.ok()? + fields.next()?.ok()?))
}

/// `Linux 6.1.0 x86_64`.
pub fn os() -> String {
    let read = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim().to_owned()
    };
    let arch = std::env::consts::ARCH;
    match (read("ostype"), read("osrelease")) {
        (system, _) if system.is_empty() => format!("{} {arch}", std::env::consts::OS),
        (system, release) => format!("{system} {release} {arch}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_system_answers() {
        let rss = super::rss_bytes();
        assert!(rss > 100_000 && rss < super::memory_bytes());
        assert!(super::cpu_time(false).user >= 0.0);
        let line = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 30 12 13 14 15";
        assert_eq!(super::name_and_ticks(line), Some(("a) b", 42)));
        assert_eq!(super::name_and_ticks("7 (a) S 1"), None);
        assert!(super::threads().values().all(|used_s| *used_s >= 0.0) && !super::threads().is_empty());
        assert!(super::os().contains(std::env::consts::ARCH));
    }
}
