//! Telling the processor early what will be read.

/// Prefetches the cache line of an address, which need not be valid.
#[inline]
pub fn prefetch(address: u64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address as *const i8);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Prefetches a cache line of anything.
#[inline]
pub fn prefetch_ref<T>(target: *const T) {
    prefetch(target as u64);
}
