//! What Linux knows of a running process: CPU time used and memory held; and how many files this one may open.

use super::Result;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// User plus system time of the process, and of the children it has waited for.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command name is in parentheses and may hold anything: fields are counted after the last one.
    let (_, fields) = stat.rsplit_once(')').ok_or("no command name in /proc/PID/stat")?;
    // utime, stime, cutime, cstime are fields 14 to 17 of the line, 11 to 14 from here.
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(4)
        .map(|field| field.parse::<u64>().unwrap_or(0))
        .sum();
    Ok(Duration::from_nanos(ticks * 1_000_000_000 / ticks_per_second()))
}

/// Bytes of memory the process has resident now.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:").map(|kib| kib * 1024)
}

/// The most memory the process ever had resident, in bytes.
pub fn resident_peak_bytes(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:").map(|kib| kib * 1024)
}

fn status_kib(pid: u32, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .ok_or_else(|| format!("/proc/{pid}/status has no {field}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn ticks_per_second() -> u64 {
    // SAFETY: sysconf only reads a constant of the system.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).unwrap_or(100).max(1)
}

/// The CPU time of some threads of a process. Exact for those that sleep.
pub struct ThreadClock(Vec<File>);

impl ThreadClock {
    /// Of the threads whose names begin with `prefix`.
    pub fn of(pid: u32, prefix: &str) -> Result<Self> {
        let mut clocks = Vec::new();
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let dir = thread?.path();
            if fs::read_to_string(dir.join("comm"))?.starts_with(prefix) {
                clocks.push(File::open(dir.join("schedstat"))?);
            }
        }
        if clocks.is_empty() {
            return Err(format!("process {pid} has no thread {prefix}*").into());
        }
        Ok(Self(clocks))
    }

    /// The sum of what they have used so far.
    pub fn read(&self) -> Result<Duration> {
        let mut nanos = 0;
        for clock in &self.0 {
            let mut text = [0; 64];
            let len = clock.read_at(&mut text, 0)?;
            let text = String::from_utf8_lossy(text.get(..len).unwrap_or_default());
            nanos += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

/// The CPU time of every thread of a process; threads may come and go.
pub struct ThreadTimes(HashMap<OsString, u64>);

impl ThreadTimes {
    /// Now.
    pub fn of(pid: u32) -> Result<Self> {
        let mut times = HashMap::new();
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread = thread?;
            // A thread may end between being listed and being read.
            let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
            times.insert(thread.file_name(), nanos.unwrap_or(0));
        }
        Ok(Self(times))
    }

    /// What they have used since then.
    pub fn since(&self, earlier: &Self) -> Duration {
        let used = self.0.iter().map(|(thread, now)| {
            let then = earlier.0.get(thread).copied().unwrap_or(0);
            now.saturating_sub(then)
        });
        Duration::from_nanos(used.sum())
    }
}

/// Thousands of connections need as many descriptors here, and in the servers, which inherit the limit.
pub fn raise_open_files_limit() -> Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live struct of the right type.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above, and setrlimit only reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(())
}
