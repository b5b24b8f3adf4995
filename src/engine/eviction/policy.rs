//! The policies: which keys may be evicted, and which of them go first.
//!
//! **Invariant:** a policy's place in [`Policy::ALL`] is on disk: new ones come last.

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Policy {
    /// None.
    #[default]
    NoEviction,
    /// Those that were not used for the longest time.
    AllkeysLru,
    /// Those that are used least often.
    AllkeysLfu,
    /// Those that were not changed for the longest time.
    AllkeysLrm,
    /// Any.
    AllkeysRandom,
    /// Of those that die, those that were not used for the longest time.
    VolatileLru,
    /// Of those that die, those that are used least often.
    VolatileLfu,
    /// Of those that die, those that were not changed for the longest time.
    VolatileLrm,
    /// Any of those that die.
    VolatileRandom,
    /// Those that die first.
    VolatileTtl,
}

/// Which keys go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By when they were used, or changed.
    Recency,
    /// By how often they are used.
    Frequency,
    /// By when they die.
    Expiry,
    /// Any.
    Random,
}

/// What is noted of uses of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noting {
    /// The second, for `OBJECT IDLETIME`.
    Seconds,
    /// When each was used, exactly.
    Uses,
    /// When each was changed.
    Changes,
    /// How often.
    Counts,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NoEviction,
        Self::AllkeysLru,
        Self::AllkeysLfu,
        Self::AllkeysLrm,
        Self::AllkeysRandom,
        Self::VolatileLru,
        Self::VolatileLfu,
        Self::VolatileLrm,
        Self::VolatileRandom,
        Self::VolatileTtl,
    ];

    /// The policy in this place of [`Policy::ALL`].
    #[inline]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// As `maxmemory-policy` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoEviction => "noeviction",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysLrm => "allkeys-lrm",
            Self::AllkeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileLrm => "volatile-lrm",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
        }
    }

    /// Whether keys are evicted at all.
    #[inline]
    pub fn evicts(self) -> bool {
        self != Self::NoEviction
    }

    /// Whether only keys that die are.
    pub fn is_volatile(self) -> bool {
        matches!(
            self,
            Self::VolatileLru | Self::VolatileLfu | Self::VolatileLrm | Self::VolatileRandom | Self::VolatileTtl
        )
    }

    /// Which keys go first.
    pub fn order(self) -> Order {
        match self {
            Self::AllkeysLru | Self::AllkeysLrm | Self::VolatileLru | Self::VolatileLrm => Order::Recency,
            Self::AllkeysLfu | Self::VolatileLfu => Order::Frequency,
            Self::VolatileTtl => Order::Expiry,
            Self::NoEviction | Self::AllkeysRandom | Self::VolatileRandom => Order::Random,
        }
    }

    /// What is to be noted of uses.
    #[inline]
    pub fn noting(self) -> Noting {
        match self {
            Self::AllkeysLru | Self::VolatileLru => Noting::Uses,
            Self::AllkeysLrm | Self::VolatileLrm => Noting::Changes,
            Self::AllkeysLfu | Self::VolatileLfu => Noting::Counts,
            Self::NoEviction | Self::AllkeysRandom | Self::VolatileRandom | Self::VolatileTtl => Noting::Seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_say_the_same() {
        for (code, policy) in Policy::ALL.into_iter().enumerate() {
            assert_eq!(policy as usize, code);
            assert_eq!(Policy::of_code(code as u8), Some(policy));
            assert_eq!(policy.name().starts_with("volatile"), policy.is_volatile());
            let by_name = match policy.name().rsplit('-').next() {
                Some("lru" | "lrm") => Order::Recency,
                Some("lfu") => Order::Frequency,
                Some("ttl") => Order::Expiry,
                _ => Order::Random,
            };
            assert_eq!(policy.order(), by_name);
        }
        assert_eq!(Policy::of_code(10), None);
    }
}
