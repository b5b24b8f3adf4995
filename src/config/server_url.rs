//! Where a running server is, as `redis://[[user]:password@]host[:port][/database]`.
//!
//! **Invariant:** what is shown of it never has the password.

use std::fmt;
use std::str::FromStr;

use super::refusal::ArgumentError;

const PORT: u16 = 6379;
const FORM: ArgumentError = ArgumentError::Form("redis://[[user]:password@]host[:port][/database]");

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// `rediss`: over TLS.
    pub is_tls: bool,
    /// The user, unless it is the default one.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// One database instead of all.
    pub database: Option<u64>,
}

impl ServerUrl {
    /// The server there, without TLS and login.
    pub fn plain(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            is_tls: false,
            user: None,
            password: None,
            database: None,
        }
    }

    /// What the socket connects to.
    pub fn socket(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

impl FromStr for ServerUrl {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
        let is_tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(FORM),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (user, password) = match login {
            None => (None, None),
            Some(login) => {
                let (user, password) = login.split_once(':').ok_or(FORM)?;
                (
                    Some(decoded(user)?).filter(|user| !user.is_empty()),
                    Some(decoded(password)?),
                )
            }
        };
        let (host, port) = host_and_port(place)?;
        let database = match path {
            "" => None,
            number => Some(
                number
                    .parse()
                    .map_err(|_| ArgumentError::NotADatabase(number.to_owned()))?,
            ),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            is_tls,
            user,
            password,
            database,
        })
    }
}

/// An address of IPv6 stands in brackets.
fn host_and_port(place: &str) -> Result<(&str, u16), ArgumentError> {
    let (host, rest) = match place.strip_prefix('[') {
        Some(inner) => inner.split_once(']').ok_or(FORM)?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse().map_err(|_| FORM)?,
        None if rest.is_empty() => PORT,
        None => return Err(FORM),
    };
    if host.is_empty() { Err(FORM) } else { Ok((host, port)) }
}

/// Undoes `%40` and the like.
fn decoded(text: &str) -> Result<String, ArgumentError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(FORM);
        bytes.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(bytes).map_err(|_| FORM)
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "rediss" } else { "redis" };
        let (left, right) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(out, "{scheme}://{left}{}{right}:{}", self.host, self.port)?;
        match self.database {
            Some(database) => write!(out, "/{database}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_servers() {
        let parsed = |text: &str| text.parse::<ServerUrl>().unwrap();
        let url = parsed("redis://localhost");
        assert_eq!(
            (url.socket(), url.is_tls, url.database),
            (("localhost", 6379), false, None)
        );
        assert_eq!((url.user, url.password), (None, None));
        let url = parsed(
            "rediss://me:a%40b%3A/c@db.example:7000/3"
                .replace("/c@", "%2Fc@")
                .as_str(),
        );
        assert_eq!(
            (url.socket(), url.is_tls, url.database),
            (("db.example", 7000), true, Some(3))
        );
        assert_eq!(url.user.as_deref(), Some("me"));
        assert_eq!(url.password.as_deref(), Some("a@b:/c"));
        assert_eq!(url.to_string(), "rediss://db.example:7000/3");
        let url = parsed("valkey://:secret@[::1]:1/");
        assert_eq!((url.socket(), &url.user), (("::1", 1), &None));
        assert_eq!(format!("{url:?}"), "redis://[::1]:1");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "localhost",
            "http://a",
            "redis://",
            "redis://user@host",
            "redis://a:b",
            "redis://a:70000",
            "redis://[::1",
            "redis://[::1]x",
            "redis://:%4@a",
            "redis://:%zz@a",
            "redis://a/b",
            "redis://a/-1",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }
}
