//! Transfers by an io_uring: all of a turn in one system call.
//!
//! None of them waits (`MSG_DONTWAIT`), so they are complete when the call returns, and no buffer outlives it.
//!
//! **Invariants**
//! - The ring is used by the thread that has made it, only.
//! - After the ring has failed once it is not used again; plain calls do the rest.

use std::io;

use io_uring::{IoUring, Probe, opcode, squeue, types};

use super::plain;
use super::{Transfer, Transfers};

/// Transfers handed over by one call.
const ENTRIES: u32 = 64;

/// See the module.
pub struct Ring {
    ring: IoUring,
    has_failed: bool,
}

impl Ring {
    /// A ring for the calling thread; `None` where the system has none for us.
    pub fn new() -> Option<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .build(ENTRIES);
        let ring = ring.ok()?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe).ok()?;
        let has_all = probe.is_supported(opcode::Recv::CODE) && probe.is_supported(opcode::Send::CODE);
        has_all.then_some(Self {
            ring,
            has_failed: false,
        })
    }

    /// Does a few transfers; whether the ring did.
    fn run(&mut self, transfers: &mut [Transfer], entry: impl Fn(&mut Transfer) -> squeue::Entry) -> io::Result<()> {
        let mut queue = self.ring.submission();
        for (number, transfer) in transfers.iter_mut().enumerate() {
            let entry = entry(transfer).user_data(number as u64);
            // SAFETY: the transfer's bytes and socket outlive this call, at whose end the entry is complete.
            unsafe { queue.push(&entry) }.map_err(io::Error::other)?;
        }
        drop(queue);
        let mut left = transfers.len();
        while left > 0 {
            match self.ring.submit_and_wait(left) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for completed in self.ring.completion() {
                let number = usize::try_from(completed.user_data()).unwrap_or(usize::MAX);
                if let Some(transfer) = transfers.get_mut(number) {
                    transfer.moved = result(completed.result());
                    left -= 1;
                }
            }
        }
        Ok(())
    }

    /// Does all transfers, by plain calls if they are too few for a ring, or the ring has failed.
    fn run_all(
        &mut self,
        transfers: &mut [Transfer],
        entry: impl Fn(&mut Transfer) -> squeue::Entry,
        plain: fn(&mut Transfer),
        after: fn(&mut Transfer),
    ) {
        for some in transfers.chunks_mut(ENTRIES as usize) {
            if some.len() < 2 || self.has_failed {
                some.iter_mut().for_each(plain);
                continue;
            }
            match self.run(some, &entry) {
                Ok(()) => some.iter_mut().for_each(after),
                Err(error) => {
                    tracing::warn!(%error, "the io_uring has failed; plain calls are used from now on");
                    self.has_failed = true;
                    let (done, others): (Vec<_>, Vec<_>) = some.iter_mut().partition(|transfer| transfer.moved.is_ok());
                    done.into_iter().for_each(after);
                    others.into_iter().for_each(plain);
                }
            }
        }
    }
}

fn result(code: i32) -> io::Result<usize> {
    usize::try_from(code).map_err(|_| io::Error::from_raw_os_error(code.saturating_neg()))
}

fn room_bytes(transfer: &Transfer) -> u32 {
    u32::try_from(transfer.bytes.capacity() - transfer.bytes.len()).unwrap_or(u32::MAX)
}

impl Transfers for Ring {
    fn is_ring(&self) -> bool {
        true
    }

    fn receive(&mut self, transfers: &mut [Transfer]) {
        let entry = |transfer: &mut Transfer| {
            let len = room_bytes(transfer);
            let room = transfer.bytes.spare_capacity_mut().as_mut_ptr().cast::<u8>();
            opcode::Recv::new(types::Fd(transfer.fd), room, len)
                .flags(libc::MSG_DONTWAIT)
                .build()
        };
        let after = |transfer: &mut Transfer| {
            if let Ok(moved) = transfer.moved {
                let len = transfer.bytes.len() + moved;
                // SAFETY: the kernel has initialised so many bytes of the spare capacity.
                unsafe { transfer.bytes.set_len(len) };
            }
        };
        self.run_all(transfers, entry, plain::receive, after);
    }

    fn send(&mut self, transfers: &mut [Transfer]) {
        let entry = |transfer: &mut Transfer| {
            let len = u32::try_from(transfer.bytes.len()).unwrap_or(u32::MAX);
            opcode::Send::new(types::Fd(transfer.fd), transfer.bytes.as_ptr(), len)
                .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                .build()
        };
        self.run_all(transfers, entry, plain::send_one, |_| {});
    }
}
