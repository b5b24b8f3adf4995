//! Which clients CLIENT LIST and CLIENT KILL mean: all that pass every filter.
//!
//! Filters are those of Redis 8.2 and Valkey 9.1. What both know is read as in Redis.
//!
//! **Invariant:** of one filter that is given twice the last one counts, but for the numbers of `LIST`, which add up.

use std::collections::HashSet;
use std::mem::discriminant;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::common::either;
use super::list::flags;
use crate::client::ClientHandle;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::spec::CmdResult;
use crate::commands::support::number::parse_i64;
use crate::engine::ids::DatabaseId;
use crate::resp::Args;

/// The letters that Valkey knows flags by.
const FLAG_LETTERS: &[u8] = b"ABEIMNOPRSTUbcdeirtux";
/// The letters of what a client can say that it can: follow a redirection.
const CAPA_LETTERS: &[u8] = b"r";

/// The types of clients that Redis knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientType {
    /// All others, those in MONITOR as well.
    Normal,
    /// Those with subscriptions.
    PubSub,
    /// Replication links, of which there are none.
    Absent,
}

/// Which command filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// CLIENT LIST.
    List,
    /// CLIENT KILL.
    Kill,
}

/// Finds a database; the filter's name is for the error.
type Databases<'f> = dyn Fn(&[u8], &str) -> Result<DatabaseId, CmdError> + 'f;

/// What a client has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test<'a> {
    Type(ClientType),
    Addr(&'a [u8]),
    Laddr(&'a [u8]),
    Ip(&'a [u8]),
    User(&'a [u8]),
    Name(&'a [u8]),
    LibName(&'a [u8]),
    LibVersion(&'a [u8]),
    Database(DatabaseId),
    /// All of these letters.
    Flags(&'a [u8]),
    Capa(&'a [u8]),
    /// So many seconds old, or more.
    Age(u64),
    /// Idle for so many seconds, or more.
    Idle(u64),
}

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter<'a> {
    /// One of these numbers, if any are given.
    ids: Option<Vec<i64>>,
    /// None of these.
    not_ids: HashSet<i64>,
    /// Each has to come out so.
    tests: Vec<(Test<'a>, bool)>,
    spares_caller: bool,
}

impl<'a> Filter<'a> {
    /// What lets every client pass, but the caller where it is spared.
    pub fn all(spares_caller: bool) -> Self {
        Self {
            ids: None,
            not_ids: HashSet::new(),
            tests: Vec::new(),
            spares_caller,
        }
    }

    /// Those that came from this address.
    pub fn of_address(addr: &'a [u8]) -> Self {
        Self {
            tests: vec![(Test::Addr(addr), true)],
            ..Self::all(false)
        }
    }

    /// Reads filters from the third argument on.
    ///
    /// # Errors
    /// With the texts of Redis, or Valkey.
    pub fn parse(cx: &SessionCx<'_>, args: Args<'a>, purpose: Purpose) -> Result<Self, CmdError> {
        let mut filter = Self::all(purpose == Purpose::Kill);
        let databases = |arg: &[u8], name: &str| database(cx, arg, name);
        let mut at = 2;
        while let Some(option) = args.get(at) {
            at = filter.option(args, at, purpose, option, &databases)?;
            if let Some((Test::User(name), _)) = filter.tests.last()
                && cx.server.acl.user(name).is_none()
            {
                return Err(CmdError::quoting("ERR No such user '", name, usize::MAX, "'"));
            }
        }
        Ok(filter)
    }

    /// Takes the filter at an argument; where the next one is.
    fn option(
        &mut self,
        args: Args<'a>,
        at: usize,
        purpose: Purpose,
        option: &[u8],
        database: &Databases<'_>,
    ) -> Result<usize, CmdError> {
        let value = args.get(at + 1).ok_or(CmdError::Syntax)?;
        let lower = option.to_ascii_lowercase();
        match lower.as_slice() {
            b"id" => return self.ids(args, at + 1, purpose),
            b"not-id" => {
                let (ids, next) = numbers(args, at + 1);
                if ids.is_empty() {
                    return Err(CmdError::Syntax);
                }
                check_ids(&ids)?;
                self.not_ids.extend(ids);
                return Ok(next);
            }
            b"skipme" => {
                self.spares_caller = either(value, "yes", "no").ok_or(CmdError::Syntax)?;
                return Ok(at + 2);
            }
            _ => {}
        }
        let (name, wanted) = match lower.strip_prefix(b"not-") {
            Some(name) => (name, false),
            None => (lower.as_slice(), true),
        };
        let test = test(name, wanted, value, database)?;
        self.tests
            .retain(|(other, is)| discriminant(other) != discriminant(&test) || *is != wanted);
        self.tests.push((test, wanted));
        Ok(at + 2)
    }

    /// Takes the numbers from an argument on.
    fn ids(&mut self, args: Args<'a>, at: usize, purpose: Purpose) -> Result<usize, CmdError> {
        let (ids, next) = numbers(args, at);
        if purpose == Purpose::Kill {
            if ids.is_empty() {
                return Err(NO_ID);
            }
            check_ids(&ids)?;
            self.ids = Some(ids);
            return Ok(next);
        }
        // Redis takes numbers only from here on: what is no filter either is a wrong number.
        let is_over = args.get(next).is_none_or(is_filter);
        if ids.is_empty() || !is_over {
            return Err(CmdError::text("ERR Invalid client ID"));
        }
        self.ids.get_or_insert_default().extend(ids);
        Ok(next)
    }

    /// The clients that pass: in the order of the numbers where such are given, and as often; else by number.
    pub fn choose(&self, cx: &SessionCx<'_>) -> Vec<Arc<ClientHandle>> {
        let clients = &cx.server.clients;
        let mut chosen = match &self.ids {
            None => clients.all(),
            Some(ids) => {
                let ids = ids.iter().filter_map(|id| u64::try_from(*id).ok());
                ids.filter_map(|id| clients.get(id)).collect()
            }
        };
        let (own, now_ms) = (cx.client.handle.id, cx.kit.now_ms());
        chosen.retain(|client| !(self.spares_caller && client.id == own) && self.passes(client, now_ms));
        chosen
    }

    fn passes(&self, client: &ClientHandle, now_ms: u64) -> bool {
        let is_excluded = i64::try_from(client.id).is_ok_and(|id| self.not_ids.contains(&id));
        !is_excluded
            && self
                .tests
                .iter()
                .all(|(test, wanted)| test.holds(client, now_ms) == *wanted)
    }
}

impl Test<'_> {
    fn holds(&self, client: &ClientHandle, now_ms: u64) -> bool {
        let since_s = |ms: u64| now_ms.saturating_sub(ms) / 1000;
        match *self {
            Self::Type(kind) => kind == type_of(client),
            Self::Addr(addr) => addr == client.addr.as_bytes(),
            Self::Laddr(addr) => addr == client.laddr.as_bytes(),
            Self::Ip(ip) => has_ip(client, ip),
            Self::User(name) => client.user().is_some_and(|user| *user.name == *name),
            Self::Name(name) => client.labels().name == name,
            Self::LibName(name) => client.labels().lib_name == name,
            Self::LibVersion(version) => client.labels().lib_version == version,
            Self::Database(database) => client.database.load(Relaxed) == database.get(),
            Self::Flags(letters) => {
                let flags = flags(client);
                letters.iter().all(|letter| flags.as_bytes().contains(letter))
            }
            Self::Capa(letters) => letters.is_empty() || client.follows_redirects.load(Relaxed),
            Self::Age(age_s) => since_s(client.connected_ms) >= age_s,
            Self::Idle(idle_s) => since_s(client.active_ms.load(Relaxed)) >= idle_s,
        }
    }
}

/// Whether the client came from this address, whatever the port.
fn has_ip(client: &ClientHandle, ip: &[u8]) -> bool {
    let Ok(addr) = SocketAddr::from_str(&client.addr) else {
        return client.addr.strip_suffix(":0").is_some_and(|path| path.as_bytes() == ip);
    };
    let ip = std::str::from_utf8(ip).ok().and_then(|ip| IpAddr::from_str(ip).ok());
    ip == Some(addr.ip())
}

fn type_of(client: &ClientHandle) -> ClientType {
    if client.is_subscriber() {
        ClientType::PubSub
    } else {
        ClientType::Normal
    }
}

fn client_type(arg: &[u8]) -> Result<ClientType, CmdError> {
    match arg.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(ClientType::Normal),
        b"pubsub" => Ok(ClientType::PubSub),
        b"master" | b"primary" | b"replica" | b"slave" => Ok(ClientType::Absent),
        _ => Err(CmdError::quoting("ERR Unknown client type '", arg, usize::MAX, "'")),
    }
}

const NO_ID: CmdError = CmdError::text("ERR client-id should be greater than 0");

/// The numbers from an argument on, and what comes behind them.
fn numbers(args: Args<'_>, at: usize) -> (Vec<i64>, usize) {
    let ids: Vec<i64> = args.iter().skip(at).map_while(parse_i64).collect();
    let next = at + ids.len();
    (ids, next)
}

fn check_ids(ids: &[i64]) -> CmdResult {
    if ids.iter().all(|id| *id > 0) {
        Ok(())
    } else {
        Err(NO_ID)
    }
}

/// Whether this is the name of a filter.
fn is_filter(option: &[u8]) -> bool {
    let lower = option.to_ascii_lowercase();
    let name = lower.strip_prefix(b"not-").unwrap_or(&lower);
    const NAMES: [&[u8]; 15] = [
        b"id",
        b"type",
        b"addr",
        b"laddr",
        b"ip",
        b"user",
        b"name",
        b"lib-name",
        b"lib-ver",
        b"db",
        b"flags",
        b"capa",
        b"maxage",
        b"idle",
        b"skipme",
    ];
    NAMES.contains(&name)
}

/// What a filter by this name wants; `wanted`: not its opposite.
fn test<'a>(name: &[u8], wanted: bool, value: &'a [u8], database: &Databases<'_>) -> Result<Test<'a>, CmdError> {
    Ok(match name {
        b"type" => Test::Type(client_type(value)?),
        b"addr" => Test::Addr(value),
        b"laddr" => Test::Laddr(value),
        b"ip" => Test::Ip(value),
        b"user" => Test::User(value),
        b"name" => Test::Name(value),
        b"lib-name" => Test::LibName(value),
        b"lib-ver" => Test::LibVersion(value),
        b"db" => Test::Database(database(value, if wanted { "DB" } else { "NOT-DB" })?),
        b"flags" => Test::Flags(letters(value, FLAG_LETTERS, if wanted { FLAGS } else { NOT_FLAGS })?),
        b"capa" => Test::Capa(letters(value, CAPA_LETTERS, if wanted { CAPA } else { NOT_CAPA })?),
        b"maxage" if wanted => Test::Age(seconds(value, "maxage")?),
        b"idle" if wanted => Test::Idle(seconds(value, "idle")?),
        _ => return Err(CmdError::Syntax),
    })
}

const FLAGS: &str = "ERR Unknown flags found in the provided filter: ";
const NOT_FLAGS: &str = "ERR Unknown flags found in the NOT-FLAGS filter: ";
const CAPA: &str = "ERR Unknown capa found in the provided filter: ";
const NOT_CAPA: &str = "ERR Unknown capa found in the NOT-CAPA filter: ";

fn letters<'a>(value: &'a [u8], known: &[u8], refusal: &'static str) -> Result<&'a [u8], CmdError> {
    if value.iter().all(|letter| known.contains(letter)) {
        Ok(value)
    } else {
        Err(CmdError::quoting(refusal, value, usize::MAX, ""))
    }
}

fn seconds(value: &[u8], name: &str) -> Result<u64, CmdError> {
    let seconds = parse_i64(value).ok_or_else(|| format!("ERR {name} is not an integer or out of range"))?;
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| format!("ERR {name} should be greater than 0").into())
}

/// The database of this number, or the collection of this name.
fn database(cx: &SessionCx<'_>, arg: &[u8], name: &str) -> Result<DatabaseId, CmdError> {
    let registry = cx.server.engine.registry();
    let Some(number) = parse_i64(arg) else {
        let slot = std::str::from_utf8(arg).ok().and_then(|text| registry.by_name(text));
        return slot
            .map(|slot| slot.id)
            .ok_or_else(|| format!("ERR {name} is not an integer or out of range").into());
    };
    let id = DatabaseId::numbered(number).filter(|id| registry.slot(*id).is_some());
    id.ok_or_else(|| {
        let last = cx.server.params.config().server.databases.saturating_sub(1);
        format!("ERR {name} number should be between 0 and {last}").into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    fn parsed(purpose: Purpose, text: &str, check: impl FnOnce(Result<&Filter<'_>, String>)) {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        let request = OwnedRequest::from_slices(&words);
        let mut filter = Filter::all(purpose == Purpose::Kill);
        let database = |arg: &[u8], _: &str| Ok(DatabaseId::new(parse_i64(arg).unwrap_or(7) as u32));
        let (args, mut at) = (request.args(), 0);
        while let Some(option) = args.get(at) {
            match filter.option(args, at, purpose, option, &database) {
                Ok(next) => at = next,
                Err(error) => return check(Err(error.to_string())),
            }
        }
        check(Ok(&filter));
    }

    fn error(purpose: Purpose, text: &str) -> String {
        let mut error = String::new();
        parsed(purpose, text, |result| error = result.err().unwrap_or_default());
        error
    }

    fn client() -> ClientHandle {
        let (addr, laddr) = ("1.2.3.4:5".into(), "1.2.3.4:6".into());
        ClientHandle::new(7, addr, laddr, (9, false), std::task::Waker::noop().clone(), 10_000)
    }

    #[test]
    fn filters_are_checked() {
        for (purpose, text, wanted) in [
            (Purpose::Kill, "id 5 type normal user default skipme no", ""),
            (Purpose::Kill, "id 0 x y", "ERR client-id should be greater than 0"),
            (Purpose::Kill, "id x", "ERR client-id should be greater than 0"),
            (Purpose::Kill, "id 5 6 skipme no", ""),
            (Purpose::Kill, "type foo", "ERR Unknown client type 'foo'"),
            (Purpose::Kill, "skipme foo", "ERR syntax error"),
            (Purpose::Kill, "id 5 addr", "ERR syntax error"),
            (Purpose::List, "id 5 x", "ERR Invalid client ID"),
            (Purpose::List, "id 0 -1 type normal", ""),
            (Purpose::List, "not-id x", "ERR syntax error"),
            (Purpose::List, "maxage 0", "ERR maxage should be greater than 0"),
            (Purpose::List, "not-maxage 5", "ERR syntax error"),
            (Purpose::List, "idle x", "ERR idle is not an integer or out of range"),
            (
                Purpose::List,
                "flags ?",
                "ERR Unknown flags found in the provided filter: ?",
            ),
            (
                Purpose::List,
                "not-flags ?",
                "ERR Unknown flags found in the NOT-FLAGS filter: ?",
            ),
            (
                Purpose::List,
                "capa x",
                "ERR Unknown capa found in the provided filter: x",
            ),
        ] {
            assert_eq!(error(purpose, text), wanted, "{text}");
        }
    }

    #[test]
    fn all_filters_must_pass() {
        let client = client();
        client.relabel(|labels| labels.name = b"n".to_vec());
        for (text, passes) in [
            ("addr 1.2.3.4:5 laddr 1.2.3.4:6 type normal name n", true),
            ("addr 1.2.3.4:5 laddr 1.2.3.4:7", false),
            ("type master", false),
            ("not-type master not-name m ip 1.2.3.4 flags N", true),
            ("not-name n", false),
            ("not-ip 1.2.3.4", false),
            ("flags NP", false),
            ("not-flags NP", true),
            ("name m name n", true),
            ("maxage 10", true),
            ("maxage 11", false),
            ("not-id 5 6", true),
            ("not-id 7", false),
            ("db 0 not-db 1", true),
            ("capa r", false),
        ] {
            parsed(Purpose::List, text, |filter| {
                assert_eq!(filter.unwrap().passes(&client, 20_000), passes, "{text}");
            });
        }
    }

    #[test]
    fn numbers_add_up_in_a_list_only() {
        let ids = |purpose, text| {
            let mut ids = None;
            parsed(purpose, text, |filter| ids = filter.unwrap().ids.clone());
            ids.unwrap()
        };
        assert_eq!(ids(Purpose::List, "id 3 4 id 5"), [3, 4, 5]);
        assert_eq!(ids(Purpose::Kill, "id 3 id 4 5"), [4, 5]);
    }
}
