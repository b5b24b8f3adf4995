//! Settings of the logs of commands that stand out.

use serde::{Deserialize, Serialize};

use super::de;

/// Which commands the slow log remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slowlog {
    /// Microseconds; 0: every command, -1: none.
    #[serde(deserialize_with = "de::int::<_, _, -1, { i64::MAX }>")]
    pub log_slower_than_us: i64,
    /// Entries kept.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub max_len: u64,
}

impl Default for Slowlog {
    fn default() -> Self {
        Self {
            log_slower_than_us: 10_000,
            max_len: 128,
        }
    }
}

/// The logs of large requests and replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Commandlog {
    /// Bytes; 0: every command, -1: none.
    #[serde(deserialize_with = "de::int::<_, _, -1, { i64::MAX }>")]
    pub request_larger_than_bytes: i64,
    /// Entries kept of large requests.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub large_request_max_len: u64,
    /// Bytes; 0: every command, -1: none.
    #[serde(deserialize_with = "de::int::<_, _, -1, { i64::MAX }>")]
    pub reply_larger_than_bytes: i64,
    /// Entries kept of large replies.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub large_reply_max_len: u64,
}

impl Default for Commandlog {
    fn default() -> Self {
        Self {
            request_larger_than_bytes: 1 << 20,
            large_request_max_len: 128,
            reply_larger_than_bytes: 1 << 20,
            large_reply_max_len: 128,
        }
    }
}
