//! C's `sprintf`, which `string.format` is made of, for one value.

use std::ffi::{CStr, c_int, c_long, c_ulong};

/// What is written at most: the longest number with two digits of precision and width, and strings of less than 100
/// bytes.
const OUT_BYTES_MAX: usize = 512;
/// Flags, width and precision.
const HOW_BYTES_MAX: usize = 11;

/// A value and how C is to understand it.
#[derive(Clone, Copy, Debug)]
pub(in crate::script) enum Printed<'a> {
    Char(c_int),
    Signed(c_long),
    /// As `o`, `u`, `x` or `X`.
    Unsigned(c_ulong, u8),
    /// As `e`, `E`, `f`, `g` or `G`.
    Double(f64, u8),
    Text(&'a CStr),
}

/// What C makes of a value; `how` is what stands between `%` and the letter: flags, width and precision. Up to the
/// first NUL, as Lua takes it. `None`: C is not asked for such.
pub(in crate::script) fn print(how: &[u8], value: Printed<'_>) -> Option<Vec<u8>> {
    let is_how = |byte: &u8| b"-+ #0123456789.".contains(byte);
    if how.len() > HOW_BYTES_MAX || !how.iter().all(is_how) {
        return None;
    }
    let letters: &[u8] = match &value {
        Printed::Char(_) => b"c",
        Printed::Signed(_) => b"ld",
        Printed::Unsigned(_, letter @ (b'o' | b'u' | b'x' | b'X')) => &[b'l', *letter],
        Printed::Double(_, letter @ (b'e' | b'E' | b'f' | b'g' | b'G')) => &[*letter],
        Printed::Text(_) => b"s",
        Printed::Unsigned(..) | Printed::Double(..) => return None,
    };
    let format = [b"%", how, letters, b"\0"].concat();
    let mut out = [0_u8; OUT_BYTES_MAX];
    let (to, bytes, format) = (out.as_mut_ptr().cast(), out.len(), format.as_ptr().cast());
    // SAFETY: the format is `%`, `how` and a letter that asks for just the one argument that is given; it ends with a
    // NUL, and no more is written than there is room for.
    unsafe {
        match value {
            Printed::Char(value) => libc::snprintf(to, bytes, format, value),
            Printed::Signed(value) => libc::snprintf(to, bytes, format, value),
            Printed::Unsigned(value, _) => libc::snprintf(to, bytes, format, value),
            Printed::Double(value, _) => libc::snprintf(to, bytes, format, value),
            Printed::Text(value) => libc::snprintf(to, bytes, format, value.as_ptr()),
        }
    };
    CStr::from_bytes_until_nul(&out)
        .ok()
        .map(|text| text.to_bytes().to_vec())
}
