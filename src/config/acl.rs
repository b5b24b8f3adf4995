//! Settings of users.

use serde::{Deserialize, Serialize};

use super::de;
use super::values::PubSubDefault;

/// Users have commands of their own: CONFIG neither shows nor sets this key.
pub(super) const USERS: &str = "acl.users";

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acl {
    /// The file that ACL LOAD and SAVE have users in; empty: none.
    #[serde(deserialize_with = "de::word")]
    pub file: String,
    /// Users, each a line as ACL LIST shows it; where there is no file.
    pub users: Vec<String>,
    /// The channels of new users.
    pub pubsub_default: PubSubDefault,
    /// Entries of ACL LOG.
    #[serde(deserialize_with = "de::int::<_, _, 0, { i64::MAX }>")]
    pub log_len_max: u64,
}

impl Acl {
    /// Whether new users may use all channels.
    pub fn allows_channels(&self) -> bool {
        self.pubsub_default == PubSubDefault::AllChannels
    }

    /// Entries of ACL LOG.
    pub fn log_entries_max(&self) -> usize {
        usize::try_from(self.log_len_max).unwrap_or(usize::MAX)
    }
}

impl Default for Acl {
    fn default() -> Self {
        Self {
            file: String::new(),
            users: Vec::new(),
            pubsub_default: PubSubDefault::ResetChannels,
            log_len_max: 128,
        }
    }
}
