//! What is set of one collection: its memory limit, its fsync class, whether it is kept on disk at all.
//!
//! **Invariants**
//! - Settings change only by an effect, under the exclusive gate; the atomics are for reading without a lock.
//! - A collection without settings has traits 0, so that the hot path asks one question for all of them. A policy of
//!   its own, which a change does not have to heed, stands in bits of their own.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::eviction::Policy;

/// What replies to writes on a collection wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FsyncClass {
    /// What the server's policy says.
    #[default]
    Server,
    /// They wait until the log is stable, whatever the server's policy.
    Always,
    /// They do not wait; the log is synced at least once a second.
    EverySec,
    /// They do not wait.
    No,
}

impl FsyncClass {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Server, Self::Always, Self::EverySec, Self::No];

    /// As `COLLECTION CONFIG` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Always => "always",
            Self::EverySec => "everysec",
            Self::No => "no",
        }
    }
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Writes that need memory are refused above this; 0 = no limit.
    pub max_bytes: u64,
    /// What replies to writes wait for.
    pub fsync: FsyncClass,
    /// Its keys are neither logged nor in checkpoints: after a restart it is empty.
    pub is_cache: bool,
    /// Which keys are evicted when memory is short; `None`: what the server's policy says.
    pub policy: Option<Policy>,
}

/// Settings as they are in logs and manifests. The policy stands in the number of the fsync class, so that those that
/// were written before there were policies say that there is none.
#[derive(Serialize, Deserialize)]
struct Packed {
    max_bytes: u64,
    class_and_policy: u32,
    is_cache: bool,
}

/// Settings as people read them.
#[derive(Serialize)]
#[serde(rename = "Settings")]
struct Shown {
    max_bytes: u64,
    fsync: FsyncClass,
    is_cache: bool,
    policy: Option<&'static str>,
}

const CLASSES: u32 = FsyncClass::ALL.len() as u32;

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let shown = Shown {
                max_bytes: self.max_bytes,
                fsync: self.fsync,
                is_cache: self.is_cache,
                policy: self.policy.map(Policy::name),
            };
            return shown.serialize(serializer);
        }
        let policy = self.policy.map_or(0, |policy| policy as u32 + 1);
        let packed = Packed {
            max_bytes: self.max_bytes,
            class_and_policy: self.fsync as u32 + CLASSES * policy,
            is_cache: self.is_cache,
        };
        packed.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = Packed::deserialize(deserializer)?;
        let (class, policy) = (packed.class_and_policy % CLASSES, packed.class_and_policy / CLASSES);
        let policy = match policy.checked_sub(1) {
            None => None,
            Some(code) => {
                let known = u8::try_from(code).ok().and_then(Policy::of_code);
                Some(known.ok_or_else(|| D::Error::custom("an unknown eviction policy"))?)
            }
        };
        Ok(Self {
            max_bytes: packed.max_bytes,
            fsync: FsyncClass::ALL.get(class as usize).copied().unwrap_or_default(),
            is_cache: packed.is_cache,
            policy,
        })
    }
}

/// What the hot path has to know of a collection's settings and state, as bits; 0 for most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits(u16);

const CLASS: u16 = 0b11;
const CACHE: u16 = 1 << 2;
const LIMITED: u16 = 1 << 3;
const READ_ONLY: u16 = 1 << 4;
const TAPPED: u16 = 1 << 5;
const POLICY_SHIFT: u32 = 8;
const HEEDED: u16 = (1 << POLICY_SHIFT) - 1;

impl Traits {
    /// Whether there is nothing to heed.
    #[inline]
    pub fn is_plain(self) -> bool {
        self.0 & HEEDED == 0
    }

    /// Whether its keys are not logged.
    #[inline]
    pub fn is_cache(self) -> bool {
        self.0 & CACHE != 0
    }

    /// Whether it has a memory limit.
    #[inline]
    pub fn is_limited(self) -> bool {
        self.0 & LIMITED != 0
    }

    /// Whether nothing in it may change.
    #[inline]
    pub fn is_read_only(self) -> bool {
        self.0 & READ_ONLY != 0
    }

    /// Whether its changes are followed by a conversion.
    #[inline]
    pub fn is_tapped(self) -> bool {
        self.0 & TAPPED != 0
    }

    /// Its own eviction policy, if it has one.
    #[inline]
    pub fn policy(self) -> Option<Policy> {
        match self.0 >> POLICY_SHIFT {
            0 => None,
            code => Policy::of_code((code - 1) as u8),
        }
    }

    /// Its fsync class.
    pub fn class(self) -> FsyncClass {
        match self.0 & CLASS {
            1 => FsyncClass::Always,
            2 => FsyncClass::EverySec,
            3 => FsyncClass::No,
            _ => FsyncClass::Server,
        }
    }

    /// Whether what is read or written here is to be stable before it is answered; `by_server`: the server's policy.
    #[inline]
    pub fn waits(self, by_server: bool) -> bool {
        if self.0 & (CLASS | CACHE) == 0 {
            return by_server;
        }
        !self.is_cache() && self.class() == FsyncClass::Always
    }
}

/// A collection's settings as it carries them.
#[derive(Default)]
pub struct CarriedSettings {
    traits: AtomicU16,
    max_bytes: AtomicU64,
    used_bytes: AtomicI64,
    /// Where it is over its limit keys are being evicted.
    is_relieved: AtomicBool,
}

impl CarriedSettings {
    /// The traits.
    #[inline]
    pub fn traits(&self) -> Traits {
        Traits(self.traits.load(Ordering::Relaxed))
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        let traits = self.traits();
        Settings {
            max_bytes: self.max_bytes.load(Ordering::Relaxed),
            fsync: traits.class(),
            is_cache: traits.is_cache(),
            policy: traits.policy(),
        }
    }

    /// Sets them; `used_bytes`: what the collection takes now.
    pub fn set(&self, settings: Settings, used_bytes: u64) {
        let class = match settings.fsync {
            FsyncClass::Server => 0,
            FsyncClass::Always => 1,
            FsyncClass::EverySec => 2,
            FsyncClass::No => 3,
        };
        let policy = settings.policy.map_or(0, |policy| policy as u16 + 1) << POLICY_SHIFT;
        let bits = class
            | policy
            | if settings.is_cache { CACHE } else { 0 }
            | if settings.max_bytes > 0 { LIMITED } else { 0 };
        let state = self.traits.load(Ordering::Relaxed) & (READ_ONLY | TAPPED);
        self.max_bytes.store(settings.max_bytes, Ordering::Relaxed);
        self.used_bytes.store(used_bytes as i64, Ordering::Relaxed);
        self.set_relieved(false);
        self.traits.store(bits | state, Ordering::Relaxed);
    }

    /// Nothing may change any more.
    pub fn set_read_only(&self) {
        self.traits.fetch_or(READ_ONLY, Ordering::Relaxed);
    }

    /// A conversion follows, or no longer.
    pub fn set_tapped(&self, is_tapped: bool) {
        if is_tapped {
            self.traits.fetch_or(TAPPED, Ordering::Relaxed);
        } else {
            self.traits.fetch_and(!TAPPED, Ordering::Relaxed);
        }
    }

    /// Counts bytes towards the limit.
    pub fn note_bytes(&self, bytes: i64) {
        self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes in use and bytes allowed, when it is over its limit.
    pub fn over_limit(&self) -> Option<(u64, u64)> {
        if !self.traits().is_limited() {
            return None;
        }
        let used = self.used_bytes.load(Ordering::Relaxed).max(0) as u64;
        let max = self.max_bytes.load(Ordering::Relaxed);
        (used > max).then_some((used, max))
    }

    /// The same, when nothing is evicted there.
    pub fn over_limit_for_good(&self) -> Option<(u64, u64)> {
        self.over_limit().filter(|_| !self.is_relieved.load(Ordering::Relaxed))
    }

    /// Notes whether keys are evicted where it is over its limit.
    pub fn set_relieved(&self, is_relieved: bool) {
        self.is_relieved.store(is_relieved, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::codec;

    #[test]
    fn settings_are_carried_as_they_are() {
        let policies = Policy::ALL.into_iter().map(Some).chain([None]);
        for (fsync, policy) in policies.flat_map(|policy| FsyncClass::ALL.map(|fsync| (fsync, policy))) {
            for (max_bytes, is_cache) in [(0, false), (7, false), (0, true), (u64::MAX / 4, true)] {
                let carried = CarriedSettings::default();
                assert!(carried.traits().is_plain());
                let settings = Settings {
                    max_bytes,
                    fsync,
                    is_cache,
                    policy,
                };
                let mut written = Vec::new();
                codec::encode(&settings, None, &mut written);
                assert_eq!(codec::decode(&written).unwrap(), (settings, written.len()));
                if policy.is_none() {
                    let mut before = Vec::new();
                    codec::encode(&(max_bytes, fsync, is_cache), None, &mut before);
                    assert_eq!(written, before, "as before there were policies");
                }
                carried.set_tapped(true);
                carried.set(settings, 3);
                assert_eq!(carried.settings(), settings);
                assert!(carried.traits().is_tapped());
                carried.set_tapped(false);
                let is_plain = settings
                    == Settings {
                        policy,
                        ..Settings::default()
                    };
                assert_eq!(carried.traits().is_plain(), is_plain);
                assert_eq!(carried.traits().is_limited(), max_bytes > 0);
            }
        }
    }

    #[test]
    fn an_unknown_policy_is_refused() {
        let mut written = Vec::new();
        let number = CLASSES * (Policy::ALL.len() as u32 + 1);
        codec::encode(&(0_u64, number, false), None, &mut written);
        assert!(codec::decode::<Settings>(&written).is_err());
    }

    #[test]
    fn who_waits() {
        let waits = |fsync, is_cache, by_server| {
            let carried = CarriedSettings::default();
            carried.set(
                Settings {
                    fsync,
                    is_cache,
                    ..Settings::default()
                },
                0,
            );
            carried.traits().waits(by_server)
        };
        assert!(waits(FsyncClass::Server, false, true) && !waits(FsyncClass::Server, false, false));
        assert!(waits(FsyncClass::Always, false, false));
        assert!(!waits(FsyncClass::EverySec, false, true) && !waits(FsyncClass::No, false, true));
        assert!(!waits(FsyncClass::Always, true, true) && !waits(FsyncClass::Server, true, true));
    }

    #[test]
    fn the_limit() {
        let carried = CarriedSettings::default();
        carried.note_bytes(100);
        assert_eq!(carried.over_limit(), None);
        let settings = Settings {
            max_bytes: 50,
            ..Settings::default()
        };
        carried.set(settings, 40);
        assert_eq!(carried.over_limit(), None);
        carried.note_bytes(11);
        assert_eq!(carried.over_limit(), Some((51, 50)));
    }
}
