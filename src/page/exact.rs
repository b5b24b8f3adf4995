//! Allocations of just the size that is needed, for bytes that are to stay.
//!
//! **Invariant:** the bytes themselves do not change.

/// Whether [`fit`] would do anything.
pub fn is_loose(bytes: &Vec<u8>) -> bool {
    bytes.capacity() - bytes.len() > bytes.len() / 16
}

/// Moves `bytes` into an allocation of their own size, if the present one is noticeably larger. Shrinking would not do:
/// the allocator leaves a block where it is unless less than half of it is needed.
pub fn fit(bytes: &mut Vec<u8>) {
    if is_loose(bytes) {
        *bytes = bytes.as_slice().to_vec();
    }
}
