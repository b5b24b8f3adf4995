//! How many bytes Redis would keep a node in: nothing is stored in this form, but nodes end by it.

use super::id::StreamId;
use crate::page::packed::Item;

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

/// Bytes of an entry in a node that begins with `first`; `items` are its values, or its fields and values.
pub(super) fn entry_bytes<'a>(
    id: StreamId,
    first: StreamId,
    same_fields: bool,
    items: impl Iterator<Item = Item<'a>>,
) -> usize {
    let (mut bytes, mut count) = (0, 0_i64);
    for item in items {
        bytes += item_bytes(item);
        count += 1;
    }
    let fields = if same_fields { 0 } else { int_bytes(count / 2) };
    // Flags, both parts of the id and, with all elements counted, their number.
    let elements = count + 3 + i64::from(!same_fields);
    let ms = int_bytes(id.ms.wrapping_sub(first.ms) as i64);
    let seq = int_bytes(id.seq.wrapping_sub(first.seq) as i64);
    2 + ms + seq + fields + bytes + int_bytes(elements)
}
