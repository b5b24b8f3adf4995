//! The signal that a write to a file can raise.

/// Has a write beyond the greatest length of a file (`ulimit -f`) be an error of that write, as one to a full disk is.
/// The signal that the system would send instead ends the process.
pub fn make_file_limit_an_error() {
    // SAFETY: to ignore a signal runs no code of ours, and nobody else in this process handles this one.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
