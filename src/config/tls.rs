//! `[tls]`: the port, certificates and what is agreed on with clients.
//!
//! **Invariant:** a protocol or a cipher that cannot be had is refused here by name, so that nobody believes it is in
//! use.

use serde::{Deserialize, Serialize};

use super::de;
use super::values::{AuthClients, CertificateUser};

const INT_MAX: i64 = i32::MAX as i64;

/// The protocols that there are, by Redis's names.
pub const PROTOCOLS: [&str; 2] = ["TLSv1.2", "TLSv1.3"];
/// Redis knows these as well.
const PROTOCOLS_OF_OLD: [&str; 2] = ["TLSv1", "TLSv1.1"];
/// The ciphers of TLS 1.2, by OpenSSL's names.
pub const CIPHERS: [&str; 6] = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
];
/// The ciphers of TLS 1.3, which both call by the same names.
pub const CIPHERSUITES: [&str; 3] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
];

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// TLS port; 0: none.
    #[serde(deserialize_with = "de::port")]
    pub port: u16,
    /// The server's certificate, and those between it and its authority (PEM).
    #[serde(deserialize_with = "de::word")]
    pub cert_file: String,
    /// Its private key (PEM).
    #[serde(deserialize_with = "de::word")]
    pub key_file: String,
    /// Authorities that sign clients' certificates (PEM).
    #[serde(deserialize_with = "de::word")]
    pub ca_file: String,
    /// A folder of such files.
    #[serde(deserialize_with = "de::word")]
    pub ca_dir: String,
    /// Whether clients must show a certificate.
    pub auth_clients: AuthClients,
    /// Whether a certificate names the user that its client is.
    pub auth_clients_user: CertificateUser,
    /// Protocols, blank-separated; empty: all.
    #[serde(deserialize_with = "de::word")]
    pub protocols: String,
    /// Ciphers of TLS 1.2, separated by colons, the best first; empty: all.
    #[serde(deserialize_with = "de::word")]
    pub ciphers: String,
    /// Ciphers of TLS 1.3, likewise.
    #[serde(deserialize_with = "de::word")]
    pub ciphersuites: String,
    /// Whether the server's order of ciphers counts, not the client's.
    #[serde(deserialize_with = "de::switch")]
    pub prefer_server_ciphers: bool,
    /// Whether sessions can be resumed.
    #[serde(deserialize_with = "de::switch")]
    pub session_caching: bool,
    /// How many of them are kept; 0: as many as can be.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub session_cache_size: u64,
    /// For how many seconds.
    #[serde(deserialize_with = "de::int::<_, _, 0, INT_MAX>")]
    pub session_cache_timeout_s: u64,
    /// Seconds within which a handshake is to be over.
    #[serde(deserialize_with = "de::int::<_, _, 1, 3600>")]
    pub handshake_timeout_s: u64,
    /// Handshakes at the same time.
    #[serde(deserialize_with = "de::int::<_, _, 1, 1000000>")]
    pub handshakes_max: u64,
}

impl Default for Tls {
    fn default() -> Self {
        let none = String::new;
        Self {
            port: 0,
            cert_file: none(),
            key_file: none(),
            ca_file: none(),
            ca_dir: none(),
            auth_clients: AuthClients::Yes,
            auth_clients_user: CertificateUser::Off,
            protocols: none(),
            ciphers: none(),
            ciphersuites: none(),
            prefer_server_ciphers: false,
            session_caching: true,
            session_cache_size: 20_480,
            session_cache_timeout_s: 300,
            handshake_timeout_s: 10,
            handshakes_max: 1000,
        }
    }
}

impl Tls {
    /// Whether there is a TLS port.
    pub fn is_on(&self) -> bool {
        self.port != 0
    }

    /// The protocols, each once.
    pub fn protocols(&self) -> Vec<&'static str> {
        let wanted = |name: &&str| {
            let mut words = self.protocols.split_ascii_whitespace();
            words.any(|word| word.eq_ignore_ascii_case(name))
        };
        let named: Vec<&str> = PROTOCOLS.into_iter().filter(wanted).collect();
        if named.is_empty() { PROTOCOLS.to_vec() } else { named }
    }

    /// The ciphers of TLS 1.2, in order.
    pub fn ciphers(&self) -> Vec<&'static str> {
        pick(&self.ciphers, &CIPHERS)
    }

    /// The ciphers of TLS 1.3, in order.
    pub fn ciphersuites(&self) -> Vec<&'static str> {
        pick(&self.ciphersuites, &CIPHERSUITES)
    }

    /// The first key whose value cannot be had, and why.
    pub(super) fn conflict(&self) -> Option<(&'static str, String)> {
        self.wrong_word().or_else(|| self.missing())
    }

    fn wrong_word(&self) -> Option<(&'static str, String)> {
        for word in self.protocols.split_ascii_whitespace() {
            let is = |name: &&str| word.eq_ignore_ascii_case(name);
            if PROTOCOLS_OF_OLD.iter().any(is) {
                return Some((
                    "tls.protocols",
                    format!(
                        "{word} is not safe any more: this server speaks {}",
                        PROTOCOLS.join(" and ")
                    ),
                ));
            }
            if !PROTOCOLS.iter().any(is) {
                return Some((
                    "tls.protocols",
                    format!("{word:?} is none of: {}", PROTOCOLS.join(", ")),
                ));
            }
        }
        let lists: [(_, _, &[&str]); 2] = [
            ("tls.ciphers", &self.ciphers, &CIPHERS),
            ("tls.ciphersuites", &self.ciphersuites, &CIPHERSUITES),
        ];
        lists.into_iter().find_map(|(key, list, known)| {
            let mut words = list.split(':').filter(|word| !list.is_empty() && !known.contains(word));
            words
                .next()
                .map(|word| (key, format!("{word:?} is none of: {}", known.join(":"))))
        })
    }

    fn missing(&self) -> Option<(&'static str, String)> {
        if !self.is_on() {
            return None;
        }
        if self.cert_file.is_empty() {
            return Some(("tls.cert_file", "a TLS port needs a certificate".to_owned()));
        }
        if self.key_file.is_empty() {
            return Some(("tls.key_file", "a TLS port needs the key of its certificate".to_owned()));
        }
        let has_authority = !self.ca_file.is_empty() || !self.ca_dir.is_empty();
        (self.auth_clients != AuthClients::No && !has_authority).then(|| {
            let why = "clients' certificates can only be checked with tls.ca_file or tls.ca_dir";
            ("tls.auth_clients", why.to_owned())
        })
    }
}

/// Those of `known` that `list` names, in its order, each once: every handshake goes through them.
fn pick(list: &str, known: &[&'static str]) -> Vec<&'static str> {
    if list.is_empty() {
        return known.to_vec();
    }
    let mut picked = Vec::with_capacity(known.len());
    for word in list.split(':') {
        let named = known.iter().find(|name| **name == word);
        if let Some(name) = named.filter(|name| !picked.contains(*name)) {
            picked.push(*name);
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(change: impl FnOnce(&mut Tls)) -> Option<(&'static str, String)> {
        let mut tls = Tls {
            port: 6380,
            cert_file: "cert.pem".to_owned(),
            key_file: "key.pem".to_owned(),
            ca_file: "ca.pem".to_owned(),
            ..Tls::default()
        };
        change(&mut tls);
        tls.conflict()
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        assert_eq!(why(|_| {}), None);
        assert_eq!(why(|tls| tls.protocols = "tlsv1.3 TLSv1.2".to_owned()), None);
        for (key, reason, change) in [
            (
                "tls.protocols",
                "not safe",
                (|tls| tls.protocols = "TLSv1.1".to_owned()) as fn(&mut Tls),
            ),
            ("tls.protocols", "none of", |tls| tls.protocols = "SSLv3".to_owned()),
            ("tls.ciphers", "none of", |tls| tls.ciphers = "HIGH:!aNULL".to_owned()),
            ("tls.ciphersuites", "none of", |tls| {
                tls.ciphersuites = "TLS_AES_128_CCM_SHA256".to_owned()
            }),
            ("tls.cert_file", "needs", |tls| tls.cert_file.clear()),
            ("tls.key_file", "needs", |tls| tls.key_file.clear()),
            ("tls.auth_clients", "tls.ca_file", |tls| tls.ca_file.clear()),
        ] {
            let (blamed, text) = why(change).unwrap();
            assert!(blamed == key && text.contains(reason), "{blamed}: {text}");
        }
        let no_port = |tls: &mut Tls| (tls.port, tls.cert_file) = (0, String::new());
        assert_eq!(why(no_port), None);
    }

    #[test]
    fn lists() {
        let mut tls = Tls::default();
        assert_eq!(
            (tls.protocols().len(), tls.ciphers().len(), tls.ciphersuites().len()),
            (2, 6, 3)
        );
        tls.protocols = "TLSv1.3".to_owned();
        tls.ciphers =
            "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256".to_owned();
        assert_eq!(tls.protocols(), ["TLSv1.3"]);
        assert_eq!(
            tls.ciphers(),
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"]
        );
    }
}
