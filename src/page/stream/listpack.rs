//! How many bytes Redis would keep an entry of a node in.

use super::id::StreamId;
use crate::page::listpack::{int_bytes, item_bytes};
use crate::page::packed::Item;

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
