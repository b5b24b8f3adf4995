//! What the operating system says of the process.

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
        assert!(super::os().contains(std::env::consts::ARCH));
    }
}
