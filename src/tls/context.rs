//! Certificates, keys and what is agreed on, as new connections get them.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version};

use super::certificate::Certificate;
use super::error::TlsError;
use super::files;
use super::sessions::Sessions;
use crate::config::tls::Tls as Settings;
use crate::config::values::{AuthClients, CertificateUser};

/// What "as many as can be" means.
const SESSIONS_MAX: u64 = 1 << 20;
/// Tickets that a client gets: it needs one to come back.
const TICKETS: usize = 1;

/// See the module.
pub(super) struct Context {
    pub config: Arc<ServerConfig>,
    /// Whether a client's certificate names its user.
    pub names_users: bool,
    /// The server's certificate.
    pub certificate: Option<Certificate>,
    /// Of the authorities, the one that ends first.
    pub authority: Option<Certificate>,
}

impl Context {
    /// Reads all files.
    pub fn build(settings: &Settings) -> Result<Self, TlsError> {
        let provider = Arc::new(provider(settings));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&versions(settings))?;
        let mut authority = None;
        let builder = if settings.auth_clients == AuthClients::No {
            builder.with_no_client_auth()
        } else {
            let roots = files::authorities(settings)?;
            authority = first_to_end(settings)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match settings.auth_clients {
                AuthClients::Optional => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let verifier = verifier
                .build()
                .map_err(|error| TlsError::Verifier(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        };
        let chain = files::certificates(&settings.cert_file)?;
        let certificate = chain.first().and_then(|der| Certificate::of(der));
        let mut config = builder.with_single_cert(chain, files::key(&settings.key_file)?)?;
        config.ignore_client_order = settings.prefer_server_ciphers;
        keep_sessions(&mut config, settings);
        Ok(Self {
            config: Arc::new(config),
            names_users: settings.auth_clients_user == CertificateUser::CommonName,
            certificate,
            authority,
        })
    }
}

fn first_to_end(settings: &Settings) -> Result<Option<Certificate>, TlsError> {
    if settings.ca_file.is_empty() {
        return Ok(None);
    }
    let all = files::certificates(&settings.ca_file)?;
    let known = all.iter().filter_map(|der| Certificate::of(der));
    Ok(known.min_by_key(|certificate| certificate.ends_s))
}

fn keep_sessions(config: &mut ServerConfig, settings: &Settings) {
    if !settings.session_caching {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        return;
    }
    let count = match settings.session_cache_size {
        0 => SESSIONS_MAX,
        count => count.min(SESSIONS_MAX),
    };
    let age_max = Duration::from_secs(settings.session_cache_timeout_s);
    config.session_storage = Arc::new(Sessions::new(usize::try_from(count).unwrap_or(usize::MAX), age_max));
    config.send_tls13_tickets = TICKETS;
}

fn versions(settings: &Settings) -> Vec<&'static SupportedProtocolVersion> {
    let named = settings.protocols();
    let of = |name: &&str| match *name {
        "TLSv1.2" => &version::TLS12,
        _ => &version::TLS13,
    };
    named.iter().map(of).collect()
}

/// Everything the library has, with the ciphers that are wanted, in their order.
fn provider(settings: &Settings) -> CryptoProvider {
    let all = aws_lc_rs::ALL_CIPHER_SUITES;
    let named = |name: &str| all.iter().copied().find(|suite| openssl_name(*suite) == name);
    let wanted = settings.ciphersuites().into_iter().chain(settings.ciphers());
    CryptoProvider {
        cipher_suites: wanted.filter_map(named).collect(),
        ..aws_lc_rs::default_provider()
    }
}

/// What OpenSSL, and so Redis, calls a cipher.
fn openssl_name(suite: SupportedCipherSuite) -> String {
    let name = format!("{:?}", suite.suite());
    if let Some(rest) = name.strip_prefix("TLS13_") {
        return format!("TLS_{rest}");
    }
    let name = name.strip_prefix("TLS_").unwrap_or(&name);
    let name = name
        .strip_suffix("_POLY1305_SHA256")
        .map_or_else(|| name.to_owned(), |rest| format!("{rest}_POLY1305"));
    name.replace("_WITH_AES_", "-AES")
        .replace("_WITH_", "-")
        .replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tls::{CIPHERS, CIPHERSUITES};

    #[test]
    fn every_cipher_that_can_be_named_is_there_in_the_order_named() {
        let names = |settings: &Settings| -> Vec<String> {
            provider(settings).cipher_suites.into_iter().map(openssl_name).collect()
        };
        let all: Vec<&str> = CIPHERSUITES.into_iter().chain(CIPHERS).collect();
        assert_eq!(names(&Settings::default()), all);
        assert_eq!(all.len(), aws_lc_rs::ALL_CIPHER_SUITES.len());
        let settings = Settings {
            ciphers: "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256".to_owned(),
            ciphersuites: "TLS_AES_128_GCM_SHA256".to_owned(),
            ..Settings::default()
        };
        assert_eq!(
            names(&settings),
            [
                "TLS_AES_128_GCM_SHA256",
                "ECDHE-RSA-CHACHA20-POLY1305",
                "ECDHE-RSA-AES128-GCM-SHA256"
            ]
        );
    }
}
