//! Allocations of just the size that is needed, for bytes that are to stay.
//!
//! **Invariant:** none; this is about memory only.

/// Moves `bytes` into an allocation of their own size, if the present one is noticeably larger. Shrinking would not do:
/// the allocator leaves a block where it is unless less than half of it is needed.
pub fn fit(bytes: &mut Vec<u8>) {
    if bytes.capacity() - bytes.len() > bytes.len() / 16 {
        *bytes = bytes.as_slice().to_vec();
    }
}
