//! The versions of the format, of which Redis and Valkey count apart since Redis 7.4 and Valkey 9.
//!
//! **Invariant:** a number never means both: Valkey keeps off those from 12 to 79.

use std::fmt;

use super::object::{Newer, Object};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Of Redis, and of Valkey before 9.
    Redis(u16),
    /// Of Valkey.
    Valkey(u16),
}

/// The newest of Redis that can be read.
const REDIS_READ_MAX: u16 = 13;
const VALKEY_READ: u16 = 80;
/// The first whose files end with a checksum.
const CHECKSUM: u16 = 5;
const LISTPACKS: u16 = 10;
const FUNCTIONS: u16 = 10;
const ACTIVE_TIMES: u16 = 11;
const TIMED_HASHES: u16 = 12;
const MESSAGES: u16 = 13;

impl Version {
    /// The one that is written unless another is asked for: that of Redis 7.0, which everything later reads, too.
    pub const USUAL: Self = Self::Redis(10);
    /// The first of Redis whose hashes have fields that expire, that of Redis 7.4.
    pub const TIMED_HASHES: Self = Self::Redis(TIMED_HASHES);
    /// The first whose streams have messages of producers, that of Redis 8.6. It is written for streams with entries
    /// that were given back, too, which Redis has since 8.8: older ones refuse their type.
    pub const MESSAGES: Self = Self::Redis(MESSAGES);
    /// That of Valkey 9.
    pub const VALKEY: Self = Self::Valkey(VALKEY_READ);
    /// All that can be written.
    pub const WRITTEN: [Self; 6] = [
        Self::Redis(9),
        Self::Redis(10),
        Self::Redis(11),
        Self::Redis(12),
        Self::Redis(13),
        Self::VALKEY,
    ];

    /// What begins its files, in five bytes or six; the number follows.
    pub(super) fn magic(self) -> &'static [u8] {
        match self {
            Self::Redis(_) => b"REDIS",
            Self::Valkey(_) => b"VALKEY",
        }
    }

    /// How its number is written behind that: so that both take nine bytes.
    pub(super) fn digits(self) -> String {
        match self {
            Self::Redis(number) => format!("{number:04}"),
            Self::Valkey(number) => format!("{number:03}"),
        }
    }

    /// The number alone.
    pub fn number(self) -> u16 {
        let (Self::Redis(number) | Self::Valkey(number)) = self;
        number
    }

    /// The version that `number` is in a payload, which says no more, if that can be read.
    pub(super) fn of_payload(number: u16) -> Option<Self> {
        match number {
            0..=REDIS_READ_MAX => Some(Self::Redis(number)),
            VALKEY_READ => Some(Self::VALKEY),
            _ => None,
        }
    }

    /// Whether its files can be read.
    pub(super) fn can_be_read(self) -> bool {
        match self {
            Self::Redis(number) => (1..=REDIS_READ_MAX).contains(&number),
            Self::Valkey(number) => number == VALKEY_READ,
        }
    }

    pub(super) fn is_valkey(self) -> bool {
        matches!(self, Self::Valkey(_))
    }

    pub(super) fn has_checksum(self) -> bool {
        self.number() >= CHECKSUM
    }

    pub(super) fn has_listpacks(self) -> bool {
        self.number() >= LISTPACKS
    }

    pub(super) fn has_active_times(self) -> bool {
        self.number() >= ACTIVE_TIMES
    }

    /// Whether it knows libraries of functions.
    pub fn has_functions(self) -> bool {
        self.number() >= FUNCTIONS
    }

    /// Whether it can hold `object`.
    pub fn holds(self, object: &Object) -> bool {
        match object.newer() {
            None => true,
            Some(Newer::TimedHash) => self.number() >= TIMED_HASHES,
            Some(Newer::Messages) => !self.is_valkey() && self.number() >= MESSAGES,
            // A module of Redis has them, which those of 8 are written with.
            Some(Newer::Vectors) => !self.is_valkey() && self.number() >= TIMED_HASHES,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(number) => write!(out, "RDB version {number}"),
            Self::Valkey(number) => write!(out, "Valkey's RDB version {number}"),
        }
    }
}
