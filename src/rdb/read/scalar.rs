//! Lengths, strings and numbers, of which everything else is made.

use std::io::Read;

use super::super::code::string;
use super::super::error::Reason;
use super::super::lzf;
use super::source::Source;

/// What stands where a length can.
enum Length {
    Plain(u64),
    /// A string of this encoding follows.
    Encoded(u8),
}

impl<R: Read> Source<R> {
    fn length_or_encoding(&mut self) -> Result<Length, Reason> {
        let first = self.byte()?;
        Ok(Length::Plain(match first {
            0x00..=0x3f => first.into(),
            0x40..=0x7f => u16::from_be_bytes([first & 0x3f, self.byte()?]).into(),
            0x80 => u32::from_be_bytes(self.array()?).into(),
            0x81 => u64::from_be_bytes(self.array()?),
            0xc0..=0xff => return Ok(Length::Encoded(first & 0x3f)),
            _ => return Reason::bad("a length of an unknown kind"),
        }))
    }

    /// A length, or another number without a sign.
    pub fn length(&mut self) -> Result<u64, Reason> {
        match self.length_or_encoding()? {
            Length::Plain(length) => Ok(length),
            Length::Encoded(_) => Reason::bad("a string in place of a length"),
        }
    }

    /// A string, in place of what `out` held.
    pub fn string_into(&mut self, out: &mut Vec<u8>) -> Result<(), Reason> {
        out.clear();
        let encoding = match self.length_or_encoding()? {
            Length::Plain(length) => return self.bytes(length, out),
            Length::Encoded(encoding) => encoding,
        };
        let value: i64 = match encoding {
            string::INT_8 => i8::from_le_bytes(self.array()?).into(),
            string::INT_16 => i16::from_le_bytes(self.array()?).into(),
            string::INT_32 => i32::from_le_bytes(self.array()?).into(),
            string::LZF => return self.compressed(out),
            _ => return Reason::bad("a string of an unknown encoding"),
        };
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        Ok(())
    }

    fn compressed(&mut self, out: &mut Vec<u8>) -> Result<(), Reason> {
        let packed_bytes = self.length()?;
        let length = self.length()?;
        let left = self.unpacked_left.checked_sub(length);
        self.unpacked_left = left.ok_or_else(|| Reason::Bad("compressed strings promise more than may come".into()))?;
        let bytes = usize::try_from(length).map_err(|_| Reason::Short)?;
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        let result = self
            .bytes(packed_bytes, &mut packed)
            .and_then(|()| lzf::unpack(&packed, bytes, out));
        self.packed = packed;
        result
    }

    /// A string of its own.
    pub fn string(&mut self) -> Result<Vec<u8>, Reason> {
        let mut out = Vec::new();
        self.string_into(&mut out)?;
        Ok(out)
    }

    /// Milliseconds of eight bytes; negative ones count as none.
    pub fn milliseconds(&mut self) -> Result<Option<u64>, Reason> {
        let value = i64::from_le_bytes(self.array()?);
        Ok(u64::try_from(value).ok())
    }

    /// A double of eight bytes.
    pub fn double(&mut self) -> Result<f64, Reason> {
        self.array().map(f64::from_le_bytes)
    }

    /// A double as text behind its length, as sorted sets had it first.
    pub fn double_text(&mut self) -> Result<f64, Reason> {
        let length = match self.byte()? {
            253 => return Ok(f64::NAN),
            254 => return Ok(f64::INFINITY),
            255 => return Ok(f64::NEG_INFINITY),
            length => length,
        };
        let mut text = Vec::with_capacity(length.into());
        self.bytes(length.into(), &mut text)?;
        parse_double(&text)
    }
}

/// A score as text.
pub fn parse_double(text: &[u8]) -> Result<f64, Reason> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.map_or_else(|| Reason::bad("a score is not a number"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(bytes: &[u8]) -> Source<&[u8]> {
        Source::new(bytes, bytes.len())
    }

    #[test]
    fn lengths_of_all_widths() {
        for (bytes, length) in [
            (&b"\x3f"[..], 63),
            (b"\x40\x40", 64),
            (b"\x7f\xff", 16_383),
            (b"\x80\0\0\x40\0", 16_384),
            (b"\x81\x01\0\0\0\0\0\0\0", 1 << 56),
        ] {
            assert_eq!(source(bytes).length().unwrap(), length);
        }
        assert!(source(b"\xc0\x01").length().is_err());
        assert!(source(b"\x82\0\0\0\0").length().is_err());
        assert!(source(b"\x40").length().is_err());
    }

    #[test]
    fn strings_of_all_encodings() {
        for (bytes, text) in [
            (&b"\x03abc"[..], &b"abc"[..]),
            (b"\x00", b""),
            (b"\xc0\x80", b"-128"),
            (b"\xc1\xff\x7f", b"32767"),
            (b"\xc2\0\0\0\x80", b"-2147483648"),
            (b"\xc3\x05\x15\x00a\xe0\x0b\x00", &[b'a'; 21]),
        ] {
            assert_eq!(source(bytes).string().unwrap(), text, "{bytes:?}");
        }
        assert!(source(b"\xc4\0").string().is_err());
        let compressed = b"\xc3\x05\x15\x00a\xe0\x0b\x00".repeat(2);
        let mut twice = source(&compressed).unpacking_at_most(41);
        assert_eq!(twice.string().unwrap(), [b'a'; 21]);
        assert!(twice.string().is_err(), "42 bytes where 41 may come");
        assert!(source(b"\x05abc").string().is_err());
        assert!(
            source(b"\xc3\x04\x81\xff\xff\xff\xff\xff\xff\xff\xff\0a\xe0\x0b")
                .string()
                .is_err()
        );
    }

    #[test]
    fn scores_of_both_kinds() {
        assert_eq!(source(b"\x043.25").double_text().unwrap(), 3.25);
        assert_eq!(source(b"\xff").double_text().unwrap(), f64::NEG_INFINITY);
        assert_eq!(source(&1e300_f64.to_le_bytes()).double().unwrap(), 1e300);
        assert!(source(b"\x02xy").double_text().is_err());
    }
}
