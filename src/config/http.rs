//! `[http]`: the port for browsers, for Prometheus and for probes.

use serde::{Deserialize, Serialize};

use super::de;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Addresses to listen on.
    #[serde(deserialize_with = "de::addresses")]
    pub bind: Vec<String>,
    /// TCP port; 0: none.
    #[serde(deserialize_with = "de::port")]
    pub port: u16,
    /// Whether that port speaks TLS, as `[tls]` has it.
    #[serde(deserialize_with = "de::switch")]
    pub tls: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            bind: vec!["127.0.0.1".to_owned()],
            port: 0,
            tls: false,
        }
    }
}

impl Http {
    /// Whether there is such a port.
    pub fn is_on(&self) -> bool {
        self.port != 0
    }
}
