//! Intset: width in bytes (4), count (4), and the members, little endian, sorted.

use crate::page::packed::Item;

use super::super::error::Reason;
use super::Rest;

/// Most members of a set that is written as an intset.
pub const MEMBERS_MAX: u64 = 512;

/// Gives every member of `blob` to `visit`.
pub fn read(blob: &[u8], mut visit: impl FnMut(i64)) -> Result<(), Reason> {
    let mut rest = Rest(blob);
    let width = rest.u32_le()?;
    let count = u64::from(rest.u32_le()?);
    if !matches!(width, 2 | 4 | 8) || count * u64::from(width) != rest.0.len() as u64 {
        return Reason::bad("an intset is not as long as it says");
    }
    let mut last = None;
    while !rest.0.is_empty() {
        let item = match width {
            2 => rest.i16_le(),
            4 => rest.i32_le(),
            _ => rest.i64_le(),
        };
        let Item::Int(member) = item? else { continue };
        if last.is_some_and(|last| last >= member) {
            return Reason::bad("an intset is not sorted");
        }
        last = Some(member);
        visit(member);
    }
    Ok(())
}

/// The intset of `members`, as narrow as they allow.
pub fn write(mut members: Vec<i64>) -> Vec<u8> {
    members.sort_unstable();
    let widest = members.iter().fold(2_u32, |width, member| {
        width.max(match *member {
            -0x8000..=0x7fff => 2,
            -0x8000_0000..=0x7fff_ffff => 4,
            _ => 8,
        })
    });
    let mut blob = widest.to_le_bytes().to_vec();
    blob.extend((members.len() as u32).to_le_bytes());
    for member in members {
        blob.extend(member.to_le_bytes().iter().take(widest as usize));
    }
    blob
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_widths_read_back_sorted() {
        for members in [vec![3, -1, 2], vec![70_000, -5], vec![i64::MAX, i64::MIN, 0], vec![]] {
            let mut read_back = Vec::new();
            let blob = write(members.clone());
            read(&blob, |member| read_back.push(member)).unwrap();
            let mut sorted = members;
            sorted.sort_unstable();
            assert_eq!(read_back, sorted);
            assert!(read(&blob[..blob.len() - 1], |_| {}).is_err());
        }
        // Twice the same, and a width there is not.
        assert!(read(b"\x02\0\0\0\x02\0\0\0\x05\0\x05\0", |_| {}).is_err());
        assert!(read(b"\x03\0\0\0\0\0\0\0", |_| {}).is_err());
    }
}
