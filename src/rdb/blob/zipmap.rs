//! Zipmap, in which Redis before 2.6 kept small hashes: a count of one byte, fields and values, an end mark. Behind a
//! value's length stands how many unused bytes follow the value.

use crate::page::packed::Item;

use super::super::error::Reason;
use super::Rest;

const END: u8 = 0xff;
/// First byte of a length when four bytes follow.
const LONG: u8 = 0xfe;
/// In the header when there are this many fields or more.
const COUNT_UNKNOWN: u8 = 0xfe;

/// Gives every field of `blob`, with its value, to `visit`.
pub fn read(blob: &[u8], mut visit: impl FnMut(Item<'_>, Item<'_>)) -> Result<(), Reason> {
    let mut rest = Rest(blob);
    let count = rest.byte()?;
    let mut seen = 0_usize;
    while let Some(field_len) = length(&mut rest)? {
        let field = rest.string(field_len)?;
        let Some(value_len) = length(&mut rest)? else {
            return Reason::bad("a zipmap has a field without a value");
        };
        let unused = rest.byte()?;
        let value = rest.string(value_len)?;
        rest.take(unused.into())?;
        visit(field, value);
        seen += 1;
    }
    if rest.0.is_empty() && (count >= COUNT_UNKNOWN || usize::from(count) == seen) {
        Ok(())
    } else {
        Reason::bad("a zipmap ends where it should not")
    }
}

/// A length; `None` at the end mark.
fn length(rest: &mut Rest<'_>) -> Result<Option<usize>, Reason> {
    match rest.byte()? {
        END => Ok(None),
        LONG => Ok(Some(rest.u32_le()? as usize)),
        short => Ok(Some(short.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(blob: &[u8]) -> Result<Vec<[Vec<u8>; 2]>, Reason> {
        let mut fields = Vec::new();
        read(blob, |field, value| {
            fields.push([field, value].map(|item| item.bytes().into_owned()));
        })?;
        Ok(fields)
    }

    #[test]
    fn fields_are_read_over_unused_bytes() {
        let blob = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world??\xff";
        let expected = [[&b"foo"[..], b"bar"], [b"hello", b"world"]].map(|pair| pair.map(<[u8]>::to_vec));
        assert_eq!(fields(blob).unwrap(), expected);
        for cut in 0..blob.len() {
            assert!(fields(&blob[..cut]).is_err());
        }
        assert!(fields(b"\x03\x03foo\x03\x00bar\xff").is_err());
    }

    #[test]
    fn long_values_have_four_bytes_of_length() {
        let blob = [&b"\x01\x01f\xfe\x2c\x01\0\0\0"[..], &[b'v'; 300], b"\xff"].concat();
        assert_eq!(fields(&blob).unwrap(), [[b"f".to_vec(), vec![b'v'; 300]]]);
    }
}
