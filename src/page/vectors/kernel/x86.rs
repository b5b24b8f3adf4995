//! The sums with AVX2 and POPCNT.
//!
//! **Invariant:** lane by lane it is done what the plain way does.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_cvtepi8_epi16, _mm256_loadu_ps,
    _mm256_madd_epi16, _mm256_mul_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_storeu_ps, _mm256_storeu_si256,
};

use super::{BLOCK_BYTES, LANES, padded, plain_bits, plain_i8, sum_of};

const FLOATS: usize = 8;
const BYTES: usize = 16;

#[target_feature(enable = "avx2")]
fn add_block(sums: &mut [__m256; LANES / FLOATS], one: &[u8; BLOCK_BYTES], other: &[u8; BLOCK_BYTES]) {
    let (one, other) = (one.as_ptr().cast::<f32>(), other.as_ptr().cast::<f32>());
    for (at, sum) in sums.iter_mut().enumerate() {
        // SAFETY: both blocks have LANES floats; the loads need no alignment.
        let (one, other) = unsafe {
            (
                _mm256_loadu_ps(one.add(at * FLOATS)),
                _mm256_loadu_ps(other.add(at * FLOATS)),
            )
        };
        *sum = _mm256_add_ps(*sum, _mm256_mul_ps(one, other));
    }
}

#[target_feature(enable = "avx2")]
pub fn dot_f32(one: &[u8], other: &[u8]) -> f32 {
    let (one, one_rest) = one.as_chunks::<BLOCK_BYTES>();
    let (other, other_rest) = other.as_chunks::<BLOCK_BYTES>();
    let mut sums = [_mm256_setzero_ps(); LANES / FLOATS];
    for (one, other) in one.iter().zip(other) {
        add_block(&mut sums, one, other);
    }
    if !one_rest.is_empty() {
        add_block(&mut sums, &padded(one_rest), &padded(other_rest));
    }
    let mut lanes = [0.0; LANES];
    for (place, sum) in lanes.as_chunks_mut::<FLOATS>().0.iter_mut().zip(sums) {
        // SAFETY: the place has 8 floats; the store needs no alignment.
        unsafe { _mm256_storeu_ps(place.as_mut_ptr(), sum) };
    }
    sum_of(&lanes)
}

#[target_feature(enable = "avx2")]
fn widened(bytes: &[u8; BYTES]) -> __m256i {
    // SAFETY: there are 16 bytes; the load needs no alignment.
    _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(bytes.as_ptr().cast::<__m128i>()) })
}

#[target_feature(enable = "avx2")]
pub fn dot_i8(one: &[u8], other: &[u8]) -> i32 {
    let (one, one_rest) = one.as_chunks::<BYTES>();
    let (other, other_rest) = other.as_chunks::<BYTES>();
    let mut sums = [_mm256_setzero_si256(); 2];
    let [even, odd] = &mut sums;
    let (one_pairs, one_last) = one.as_chunks::<2>();
    let (other_pairs, other_last) = other.as_chunks::<2>();
    for ([one_even, one_odd], [other_even, other_odd]) in one_pairs.iter().zip(other_pairs) {
        *even = _mm256_add_epi32(*even, _mm256_madd_epi16(widened(one_even), widened(other_even)));
        *odd = _mm256_add_epi32(*odd, _mm256_madd_epi16(widened(one_odd), widened(other_odd)));
    }
    for (one, other) in one_last.iter().zip(other_last) {
        *even = _mm256_add_epi32(*even, _mm256_madd_epi16(widened(one), widened(other)));
    }
    let mut lanes = [0_i32; 8];
    // SAFETY: there are 8 lanes; the store needs no alignment.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), _mm256_add_epi32(*even, *odd)) };
    lanes.iter().sum::<i32>() + plain_i8(one_rest, other_rest)
}

#[target_feature(enable = "popcnt")]
pub fn differing_bits(one: &[u8], other: &[u8]) -> u32 {
    plain_bits(one, other)
}
