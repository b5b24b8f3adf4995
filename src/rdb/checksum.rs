//! The format's checksum: CRC-64 with Jones's polynomial, reflected, from zero.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A checksum that goes on.
pub type Running = Digest<'static, u64, Table<16>>;

/// A checksum of nothing yet.
pub fn running() -> Running {
    CRC.digest()
}

/// The checksum of `bytes`.
pub fn of(bytes: &[u8]) -> u64 {
    CRC.checksum(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_check_value_comes_out() {
        assert_eq!(super::of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }
}
