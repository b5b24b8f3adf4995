//! LZF, the compression of strings in the format: runs of literal bytes, and references to the last 8 KiB.
//!
//! ```text
//! 000lllll                      l + 1 literal bytes follow
//! lllooooo oooooooo             repeat l + 2 bytes (l: 1 to 6) from o + 1 bytes back
//! 111ooooo llllllll oooooooo    repeat l + 9 bytes from o + 1 bytes back
//! ```
//!
//! **Invariant:** unpacking allocates only when the packed bytes can give as much as they promise.

use super::error::Reason;

/// Bytes that a reference of three bytes can stand for.
const REPEAT_BYTES_MAX: usize = 264;
const LITERAL_BYTES_MAX: usize = 32;
const WINDOW_BYTES: usize = 8192;
const HASH_BITS_MAX: u32 = 13;

/// Unpacks `packed` to exactly `len` bytes at the end of `out`.
pub fn unpack(packed: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), Reason> {
    if len / REPEAT_BYTES_MAX > packed.len() / 3 {
        return Reason::bad("a compressed string promises more than its bytes can give");
    }
    let start = out.len();
    if out.try_reserve(len).is_err() {
        return Reason::bad("there is no memory for a compressed string");
    }
    let mut rest = packed;
    while let Some(control) = take(&mut rest) {
        let control = usize::from(control);
        let done = if control < LITERAL_BYTES_MAX {
            literal(&mut rest, control + 1, out)
        } else {
            repeat(&mut rest, control, start, out)
        };
        if done.is_none() || out.len() - start > len {
            return Reason::bad("a compressed string is damaged");
        }
    }
    if out.len() - start != len {
        return Reason::bad("a compressed string is shorter than it says");
    }
    Ok(())
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (&byte, behind) = rest.split_first()?;
    *rest = behind;
    Some(byte)
}

fn literal(rest: &mut &[u8], count: usize, out: &mut Vec<u8>) -> Option<()> {
    let (bytes, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    out.extend_from_slice(bytes);
    Some(())
}

fn repeat(rest: &mut &[u8], control: usize, start: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut count = (control >> 5) + 2;
    if control >> 5 == 7 {
        count += usize::from(take(rest)?);
    }
    let back = ((control & 0x1f) << 8) + usize::from(take(rest)?) + 1;
    let from = out.len().checked_sub(back).filter(|from| *from >= start)?;
    // What is repeated may overlap what it writes.
    for at in from..from + count {
        out.push(*out.get(at)?);
    }
    Some(())
}

/// Packs `bytes` if that saves at least `saving` of them.
pub fn pack(bytes: &[u8], saving: usize) -> Option<Vec<u8>> {
    let limit = bytes.len().checked_sub(saving)?;
    let mut packer = Packer {
        out: Vec::with_capacity(limit.min(1 << 16)),
        literal_from: 0,
        bytes,
    };
    // Where three bytes of this hash were seen last, plus one.
    let bits = (usize::BITS - bytes.len().leading_zeros()).min(HASH_BITS_MAX);
    let mut seen = vec![0_u32; 1 << bits];
    let mut at = 0;
    while let Some(three) = bytes.get(at..at + 3).and_then(|three| three.first_chunk::<3>()) {
        let earlier = remember(&mut seen, *three, at);
        match earlier.and_then(|from| packer.common(from, at)) {
            Some(count) => {
                packer.reference(at, at - earlier?, count);
                at += count;
            }
            None => at += 1,
        }
        if packer.out.len() > limit {
            return None;
        }
    }
    packer.literals(bytes.len());
    (packer.out.len() <= limit).then_some(packer.out)
}

/// Notes that `three` stand at `at`; answers with where such bytes stood before, if that is near enough.
fn remember(seen: &mut [u32], three: [u8; 3], at: usize) -> Option<usize> {
    let [a, b, c] = three.map(u32::from);
    let hash = ((a << 16) | (b << 8) | c).wrapping_mul(0x9e37_79b1) >> (32 - seen.len().trailing_zeros());
    let slot = seen.get_mut(hash as usize)?;
    let earlier = *slot as usize;
    // Beyond 4 GiB nothing is remembered, which costs compression only.
    *slot = u32::try_from(at + 1).unwrap_or_default();
    let from = earlier.checked_sub(1)?;
    (from < at && at - from <= WINDOW_BYTES).then_some(from)
}

struct Packer<'a> {
    bytes: &'a [u8],
    out: Vec<u8>,
    /// First byte that is neither written nor referred to.
    literal_from: usize,
}

impl Packer<'_> {
    /// How many bytes from `at` on are those from `from` on, if worth a reference.
    fn common(&self, from: usize, at: usize) -> Option<usize> {
        let (earlier, here) = (self.bytes.get(from..)?, self.bytes.get(at..)?);
        let same = earlier
            .iter()
            .zip(here)
            .take(REPEAT_BYTES_MAX)
            .take_while(|(a, b)| a == b);
        Some(same.count()).filter(|count| *count >= 3)
    }

    fn literals(&mut self, until: usize) {
        let bytes = self.bytes.get(self.literal_from..until).unwrap_or_default();
        for run in bytes.chunks(LITERAL_BYTES_MAX) {
            self.out.push(run.len() as u8 - 1);
            self.out.extend_from_slice(run);
        }
        self.literal_from = until;
    }

    fn reference(&mut self, at: usize, back: usize, count: usize) {
        self.literals(at);
        let (high, low) = (((back - 1) >> 8) as u8, (back - 1) as u8);
        if count < 9 {
            self.out.extend([((count - 2) << 5) as u8 | high, low]);
        } else {
            self.out.extend([7 << 5 | high, (count - 9) as u8, low]);
        }
        self.literal_from = at + count;
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn round_trip(bytes: &[u8]) -> Option<usize> {
        let packed = pack(bytes, 4)?;
        assert!(packed.len() + 4 <= bytes.len());
        let mut out = b"before".to_vec();
        unpack(&packed, bytes.len(), &mut out).unwrap();
        assert_eq!(&out[6..], bytes);
        Some(packed.len())
    }

    #[test]
    fn what_repeats_gets_short_and_comes_back() {
        assert!(round_trip(&[b'a'; 100_000]).unwrap() < 1_500);
        let text: Vec<u8> = (0..5_000).flat_map(|n: u32| format!("key:{n},").into_bytes()).collect();
        assert!(round_trip(&text).unwrap() < text.len() * 2 / 3);
        // A repetition from the far end of the window, and one from beyond it.
        for gap in [8_186, 8_192, 8_300] {
            let mut far = b"needle".to_vec();
            far.extend((0..gap - 6).map(|n: usize| (n * n / 7 % 251) as u8));
            far.extend(b"needle");
            round_trip(&far);
        }
    }

    #[test]
    fn what_does_not_get_shorter_is_left() {
        let mut noise = [0; 2_000];
        StdRng::seed_from_u64(1).fill_bytes(&mut noise);
        assert!(pack(&noise, 4).is_none());
        assert!(pack(b"abc", 4).is_none());
        assert!(pack(b"", 4).is_none());
    }

    #[test]
    fn damage_is_an_error() {
        let bytes: Vec<u8> = b"abcabcabcabcabcabcabcdefdefdefdefdefdef".to_vec();
        let packed = pack(&bytes, 4).unwrap();
        for cut in 0..packed.len() {
            assert!(unpack(&packed[..cut], bytes.len(), &mut Vec::new()).is_err());
        }
        for len in [0, bytes.len() - 1, bytes.len() + 1, usize::MAX] {
            let mut out = Vec::new();
            assert!(unpack(&packed, len, &mut out).is_err());
            assert!(out.capacity() < 4096);
        }
        // A reference to before the beginning.
        assert!(unpack(&[0, b'a', 0x20, 5], 4, &mut Vec::new()).is_err());
    }
}
