//! Which core works for whom.
//!
//! Left to itself the system may put a server and the generator, which wake each other, on one core while another one
//! is free or is somebody else's: then they measure each other.

use super::Result;
use super::server::Server;
use std::mem::size_of;

/// Cores of the generator, and those that are left to the server.
#[derive(Clone, Debug)]
pub struct Cores {
    generator: Vec<usize>,
    server: Vec<usize>,
}

impl Cores {
    /// The last `threads` cores for the generator; `None` if there would be none for the server.
    pub fn split(threads: usize) -> Result<Option<Self>> {
        let mut server = allowed()?;
        let Some(at) = server.len().checked_sub(threads).filter(|&left| left > 0) else {
            return Ok(None);
        };
        let generator = server.split_off(at);
        Ok(Some(Self { generator, server }))
    }

    /// The calling thread is one of the generator's from now on.
    pub fn take_generator(&self) -> Result<()> {
        confine(0, &self.generator)
    }

    /// All threads of the server, and those that they will start.
    pub fn confine_server(&self, server: &Server) -> Result<()> {
        for thread in server.threads()? {
            confine(thread, &self.server)?;
        }
        Ok(())
    }
}

fn allowed() -> Result<Vec<usize>> {
    // SAFETY: all zeros is an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live set of the size that is told.
    if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let most = usize::try_from(libc::CPU_SETSIZE)?;
    // SAFETY: the numbers are below the size of a set.
    Ok((0..most)
        .filter(|&core| unsafe { libc::CPU_ISSET(core, &set) })
        .collect())
}

/// Thread 0 is the calling one.
fn confine(thread: libc::pid_t, cores: &[usize]) -> Result<()> {
    // SAFETY: all zeros is an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &core in cores {
        // SAFETY: the number is from a set, so it is below its size.
        unsafe { libc::CPU_SET(core, &mut set) };
    }
    // SAFETY: the pointer is to a live set of the size that is told.
    if unsafe { libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &raw const set) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(())
}
