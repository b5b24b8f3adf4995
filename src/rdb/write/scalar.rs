//! Lengths and strings, as short as the format allows.

use crate::page::packed::{Item, canonical_int};

use super::super::code::string;
use super::super::lzf;

/// Strings up to this long are not worth compressing.
const PLAIN_BYTES_MAX: usize = 20;
/// What compression has to save.
const SAVING_BYTES: usize = 4;

/// Appends a length, or another number without a sign.
pub fn length(out: &mut Vec<u8>, length: u64) {
    match length {
        0..=0x3f => out.push(length as u8),
        0x40..=0x3fff => out.extend((length as u16 | 0x4000).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend((length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend(length.to_be_bytes());
        }
    }
}

/// Appends a string.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    if let Some(value) = canonical_int(bytes)
        && int(out, value)
    {
        return;
    }
    if bytes.len() > PLAIN_BYTES_MAX
        && let Some(packed) = lzf::pack(bytes, SAVING_BYTES)
    {
        out.push(0xc0 | string::LZF);
        length(out, packed.len() as u64);
        length(out, bytes.len() as u64);
        out.extend(packed);
        return;
    }
    length(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends the string that an item stands for.
pub fn item(out: &mut Vec<u8>, item: Item<'_>) {
    item.with_bytes(|bytes| string(out, bytes));
}

/// Appends an integer's string, if there is a shorter form for it.
fn int(out: &mut Vec<u8>, value: i64) -> bool {
    let (encoding, width) = match value {
        -0x80..=0x7f => (string::INT_8, 1),
        -0x8000..=0x7fff => (string::INT_16, 2),
        -0x8000_0000..=0x7fff_ffff => (string::INT_32, 4),
        _ => return false,
    };
    out.push(0xc0 | encoding);
    out.extend(value.to_le_bytes().iter().take(width));
    true
}
