//! What the examples measure with.

use std::time::{Duration, Instant};

/// The result of an example.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Memory the process holds now, and at most so far, in megabytes.
pub fn memory_mb() -> Outcome<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        number.map(|kilobytes| kilobytes >> 10).ok_or("no such field")
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// CPU time of the whole process so far, user's and system's: what counts on a machine that does other things, too.
fn cpu() -> (Duration, Duration) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a live, writable rusage, for which all zeroes are a value.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |time: libc::timeval| Duration::from_micros(time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64);
    (time(usage.ru_utime), time(usage.ru_stime))
}

/// Runs `body`; says what it took since then.
pub fn timed<T>(body: impl FnOnce() -> T) -> (T, String) {
    let (started, before) = (Instant::now(), cpu());
    let result = body();
    let after = cpu();
    let (user, system) = (after.0 - before.0, after.1 - before.1);
    let text = format!("{:?}, CPU {user:?} user {system:?} system", started.elapsed());
    (result, text)
}

/// The peak of memory begins anew.
pub fn forget_peak() -> Outcome<()> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}
