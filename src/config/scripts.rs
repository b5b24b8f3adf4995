//! Settings of scripts.

use serde::{Deserialize, Serialize};

use super::de;
use super::values::OnScriptError;

/// What scripts may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scripts {
    /// Milliseconds after which others are told that a script keeps the server busy; 0: never.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub busy_reply_threshold_ms: u64,
    /// What becomes of what a script has done that raises an error.
    pub on_error: OnScriptError,
    /// What values of a worker's scripts may take.
    #[serde(deserialize_with = "de::size::<_, 1048576>")]
    pub memory_bytes_max: u64,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            busy_reply_threshold_ms: 5000,
            on_error: OnScriptError::Keep,
            memory_bytes_max: 1 << 30,
        }
    }
}
