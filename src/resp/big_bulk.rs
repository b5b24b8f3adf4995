//! A big argument on its way in: received into its own allocation, so that nobody copies it again.
//!
//! **Invariants**
//! - Memory follows what was received, not what was announced: capacity at most doubles until [`TRUST_BYTES`] have
//!   arrived; only then is the announced length reserved.
//! - Capacity never exceeds the announced length by choice, and no byte beyond that length is ever taken.

use super::limits::ProtocolError;
use tokio::io::ReadBuf;

/// An argument announced with at least this length gets an allocation of its own.
pub const BIG_BULK_BYTES: usize = 64 * 1024;
/// Once so much of an argument has arrived, the rest of its announced length is believed.
const TRUST_BYTES: usize = 16 * 1024 * 1024;

/// An argument of which the length is known and the bytes are still arriving.
#[derive(Debug)]
pub struct BigBulk {
    data: Vec<u8>,
    announced: usize,
    /// How much of it never was in the read buffer.
    direct: usize,
}

impl BigBulk {
    pub(super) const fn new(announced: usize) -> Self {
        Self {
            data: Vec::new(),
            announced,
            direct: 0,
        }
    }

    /// Bytes still to come, the closing CR LF not counted.
    #[must_use]
    pub const fn missing(&self) -> usize {
        self.announced - self.data.len()
    }

    /// Memory reserved so far.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.data.capacity()
    }

    /// Lets `read` fill spare room straight from the socket; offers at least one byte and at most
    /// [`missing`](Self::missing). What `read` marks as filled is taken.
    ///
    /// # Errors
    /// [`ProtocolError::OutOfMemory`] when the room cannot be had.
    pub fn fill_with<R>(&mut self, read: impl FnOnce(&mut ReadBuf<'_>) -> R) -> Result<R, ProtocolError> {
        self.grow(1)?;
        let missing = self.missing();
        let spare = self.data.spare_capacity_mut();
        let room = spare.len().min(missing);
        let spare = spare.get_mut(..room).unwrap_or_default();
        let start = spare.as_ptr().cast::<u8>();
        let mut buf = ReadBuf::uninit(spare);
        let result = read(&mut buf);
        assert!(
            std::ptr::eq(start, buf.filled().as_ptr()),
            "the read buffer was exchanged"
        );
        let filled = buf.filled().len();
        // SAFETY: `buf` is still the view of our spare capacity (asserted above), and `ReadBuf` guarantees that its
        // first `filled` bytes, which follow the vector's current end, are initialised and within that capacity.
        unsafe { self.data.set_len(self.data.len() + filled) };
        self.direct += filled;
        Ok(result)
    }

    /// Takes what it needs from the front of `bytes`; says how much that was.
    pub(super) fn take_from(&mut self, bytes: &[u8]) -> Result<usize, ProtocolError> {
        let wanted = bytes.get(..self.missing()).unwrap_or(bytes);
        self.grow(wanted.len())?;
        self.data.extend_from_slice(wanted);
        Ok(wanted.len())
    }

    /// How many bytes came by [`fill_with`](Self::fill_with).
    pub(super) const fn direct_bytes(&self) -> usize {
        self.direct
    }

    pub(super) fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// Makes room for `more` bytes (which must not exceed what is missing).
    fn grow(&mut self, more: usize) -> Result<(), ProtocolError> {
        let len = self.data.len();
        if self.data.capacity() - len >= more || self.missing() == 0 {
            return Ok(());
        }
        let target = if len >= TRUST_BYTES {
            self.announced
        } else {
            self.announced.min((len * 2).max(BIG_BULK_BYTES)).max(len + more)
        };
        self.data
            .try_reserve_exact(target - len)
            .map_err(|_| ProtocolError::OutOfMemory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_arrived() {
        let announced = 512 * 1024 * 1024;
        let mut big = BigBulk::new(announced);
        assert_eq!(big.capacity(), 0);
        let piece = vec![1; 100_000];
        let mut received = 0;
        while received < TRUST_BYTES {
            received += big.take_from(&piece).unwrap();
            assert!(
                big.capacity() <= 2 * received.max(BIG_BULK_BYTES),
                "{received} {}",
                big.capacity()
            );
        }
        assert!(big.capacity() < announced);
    }

    #[test]
    fn reads_straight_into_spare_room_and_never_beyond_the_end() {
        let mut big = BigBulk::new(BIG_BULK_BYTES + 3);
        let mut received = 0;
        while big.missing() > 0 {
            received += big
                .fill_with(|buf| {
                    let n = buf.remaining().min(1000);
                    buf.put_slice(&vec![b'x'; n]);
                    n
                })
                .unwrap();
        }
        assert_eq!(received, BIG_BULK_BYTES + 3);
        assert_eq!(big.fill_with(|buf| buf.remaining()), Ok(0));
        assert_eq!(big.take_from(b"more"), Ok(0));
        assert_eq!(big.capacity(), BIG_BULK_BYTES + 3);
        assert!(big.into_data().iter().all(|&byte| byte == b'x'));
    }
}
