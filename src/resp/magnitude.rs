//! Exact unsigned integers of any size, and the one rounding step from them to a binary float.
//!
//! **Invariants**: `limbs` is little-endian and its last limb is not zero. Sizes are bounded by the 5 KiB of text that
//! a long double may have, so the schoolbook methods here stay in the microseconds.

use std::cmp::Ordering;

/// A binary floating-point format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Bits of the significand.
    pub precision: u32,
    /// Exponent of the lowest bit of the smallest subnormal number.
    pub exponent_min: i64,
    /// Numbers of 2^this and above are infinite.
    pub exponent_max: i64,
}

/// Rounds `value` × 2^`exponent` to nearest, ties to even; `None` when it overflows. The result is a significand of at
/// most `precision` bits and its exponent.
///
/// `inexact` says that the true value lies strictly between `value` and `value + 1`; `value` must then have more than
/// `precision` bits.
pub fn round(format: Format, value: u128, exponent: i64, inexact: bool) -> Option<(u64, i64)> {
    let bits = i64::from(128 - value.leading_zeros());
    let surplus = (bits - i64::from(format.precision))
        .max(format.exponent_min.saturating_sub(exponent))
        .max(0);
    if surplus > 128 || value == 0 {
        return Some((0, format.exponent_min));
    }
    let kept = value.checked_shr(surplus as u32).unwrap_or(0);
    let rest = value ^ kept.checked_shl(surplus as u32).unwrap_or(0);
    let half = (1u128 << 127).checked_shr(128 - surplus as u32).unwrap_or(0);
    let up = surplus > 0
        && match rest.cmp(&half) {
            Ordering::Less => false,
            Ordering::Equal => inexact || kept & 1 == 1,
            Ordering::Greater => true,
        };
    let mut kept = kept + u128::from(up);
    let mut exponent = exponent + surplus;
    if kept >> format.precision != 0 {
        kept >>= 1;
        exponent += 1;
    }
    let top = i64::from(128 - kept.leading_zeros()) + exponent;
    if kept != 0 && top > format.exponent_max {
        None
    } else {
        Some((kept as u64, exponent))
    }
}

/// An exact unsigned integer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Magnitude {
    limbs: Vec<u64>,
}

impl Magnitude {
    /// The integer with these decimal digits. O(length²).
    pub fn from_decimal<'a>(digits: impl Iterator<Item = &'a u8>) -> Self {
        let mut value = Self::default();
        let (mut chunk, mut scale) = (0u64, 1u64);
        for byte in digits {
            chunk = chunk * 10 + u64::from(byte.wrapping_sub(b'0'));
            scale *= 10;
            if scale == 1_000_000_000_000_000_000 {
                value.multiply_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
        }
        value.multiply_add(scale, chunk);
        value
    }

    /// 5^`power`.
    pub fn power_of_5(power: u32) -> Self {
        let mut value = Self { limbs: vec![1] };
        for _ in 0..power / 27 {
            value.multiply_add(5u64.pow(27), 0);
        }
        value.multiply_add(5u64.pow(power % 27), 0);
        value
    }

    /// `self` × `factor` + `addend`, in place.
    pub fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = u128::from(addend);
        for limb in &mut self.limbs {
            carry += u128::from(*limb) * u128::from(factor);
            *limb = carry as u64;
            carry >>= 64;
        }
        if carry != 0 {
            self.limbs.push(carry as u64);
        }
        self.trim();
    }

    /// `self` / `divisor` in place; the remainder.
    fn divide(&mut self, divisor: u64) -> u64 {
        let mut rest = 0u128;
        for limb in self.limbs.iter_mut().rev() {
            rest = rest << 64 | u128::from(*limb);
            *limb = (rest / u128::from(divisor)) as u64;
            rest %= u128::from(divisor);
        }
        self.trim();
        rest as u64
    }

    /// `self` × 2^`count`, in place.
    pub fn shift_left(&mut self, count: u64) {
        self.multiply_add(1 << (count % 64), 0);
        if !self.limbs.is_empty() {
            let zeros = usize::try_from(count / 64).unwrap_or(usize::MAX);
            self.limbs.splice(0..0, std::iter::repeat_n(0, zeros));
        }
    }

    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        let others = other.limbs.iter().copied().chain(std::iter::repeat(0));
        for (limb, subtrahend) in self.limbs.iter_mut().zip(others) {
            let (difference, first) = limb.overflowing_sub(subtrahend);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = first || second;
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }

    /// The number of bits up to the highest that is set.
    pub fn bits(&self) -> u64 {
        let top = self.limbs.last().map_or(0, |limb| limb.leading_zeros());
        self.limbs.len() as u64 * 64 - u64::from(top)
    }

    /// The highest bits: `self` = (value + a fraction below one) × 2^exponent; whether that fraction is not zero.
    pub fn top(&self) -> (u128, i64, bool) {
        let mut limbs = self.limbs.iter().rev();
        let first = limbs.next().copied().unwrap_or(0);
        let second = limbs.next().copied().unwrap_or(0);
        let rest = self.limbs.len().saturating_sub(2);
        let inexact = limbs.any(|&limb| limb != 0);
        match self.limbs.len() {
            0 | 1 => (u128::from(first), 0, false),
            _ => (u128::from(first) << 64 | u128::from(second), rest as i64 * 64, inexact),
        }
    }

    /// `self` / `divisor` to at least 67 bits, in the form of [`Magnitude::top`]. O(limbs × 68).
    pub fn ratio(mut self, mut divisor: Self) -> (u128, i64, bool) {
        let shift = self.bits() as i64 - divisor.bits() as i64;
        if shift < 0 {
            self.shift_left(shift.unsigned_abs())
        } else {
            divisor.shift_left(shift.unsigned_abs())
        }
        let mut quotient = 0u128;
        for _ in 0..=67 {
            quotient <<= 1;
            if self >= divisor {
                self.subtract(&divisor);
                quotient |= 1;
            }
            self.shift_left(1);
        }
        (quotient, shift - 67, !self.limbs.is_empty())
    }

    /// The decimal digits, `0` for zero. O(length²).
    pub fn into_decimal(mut self) -> String {
        const CHUNK: u64 = 10u64.pow(19);
        let mut chunks = Vec::new();
        while !self.limbs.is_empty() {
            chunks.push(self.divide(CHUNK));
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        text
    }
}

impl From<u64> for Magnitude {
    fn from(value: u64) -> Self {
        let mut value = Self { limbs: vec![value] };
        value.trim();
        value
    }
}

impl Ord for Magnitude {
    fn cmp(&self, other: &Self) -> Ordering {
        self.limbs
            .len()
            .cmp(&other.limbs.len())
            .then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}

impl PartialOrd for Magnitude {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTE: Format = Format {
        precision: 4,
        exponent_min: -10,
        exponent_max: 8,
    };

    #[test]
    fn rounding_is_to_nearest_even() {
        assert_eq!(round(BYTE, 0b11_0000, 0, false), Some((0b1100, 2)));
        assert_eq!(round(BYTE, 0b1_0001, 0, false), Some((0b1000, 1)));
        assert_eq!(round(BYTE, 0b1_0011, 0, false), Some((0b1010, 1)));
        assert_eq!(round(BYTE, 0b1_0001, 0, true), Some((0b1001, 1)));
        assert_eq!(round(BYTE, 0b1_1111, 0, false), Some((0b1000, 2)));
        assert_eq!(round(BYTE, 0b1111_1000, 0, false), None);
        assert_eq!(round(BYTE, 0b1111, 4, false), Some((0b1111, 4)));
        assert_eq!(round(BYTE, 0b111, -12, false), Some((0b10, -10)));
        assert_eq!(round(BYTE, 1, -300, false), Some((0, -10)));
    }

    #[test]
    fn decimal_round_trip() {
        for text in [
            "0",
            "7",
            "18446744073709551616",
            "1000000000000000000000000000000000000000000000000001",
        ] {
            assert_eq!(Magnitude::from_decimal(text.as_bytes().iter()).into_decimal(), text);
        }
        let mut power = Magnitude::power_of_5(100);
        power.shift_left(100);
        assert_eq!(power.into_decimal(), format!("1{}", "0".repeat(100)));
    }

    #[test]
    fn ratios() {
        let (quotient, exponent, inexact) = Magnitude::from(3).ratio(Magnitude::from(4));
        assert_eq!((quotient as f64 * 2f64.powi(exponent as i32), inexact), (0.75, false));
        let (quotient, exponent, inexact) = Magnitude::power_of_5(60).ratio(Magnitude::power_of_5(1));
        assert!(inexact);
        let expected = 5f64.powi(59);
        assert!((quotient as f64 * 2f64.powi(exponent as i32) / expected - 1.0).abs() < 1e-15);
    }
}
