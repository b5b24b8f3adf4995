//! What a user may do: calls as the rights ask of them (`acl::Request`), and Redis's words for what is denied.
//!
//! **Invariant:** requests, transactions, scripts, `ACL DRYRUN` and `redis.acl_check_cmd` are all judged by [`judge`].

use std::sync::atomic::Ordering;

use super::connection::client::client_line;
use super::error::{CmdError, QUOTED_BYTES_MAX, shown};
use super::generic::reading_option;
use super::server::categories;
use super::spec::{
    Access, Channels, Command, DatabaseUse, DatabaseUses, Databases, Group, Handler, KeyUse, KeyUses, Table, flag,
};
use super::support::number::parse_i64;
use crate::acl::{Catalogue, Context, Denied, Needs, Place, Reason, Refused, Request, User};
use crate::client::{Client, ClientHandle};
use crate::engine::Engine;
use crate::engine::ids::DatabaseId;
use crate::engine::worker::unix_ms;
use crate::resp::Args;
use crate::state::Server;

/// What whoever is nobody is told.
pub const NO_AUTH: CmdError = CmdError::text("NOAUTH Authentication required.");

const READS: Access = Access::of(&["access"]);
const WRITES: [Access; 3] = [
    Access::of(&["insert"]),
    Access::of(&["delete"]),
    Access::of(&["update"]),
];
const NO_KEY: Access = Access::of(&["not_key"]);

/// The keys of a call.
enum Keys {
    /// The one at a fixed place, as most have, if it is there.
    One(Option<KeyUse>),
    /// Any others.
    Found(KeyUses),
}

impl Keys {
    #[inline]
    fn of(command: Command, args: Args<'_>) -> Self {
        let counts = |key: &KeyUse| !key.access.has(NO_KEY);
        match (command.single_key(), command.spec.keys) {
            (Some(index), [spec]) if index < args.len() => {
                let access = spec.access_in(args);
                Self::One(Some(KeyUse { index, access }).filter(counts))
            }
            (_, []) => Self::One(None),
            _ => {
                // Where the number of keys is wrong the command touches none.
                let mut keys = command.spec.key_uses(args).unwrap_or_default();
                keys.retain(|key| counts(key));
                Self::Found(keys)
            }
        }
    }

    #[inline]
    fn as_slice(&self) -> &[KeyUse] {
        match self {
            Self::One(key) => key.as_slice(),
            Self::Found(keys) => keys,
        }
    }
}

/// A call that somebody wants to make.
struct Asked<'a> {
    command: Command,
    args: Args<'a>,
    keys: Keys,
    /// Where it would run.
    database: DatabaseId,
    engine: &'a Engine,
}

impl<'a> Asked<'a> {
    fn new(engine: &'a Engine, database: DatabaseId, command: Command, args: Args<'a>) -> Self {
        Self {
            command,
            args,
            keys: Keys::of(command, args),
            database,
            engine,
        }
    }

    fn usual_database(&self) -> Option<DatabaseUse> {
        let (command, handler) = (self.command, self.command.spec.handler);
        if handler.is_on_selected() || !self.keys.as_slice().is_empty() {
            return Some(DatabaseUse::Selected);
        }
        let is_on_collections = command.spec.group == Group::Collection && !matches!(handler, Handler::Container);
        if is_on_collections || matches!(handler, Handler::Exclusive(_)) {
            return Some(DatabaseUse::All);
        }
        let is_on_data = command.has(flag::WRITE | flag::READONLY | flag::RUNS_SCRIPT);
        is_on_data.then_some(DatabaseUse::Selected)
    }

    /// Whether one of these is not allowed; the argument that it is because of.
    fn denies(&self, wanted: DatabaseUse, allows: &impl Fn(Place<'_>) -> bool) -> Option<usize> {
        let (at, is_allowed) = match wanted {
            DatabaseUse::All => (0, allows(Place::All)),
            DatabaseUse::Selected => (0, self.selected_is(allows)),
            DatabaseUse::At(at) => (at, self.args.get(at).is_none_or(|name| allows(Place::Name(name)))),
            DatabaseUse::IfAnyAt(at) => {
                let name = std::str::from_utf8(self.args.get(at).unwrap_or_default()).unwrap_or_default();
                let is_there = parse_i64(name.as_bytes()).is_some() || self.engine.registry().by_name(name).is_some();
                (at, !is_there || allows(Place::Name(name.as_bytes())))
            }
        };
        (!is_allowed).then_some(at)
    }

    fn selected_is(&self, allowed: &impl Fn(Place<'_>) -> bool) -> bool {
        if self.database.is_numbered() {
            return allowed(Place::Number(self.database.get()));
        }
        let name = self.engine.registry().slot(self.database).map(|slot| slot.name.clone());
        // What has been dropped cannot be read.
        name.is_none_or(|name| allowed(Place::Name(name.as_bytes())))
    }
}

fn needs(access: Access) -> Needs {
    Needs {
        read: access.has(READS),
        write: WRITES.iter().any(|write| access.has(*write)),
    }
}

impl Request for Asked<'_> {
    fn command(&self) -> u16 {
        self.command.id
    }

    fn is_free(&self) -> bool {
        self.command.has(flag::NO_AUTH)
    }

    fn word(&self, at: usize) -> Option<&[u8]> {
        self.args.get(at)
    }

    fn first_arg(&self) -> usize {
        if self.command.parent.is_some() { 2 } else { 1 }
    }

    fn keys(&self) -> impl Iterator<Item = (usize, Needs)> {
        self.keys.as_slice().iter().map(|key| (key.index, needs(key.access)))
    }

    fn unnamed_keys(&self) -> Needs {
        needs(self.command.spec.unnamed)
    }

    fn channels(&self) -> (std::ops::Range<usize>, bool) {
        let end = self.args.len().max(1);
        match self.command.spec.channels {
            Channels::None => (0..0, false),
            Channels::First => (1..end.min(2), false),
            Channels::All => (1..end, false),
            Channels::Patterns => (1..end, true),
        }
    }

    fn denied_database(&self, allows: impl Fn(Place<'_>) -> bool) -> Option<usize> {
        let mut uses = DatabaseUses::new();
        match self.command.spec.databases {
            Databases::Usual => return self.denies(self.usual_database()?, &allows),
            Databases::None => return None,
            Databases::Selected => return self.denies(DatabaseUse::Selected, &allows),
            Databases::All => return self.denies(DatabaseUse::All, &allows),
            Databases::At(places) => uses.extend(places.iter().map(|at| DatabaseUse::At(*at))),
            Databases::SelectedAnd(add) => {
                uses.push(DatabaseUse::Selected);
                add(self.args, &mut uses);
            }
            Databases::Told(add) => add(self.args, &mut uses),
        }
        uses.into_iter().find_map(|wanted| self.denies(wanted, &allows))
    }
}

/// The commands that rules can name.
pub fn catalogue(commands: &'static Table) -> Catalogue {
    let commands = commands.all().iter();
    Catalogue::new(commands.map(|command| (command.full_name(), categories(command.spec))))
}

/// What keeps a user from a call.
pub enum Hindrance {
    /// It is denied.
    Denied(Denied),
    /// It makes names of keys, and not all keys may be read.
    Untold(&'static str),
}

/// Whether a user may make a call, in a database.
///
/// # Errors
/// What keeps it from it.
pub fn judge(
    engine: &Engine,
    user: &User,
    (command, args): (Command, Args<'_>),
    database: DatabaseId,
) -> Result<(), Hindrance> {
    if user.is_unrestricted() {
        return Ok(());
    }
    let asked = Asked::new(engine, database, command, args);
    user.check(&asked).map_err(Hindrance::Denied)?;
    let option = if command.spec.may_have_untold_keys() {
        reading_option(args)
    } else {
        None
    };
    match option {
        Some(option) if !user.reads_all_keys(&asked) => Err(Hindrance::Untold(option)),
        _ => Ok(()),
    }
}

/// When a call is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As it comes; in MULTI, where it is queued.
    Request,
    /// When EXEC runs it.
    Exec,
    /// When a script makes it.
    Script,
}

/// Whether a client may make a call. If not, that is logged and counted.
///
/// # Errors
/// What it is told.
pub fn check(
    (server, commands): (&Server, &Table),
    client: &Client,
    call: (Command, Args<'_>),
    moment: Moment,
) -> Result<(), CmdError> {
    let fresh;
    let user = if client.has_seen(&server.acl) {
        client.user()
    } else {
        fresh = server.acl.current(client.user().id()).ok_or(NO_AUTH)?;
        &fresh
    };
    let is_queued = moment == Moment::Request && client.multi.is_some();
    let who = (&*client.handle, &**user, is_queued);
    check_of((server, commands), who, (call, client.database), moment)
}

/// The same of a call that has waited, of a client of which only others' view is there; `since` is the generation of
/// users when it was judged last.
///
/// # Errors
/// What it is told.
pub fn check_again(
    place: (&Server, &Table),
    client: &ClientHandle,
    (call, database): ((Command, Args<'_>), DatabaseId),
    since: u64,
) -> Result<(), CmdError> {
    let acl = &place.0.acl;
    if acl.generation() == since {
        return Ok(());
    }
    let user = match client.user() {
        Some(id) => acl.current(&id).ok_or(NO_AUTH)?,
        None => acl.default_user(),
    };
    check_of(place, (client, &user, false), (call, database), Moment::Request)
}

fn check_of(
    place: (&Server, &Table),
    (client, user, is_queued): (&ClientHandle, &User, bool),
    (call, database): ((Command, Args<'_>), DatabaseId),
    moment: Moment,
) -> Result<(), CmdError> {
    match judge(&place.0.engine, user, call, database) {
        Ok(()) => Ok(()),
        // Redis looks at the options when the command runs.
        Err(Hindrance::Untold(_)) if is_queued => Ok(()),
        Err(Hindrance::Untold(option)) => {
            Err(format!("ERR {option} option of SORT denied due to insufficient ACL permissions.").into())
        }
        Err(Hindrance::Denied(denied)) => {
            if moment == Moment::Request {
                // What is denied is what the client has done last, as CLIENT LIST and the log's entry tell.
                client.last_command.store(u32::from(call.0.id) + 1, Ordering::Relaxed);
            }
            let context = match moment {
                Moment::Script => Context::Lua,
                Moment::Request if !is_queued => Context::TopLevel,
                _ => Context::Multi,
            };
            note(place, client, user, call, (denied, context));
            Err(in_words(user, call, denied, moment))
        }
    }
}

fn note(
    place: (&Server, &Table),
    client: &ClientHandle,
    user: &User,
    (command, args): (Command, Args<'_>),
    (denied, context): (Denied, Context),
) {
    let name = command.full_name();
    let refused = Refused {
        reason: denied.reason,
        context,
        object: match denied.reason {
            Reason::Command => name.as_bytes(),
            _ => args.get(denied.at).unwrap_or_default(),
        },
        user: user.name(),
    };
    log(place, client, &refused);
}

/// Counts what was denied, and puts it into ACL LOG.
pub fn log((server, commands): (&Server, &Table), client: &ClientHandle, refused: &Refused<'_>) {
    log_of(server, &client_line(commands, client, unix_ms()), refused);
}

/// The same of whom `line` describes: not every client is one of commands.
pub fn log_of(server: &Server, line: &str, refused: &Refused<'_>) {
    server.acl.count(refused.reason);
    server.acl.log.lock().add(refused, line, unix_ms());
}

fn in_words(user: &User, (command, args): (Command, Args<'_>), denied: Denied, moment: Moment) -> CmdError {
    let head: &[u8] = match moment {
        Moment::Request => b"NOPERM ",
        Moment::Script => b"ERR ACL failure in script: ",
        Moment::Exec => return changed_meanwhile(denied.reason),
    };
    CmdError::Quoting([head, told(user, (command, args), denied, false).as_slice()].concat())
}

fn changed_meanwhile(reason: Reason) -> CmdError {
    let why = match reason {
        Reason::Command => "no permission to execute the command or subcommand",
        Reason::Key => "no permission to touch the specified keys",
        Reason::Channel => "no permission to access one of the channels used as arguments",
        Reason::Auth | Reason::Database => "no permission",
    };
    let text = format!(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is \
         no longer allowed for the following reason: {why}"
    );
    text.into()
}

/// Redis's words for what is denied; `verbose` as for ACL DRYRUN.
pub fn told(user: &User, (command, args): (Command, Args<'_>), denied: Denied, verbose: bool) -> Vec<u8> {
    let name = shown(user.name(), QUOTED_BYTES_MAX);
    let object = shown(args.get(denied.at).unwrap_or_default(), QUOTED_BYTES_MAX);
    let of_user = |before: &str, object: &[u8], after: &str| {
        let before = format!(" has no permissions to {before}");
        [&b"User "[..], name, before.as_bytes(), object, after.as_bytes()].concat()
    };
    match (denied.reason, verbose) {
        (Reason::Command | Reason::Auth, _) => of_user("run the '", command.full_name().as_bytes(), "' command"),
        (Reason::Key, true) => of_user("access the '", object, "' key"),
        (Reason::Channel, true) => of_user("access the '", object, "' channel"),
        (Reason::Database, true) => of_user("access database ", object, ""),
        (Reason::Key, false) => b"No permissions to access a key".to_vec(),
        (Reason::Channel, false) => b"No permissions to access a channel".to_vec(),
        (Reason::Database, false) => b"No permissions to access database".to_vec(),
    }
}
