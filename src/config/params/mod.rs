//! The configuration of a running server: what CONFIG GET, SET and REWRITE act on, shared by all threads.
//!
//! **Invariants**
//! - A set is all or nothing: the new configuration is built and checked as a whole before anything changes.
//! - Every change is visible in [`Live`] before `set` returns.
//! - Error texts are Redis's.

mod idle;
mod rewrite;
pub(super) mod table;

pub use table::is_secret;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::{
    Config, Conflict, Live,
    acl::USERS,
    check,
    convert::{self, Changes},
    de::Setting,
    flat::{self, DEFAULTS, Flat},
    load::Loaded,
    open_files,
    refusal::{ParamsError, Refusal},
};

/// What a set changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKey {
    /// Dotted key whose value is different now.
    pub key: String,
    /// Its new value as text; a secret one is not shown.
    pub value: String,
}

/// The shared configuration.
#[derive(Debug)]
pub struct Params {
    state: RwLock<State>,
    live: Arc<Live>,
    file: Option<PathBuf>,
    turn: Mutex<()>,
    /// Held while the file is rewritten.
    writing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    config: Arc<Config>,
    flat: Flat,
    /// The save points as a client gave them, and the interval that followed from them.
    save: Option<(String, u64)>,
    /// What parameters without effect were set to.
    idle: BTreeMap<&'static str, String>,
}

/// A parameter as CONFIG names it.
#[derive(Debug, Clone, Copy)]
enum Name {
    /// One of Redis's.
    Redis(&'static table::Param),
    /// One that has no effect.
    Idle(&'static idle::Idle),
    /// A dotted key.
    Dotted(&'static str),
}

impl Params {
    /// Takes over what was loaded at start.
    pub fn new(loaded: Loaded) -> Self {
        let Loaded { config, file } = loaded;
        let live = Arc::new(Live::new(&config));
        let flat = flat::flatten(&config);
        Self {
            state: RwLock::new(State {
                config: Arc::new(config),
                flat,
                save: None,
                idle: BTreeMap::new(),
            }),
            live,
            file,
            turn: Mutex::default(),
            writing: Mutex::default(),
        }
    }

    /// Held by whoever [sets](Self::set) parameters until all that keep a copy of them have the new ones: no two
    /// changes reach those in another order than they came here.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    /// Allows no more clients than the limit on open files has room for; how many that are.
    pub fn fit_clients(&self) -> u64 {
        let mut state = self.state.write();
        let fitting = open_files::fitting(&state.config);
        if fitting < state.config.server.maxclients {
            let mut config = Config::clone(&state.config);
            config.server.maxclients = fitting;
            self.live.store(&config);
            state.flat = flat::flatten(&config);
            state.config = Arc::new(config);
        }
        fitting
    }

    /// The values for hot paths.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The whole configuration as it is now.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.state.read().config)
    }

    /// The absolute path of the configuration file, when the server was started with one.
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// CONFIG GET: every parameter that one of `patterns` names, each once, in the order found.
    ///
    /// `matches(pattern, text)` is the glob matcher; it is given both in lower case. As in Redis a pattern without `*`,
    /// `?` or `[` is a name, and comes back as it was written. Dotted keys are found by patterns with a dot only, so
    /// that clients see what they know. O(patterns × parameters).
    pub fn get(&self, patterns: &[&[u8]], matches: impl Fn(&[u8], &[u8]) -> bool) -> Vec<(String, String)> {
        let state = self.state.read();
        let mut found: Vec<(String, String)> = Vec::new();
        let mut add = |shown: String, name: Name| {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(&shown)) {
                found.push((shown, state.text(name)));
            }
        };
        for pattern in patterns {
            if pattern.iter().any(|byte| b"*?[".contains(byte)) {
                let pattern = pattern.to_ascii_lowercase();
                let dotted = pattern.contains(&b'.');
                all_names()
                    .filter(|(_, name)| dotted || !matches!(name, Name::Dotted(_)))
                    .filter(|(text, _)| matches(&pattern, text.as_bytes()))
                    .for_each(|(t, n)| add(t.to_owned(), n));
            } else if let Some((text, name)) = str::from_utf8(pattern).ok().and_then(|t| Some((t, find(t)?))) {
                add(text.to_owned(), name);
            }
        }
        found
    }

    /// CONFIG SET: gives every parameter its value, or none of them. The error is the whole reply, `ERR` included.
    ///
    /// An odd number of arguments is the caller's `ERR syntax error`. `prepare` is given the new configuration and what
    /// is different in it when nothing else speaks against it, and may still refuse it.
    pub fn set(
        &self,
        pairs: &[(&[u8], &[u8])],
        prepare: impl FnOnce(&Config, &[ChangedKey]) -> Result<(), Conflict>,
    ) -> Result<Vec<ChangedKey>, ParamsError> {
        let names = settable(pairs)?;
        let mut changes: Vec<(String, Changes)> = Vec::with_capacity(pairs.len());
        let (mut save, mut idle) = (None, Vec::new());
        for ((_, value), name) in pairs.iter().zip(names) {
            // Never lossy: a password must not become another one.
            let value = str::from_utf8(value).map_err(|_| refused(name.shown(), Refusal::NotText))?;
            if let Name::Idle(param) = name {
                let text =
                    convert::checked(param.kind, value, param.default).map_err(|why| refused(param.name, why))?;
                idle.push((param.means, text));
                continue;
            }
            changes.push((
                name.shown().to_owned(),
                name.changes(value).map_err(|why| refused(name.shown(), why))?,
            ));
            if name.shown() == "save" && !value.is_empty() {
                save = Some(value.to_owned());
            }
        }
        self.commit(changes, (save, idle), prepare)
    }

    /// Checks the changes as a whole and makes them at once.
    fn commit(
        &self,
        changes: Vec<(String, Changes)>,
        (save, idle): (Option<String>, Vec<(&'static str, String)>),
        prepare: impl FnOnce(&Config, &[ChangedKey]) -> Result<(), Conflict>,
    ) -> Result<Vec<ChangedKey>, ParamsError> {
        let mut state = self.state.write();
        let mut new = state.flat.clone();
        new.extend(changes.iter().flat_map(|(_, changes)| changes.clone()));
        let blame = |key: &str| {
            let by_key = changes
                .iter()
                .find(|(_, changes)| changes.iter().any(|(changed, _)| changed == key));
            by_key.or(changes.first()).map_or("", |(name, _)| name.as_str())
        };
        let config = flat::build(&new).map_err(|why| refused(blame(""), why))?;
        let new = flat::flatten(&config);
        let changed = difference(&state.flat, &new);
        check::check(&config)
            .and_then(|()| open_files::check(&config, &state.config))
            .and_then(|()| prepare(&config, &changed))
            .map_err(|conflict| refused(blame(&conflict.key), Refusal::Conflict(conflict.reason)))?;
        if let Some(text) = save {
            state.save = Some((text, config.checkpoint.interval_s));
        }
        self.live.store(&config);
        state.config = Arc::new(config);
        state.flat = new;
        state.idle.extend(idle);
        Ok(changed)
    }

    /// CONFIG REWRITE: writes what differs from the file back to it, comments and layout kept. The error is the whole
    /// reply, `ERR` included. `users` are written, too, where they are not kept elsewhere.
    pub fn rewrite(&self, users: Option<Vec<String>>) -> Result<(), ParamsError> {
        let Some(file) = &self.file else {
            return Err(ParamsError::NoFile);
        };
        // Two at once would race for the same temporary file. Parameters are read and set meanwhile: whoever does that may
        // keep others waiting, and does not wait for a disk.
        let _writing = self.writing.lock();
        let mut flat = self.state.read().flat.clone();
        flat.extend(users.map(|users| (USERS.to_owned(), Setting::List(users))));
        rewrite::rewrite(file, &flat).map_err(ParamsError::Rewrite)
    }
}

impl State {
    fn text(&self, name: Name) -> String {
        match name {
            Name::Dotted(key) => self.flat.get(key).map_or_else(String::new, Setting::to_string),
            Name::Idle(param) => {
                let set = self.idle.get(param.means).map(String::as_str);
                set.unwrap_or(param.default).to_owned()
            }
            Name::Redis(param) => match &self.save {
                Some((text, interval_s))
                    if param.name == "save" && *interval_s == self.config.checkpoint.interval_s =>
                {
                    text.clone()
                }
                _ => convert::to_text(param, &self.flat),
            },
        }
    }
}

impl Name {
    fn shown(&self) -> &'static str {
        match self {
            Self::Redis(param) => param.name,
            Self::Idle(param) => param.name,
            Self::Dotted(key) => key,
        }
    }

    fn keys(&self) -> &[&'static str] {
        match self {
            Self::Redis(param) => param.keys,
            Self::Idle(param) => std::slice::from_ref(&param.means),
            Self::Dotted(key) => std::slice::from_ref(key),
        }
    }

    /// Why this cannot be set at run time, if so.
    fn refusal(&self) -> Option<Refusal> {
        let keys = self.keys();
        if matches!(self, Self::Idle(_))
            || matches!(self, Self::Redis(param) if matches!(param.kind, table::Kind::Absent(_)))
        {
            return None;
        }
        if table::is_protected(self.shown()) || keys.iter().any(|key| table::is_protected(key)) {
            return Some(Refusal::Protected);
        }
        let mutable = !keys.is_empty() && keys.iter().all(|key| table::is_mutable(key));
        (!mutable).then_some(Refusal::Immutable)
    }

    /// The new values that `text` means, each checked alone.
    fn changes(&self, text: &str) -> Result<Changes, Refusal> {
        let changes = match self {
            Self::Redis(param) => convert::from_text(param, text)?,
            Self::Idle(_) => Changes::new(),
            Self::Dotted(key) => vec![((*key).to_owned(), Setting::Text(text.to_owned()))],
        };
        for (key, setting) in &changes {
            flat::check_one(key, setting)?;
        }
        Ok(changes)
    }
}

/// Every name, Redis's first.
fn all_names() -> impl Iterator<Item = (&'static str, Name)> {
    let redis = table::PARAMS.iter().map(|param| (param.name, Name::Redis(param)));
    let redis = redis.chain(idle::IDLE.iter().map(|param| (param.name, Name::Idle(param))));
    let dotted = DEFAULTS.keys().map(String::as_str).filter(|key| *key != USERS);
    redis.chain(dotted.map(|key| (key, Name::Dotted(key))))
}

fn find(name: &str) -> Option<Name> {
    let lower = name.to_ascii_lowercase();
    let redis = table::find(&lower).map(Name::Redis);
    redis.or_else(|| idle::find(&lower).map(Name::Idle)).or_else(|| {
        DEFAULTS
            .get_key_value(&lower)
            .filter(|(key, _)| *key != USERS)
            .map(|(key, _)| Name::Dotted(key.as_str()))
    })
}

/// The parameters of `pairs`, in order, when all are known, settable and different; Redis reports the first that is
/// not.
fn settable(pairs: &[(&[u8], &[u8])]) -> Result<Vec<Name>, ParamsError> {
    let mut names: Vec<Name> = Vec::with_capacity(pairs.len());
    for (given, _) in pairs {
        // An error reply is one line, and in Redis a name ends at a NUL.
        let given = given.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(given).replace(['\r', '\n'], " ");
        let Some(name) = find(&text) else {
            return Err(ParamsError::Unknown(text));
        };
        if let Some(refusal) = name.refusal() {
            return Err(refused(&text, refusal));
        }
        if names
            .iter()
            .any(|known| known.keys().iter().any(|key| name.keys().contains(key)))
        {
            return Err(refused(&text, Refusal::Duplicate));
        }
        names.push(name);
    }
    Ok(names)
}

fn refused(name: &str, why: Refusal) -> ParamsError {
    ParamsError::Refused {
        name: name.to_owned(),
        why,
    }
}

fn difference(old: &Flat, new: &Flat) -> Vec<ChangedKey> {
    let different = new.iter().filter(|(key, setting)| old.get(*key) != Some(setting));
    let shown = |key: &str, setting: &Setting| {
        if is_secret(key.as_bytes()) {
            "(hidden)".to_owned()
        } else {
            setting.to_string()
        }
    };
    different
        .map(|(key, setting)| ChangedKey {
            key: key.clone(),
            value: shown(key, setting),
        })
        .collect()
}

#[cfg(test)]
mod tests;
