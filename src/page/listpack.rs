//! How many bytes Redis would keep elements in: nothing is stored in this form, but streams' nodes end by it, and lists
//! are named by it.

use super::packed::Item;

/// A listpack without elements.
pub(super) const EMPTY_BYTES: usize = 7;

/// Bytes of an integer with its length behind it.
pub(super) fn int_bytes(value: i64) -> usize {
    match value {
        0..=127 => 2,
        -4096..=4095 => 3,
        -0x8000..=0x7fff => 4,
        -0x80_0000..=0x7f_ffff => 5,
        -0x8000_0000..=0x7fff_ffff => 6,
        _ => 10,
    }
}

/// Bytes of an element with its length behind it.
pub(super) fn item_bytes(item: Item<'_>) -> usize {
    let Item::Bytes(bytes) = item else {
        return match item {
            Item::Int(value) => int_bytes(value),
            _ => 10,
        };
    };
    let head = match bytes.len() {
        0..64 => 1,
        64..4096 => 2,
        _ => 5,
    };
    let bytes = head + bytes.len();
    bytes
        + match bytes {
            0..=127 => 1,
            128..=16_382 => 2,
            16_383..=2_097_150 => 3,
            2_097_151..=268_435_454 => 4,
            _ => 5,
        }
}
