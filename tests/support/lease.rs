//! A file that others cannot open for a while: their call waits. So a test stops a plain server at a place of its
//! choice.
//!
//! The kernel gives the holder of a lease time before it lets somebody else open the file: until the lease is dropped,
//! or 45 s (`/proc/sys/fs/lease-break-time`).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Which signal tells the holder that somebody waits; `libc` does not name it.
const F_SETSIG: i32 = 10;

/// Held until dropped.
#[derive(Debug)]
pub struct Lease(File);

impl Lease {
    /// Takes it on a file that nobody has open.
    pub fn on(path: &Path) -> Lease {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let deadline = Instant::now() + Duration::from_secs(20);
        // A process that another test has just started has open what this one had, until it runs its own program.
        while let Err(error) = take(&file) {
            let may_yet_be_had = error.raw_os_error() == Some(libc::EAGAIN) && Instant::now() < deadline;
            assert!(may_yet_be_had, "{}: {error}", path.display());
            std::thread::sleep(Duration::from_millis(5));
        }
        Lease(file)
    }
}

fn take(file: &File) -> io::Result<()> {
    let fd = file.as_raw_fd();
    // SAFETY: both calls set properties of a file that is open for as long as they take, and touch no memory. The
    // signal that tells of somebody who waits is one that is ignored by default.
    let taken = unsafe {
        libc::fcntl(fd, F_SETSIG, libc::SIGURG) == 0 && libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK) == 0
    };
    taken.then_some(()).ok_or_else(io::Error::last_os_error)
}
