//! Settings of scripts.

use serde::{Deserialize, Serialize};

use super::de;

/// What scripts may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scripts {
    /// Milliseconds after which others are told that a script keeps the server busy; 0: never.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub busy_reply_threshold_ms: u64,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            busy_reply_threshold_ms: 5000,
        }
    }
}
