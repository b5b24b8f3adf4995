//! The settings that are a choice among words, each an enum with its words beside it.
//!
//! **Invariant:** a word that stands for nothing is refused with those that do.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::engine::eviction::Policy;
use crate::wal;

/// Why a word stands for no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAWord {
    /// It is none of these.
    Unknown(String, &'static [&'static str]),
}

impl fmt::Display for NotAWord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word, words) => write!(out, "\"{word}\" is not one of: {}", words.join(", ")),
        }
    }
}

impl std::error::Error for NotAWord {}

/// Declares an enum of words: the enum, its parser, its `Display` and its serde forms.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order of its words.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for this value in the file.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value that `word` stands for, or why there is none.
            pub fn parse(word: &str) -> Result<Self, NotAWord> {
                match word {
                    $($word $(| $alias)* => Ok(Self::$variant),)+
                    _ => Err(NotAWord::Unknown(word.to_owned(), &[$($word),+])),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&super::de::word(deserializer)?).map_err(D::Error::custom)
            }
        }
    };
}

words! {
    /// The channels that new users may use.
    PubSubDefault {
        /// All.
        AllChannels = "allchannels",
        /// None.
        ResetChannels = "resetchannels",
    }
}

words! {
    /// When the WAL is forced to the disk.
    Fsync {
        /// Before the replies of a batch leave.
        Always = "always",
        /// Once a second.
        Everysec = "everysec",
        /// When the operating system sees fit.
        No = "no",
    }
}

words! {
    /// How pages are packed in checkpoint files.
    Compression {
        /// As they are.
        None = "none",
        /// With LZ4, where that makes them smaller.
        Lz4 = "lz4",
    }
}

words! {
    /// What happens when `memory.max_bytes` is reached.
    MemoryPolicy {
        /// Of keys that die, those go that were not used for the longest time.
        VolatileLru = "volatile-lru",
        /// Of keys that die, those that are used least often.
        VolatileLfu = "volatile-lfu",
        /// Of keys that die, those that were not changed for the longest time.
        VolatileLrm = "volatile-lrm",
        /// Any keys that die.
        VolatileRandom = "volatile-random",
        /// Keys that die first.
        VolatileTtl = "volatile-ttl",
        /// Keys go that were not used for the longest time.
        AllkeysLru = "allkeys-lru",
        /// Keys that are used least often.
        AllkeysLfu = "allkeys-lfu",
        /// Keys that were not changed for the longest time.
        AllkeysLrm = "allkeys-lrm",
        /// Any keys.
        AllkeysRandom = "allkeys-random",
        /// Commands that would grow the data are refused.
        NoEviction = "noeviction",
    }
}

words! {
    /// What becomes of what a script has done that raises an error.
    OnScriptError {
        /// It stays, as in Redis.
        Keep = "keep",
        /// It is taken back.
        RollBack = "rollback",
    }
}

words! {
    /// Who may use DEBUG.
    DebugCommand {
        /// Nobody.
        No = "no",
        /// Every client.
        Yes = "yes",
        /// Clients on a loopback address or the Unix socket.
        Local = "local",
    }
}

words! {
    /// Whether TLS clients must show a certificate.
    AuthClients {
        /// They must.
        Yes = "yes",
        /// They need not, and are not asked.
        No = "no",
        /// Asked, and checked when they have one.
        Optional = "optional",
    }
}

words! {
    /// Whether a client's certificate names the user that it is.
    CertificateUser {
        /// It does not.
        Off = "off",
        /// Its subject's common name does.
        CommonName = "CN",
    }
}

words! {
    /// How much is logged, in Redis's words.
    LogLevel {
        /// Everything, for development.
        Debug = "debug" | "trace",
        /// Details that rarely matter.
        Verbose = "verbose",
        /// What an operator wants to know.
        Notice = "notice" | "info",
        /// Only what needs attention.
        Warning = "warning" | "warn",
        /// Only failures.
        Error = "error",
        /// Nothing at all.
        Nothing = "nothing" | "off",
    }
}

words! {
    /// How a log line looks.
    LogFormat {
        /// Time, level, module, message, fields.
        Text = "text",
        /// The same, shortened.
        Compact = "compact",
        /// An object of JSON.
        Json = "json",
    }
}

impl From<MemoryPolicy> for Policy {
    fn from(configured: MemoryPolicy) -> Self {
        match configured {
            MemoryPolicy::VolatileLru => Self::VolatileLru,
            MemoryPolicy::VolatileLfu => Self::VolatileLfu,
            MemoryPolicy::VolatileLrm => Self::VolatileLrm,
            MemoryPolicy::VolatileRandom => Self::VolatileRandom,
            MemoryPolicy::VolatileTtl => Self::VolatileTtl,
            MemoryPolicy::AllkeysLru => Self::AllkeysLru,
            MemoryPolicy::AllkeysLfu => Self::AllkeysLfu,
            MemoryPolicy::AllkeysLrm => Self::AllkeysLrm,
            MemoryPolicy::AllkeysRandom => Self::AllkeysRandom,
            MemoryPolicy::NoEviction => Self::NoEviction,
        }
    }
}

impl From<Fsync> for wal::Fsync {
    fn from(configured: Fsync) -> Self {
        match configured {
            Fsync::Always => Self::Always,
            Fsync::Everysec => Self::EverySec,
            Fsync::No => Self::No,
        }
    }
}

impl LogLevel {
    /// The level's name for the `tracing` filter.
    pub const fn filter(self) -> &'static str {
        match self {
            Self::Debug => "trace",
            Self::Verbose => "debug",
            Self::Notice => "info",
            Self::Warning => "warn",
            Self::Error => "error",
            Self::Nothing => "off",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_back_and_aliases_are_known() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(level.as_str()), Ok(*level));
        }
        assert_eq!(LogLevel::parse("info"), Ok(LogLevel::Notice));
        assert_eq!(
            Fsync::parse("sometimes").unwrap_err().to_string(),
            "\"sometimes\" is not one of: always, everysec, no"
        );
    }

    #[test]
    fn policies_are_the_engines() {
        assert_eq!(MemoryPolicy::ALL.len(), Policy::ALL.len());
        for policy in MemoryPolicy::ALL {
            assert_eq!(Policy::from(*policy).name(), policy.as_str());
        }
    }
}
