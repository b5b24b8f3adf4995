//! Who may see figures: users who may run INFO, which is the permission that ACL has for them.
//!
//! **Invariants**
//! - A password is judged as AUTH judges it: failures slow an address down, and are counted and logged.
//! - Who gives no name is the user whom its certificate names, where `tls.auth_clients_user` has that count; else, as
//!   on the port of commands, the default user, if that needs no password.
//! - While the default user needs none and `server.protected_mode` holds, only clients on this machine are served, as
//!   on the port of commands. Who then has proved nothing by a password has to call the machine by one of its own
//!   names: any password is right for a user that needs none.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use base64ct::{Base64, Encoding};
use hyper::StatusCode;

use super::answer::{Answer, line, who_is_it};
use super::asked::{Asked, Peer};
use crate::acl::{Context, Login, Reason, Refused, Turn, User};
use crate::commands::rights;
use crate::engine::ids::DatabaseId;
use crate::resp::OwnedRequest;

/// What is answered instead.
type Refusal = Box<Answer>;

const WRONG: &str = "wrong user or password";
/// No name and password together are longer.
const CREDENTIALS_BYTES_MAX: usize = 4096;

/// Whether the client at `peer` may see figures, with what it gives as `Authorization`.
///
/// # Errors
/// What it is answered instead.
pub(super) async fn check(asked: &Asked<'_>, peer: &Peer, authorization: &str) -> Result<Arc<User>, Refusal> {
    let is_protected = asked.server.params.live().protected_mode() && asked.server.acl.default_user().is_open();
    if is_protected && !peer.addr.ip().to_canonical().is_loopback() {
        return Err(protected());
    }
    let user = if authorization.is_empty() {
        without_password(asked, peer)?
    } else {
        log_in(asked, peer, authorization).await?
    };
    let has_proved_it = !authorization.is_empty() && !user.is_open();
    if is_protected && !has_proved_it && !names_this_machine(asked.host) {
        return Err(protected());
    }
    let Some(info) = asked.commands.lookup(b"info") else {
        return Err(Box::new(line(StatusCode::FORBIDDEN, "there is no INFO")));
    };
    let call = OwnedRequest::from_slices(&[b"info"]);
    let judged = rights::judge(&asked.server.engine, &user, (info, call.args()), DatabaseId::DEFAULT);
    judged.map(|()| user).map_err(|_| {
        let why = "this user may not run INFO, which is what this needs";
        Box::new(line(StatusCode::FORBIDDEN, why))
    })
}

fn without_password(asked: &Asked<'_>, peer: &Peer) -> Result<Arc<User>, Refusal> {
    let acl = &asked.server.acl;
    let named = peer.name.as_ref().and_then(|name| acl.user(name.as_bytes()));
    if let Some(user) = named.filter(|user| user.is_on()) {
        return Ok(user);
    }
    let user = acl.default_user();
    if !user.is_open() {
        return Err(Box::new(who_is_it("a user and a password are needed")));
    }
    Ok(user)
}

fn protected() -> Refusal {
    let why = "protected mode: without a password of the default user only clients on this machine are served, that call \
               it localhost or by an address; see server.protected_mode";
    Box::new(line(StatusCode::FORBIDDEN, why))
}

/// Whether this machine is meant by `Host`. A page of elsewhere can have its name lead to an address of this machine,
/// and a browser here would have it read what is answered.
fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    let is_local = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    // Without the header it is no browser.
    host.is_empty() || is_local || name.parse::<IpAddr>().is_ok()
}

async fn log_in(asked: &Asked<'_>, peer: &Peer, authorization: &str) -> Result<Arc<User>, Refusal> {
    let Some((name, password)) = credentials(authorization) else {
        return Err(Box::new(who_is_it("what was given is no login by HTTP Basic")));
    };
    let acl = &asked.server.acl;
    let address = peer.addr.to_string();
    let turn = acl.attempts.turn(&address, Instant::now());
    if turn == Turn::Never {
        let why = "too many failed logins from this address, try again later";
        return Err(Box::new(line(StatusCode::TOO_MANY_REQUESTS, why)));
    }
    let login = acl.log_in(&name, &password);
    if matches!(login, Login::Refused) {
        acl.attempts.note_failure(&address, Instant::now());
        tracing::warn!(
            addr = address,
            user = %name.get(..64).unwrap_or(&name).escape_ascii(),
            "a login by HTTP has failed"
        );
        let refused = Refused {
            reason: Reason::Auth,
            context: Context::TopLevel,
            object: b"HTTP",
            user: &name,
        };
        rights::log_of(asked.server, &format!("addr={address} cmd=http"), &refused);
    }
    if let Turn::After(wait) = turn {
        tokio::time::sleep(wait).await;
    }
    match login {
        Login::In(user) => Ok(user),
        Login::Refused => Err(Box::new(who_is_it(WRONG))),
    }
}

/// Name and password, by HTTP Basic.
fn credentials(authorization: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > CREDENTIALS_BYTES_MAX {
        return None;
    }
    let decoded = Base64::decode_vec(encoded.trim()).ok()?;
    let colon = memchr::memchr(b':', &decoded)?;
    let (name, rest) = decoded.split_at(colon);
    Some((name.to_vec(), rest.get(1..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for good in [
            "",
            "localhost",
            "LOCALHOST:9121",
            "a.localhost",
            "127.0.0.1:9121",
            "[::1]:9121",
            "10.0.0.1",
        ] {
            assert!(names_this_machine(good), "{good}");
        }
        for bad in [
            "example.org",
            "example.org:9121",
            "localhost.example.org",
            "notlocalhost",
            "[x]:1",
            "127.0.0.1.x",
        ] {
            assert!(!names_this_machine(bad), "{bad}");
        }
    }

    #[test]
    fn credentials_of_http_basic() {
        let given = |text: &str| {
            let (name, password) = credentials(text)?;
            Some((String::from_utf8(name).unwrap(), String::from_utf8(password).unwrap()))
        };
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(given("Basic YW5uOnNlOmNyZXQ="), pair("ann", "se:cret"));
        assert_eq!(given("basic YW5uOg=="), pair("ann", ""));
        for bad in ["", "Basic", "Basic ", "Basic YW5u", "Basic Y", "Bearer YW5uOng="] {
            assert_eq!(given(bad), None, "{bad}");
        }
        assert_eq!(given(&format!("Basic {}", "A".repeat(5000))), None);
    }
}
