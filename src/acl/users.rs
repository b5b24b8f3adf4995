//! All users, and what changes them.
//!
//! **Invariants**
//! - There is always a user `default`.
//! - Users are exchanged before the generation goes up: who has seen a generation sees users that are at least as new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::attempts::Attempts;
use super::catalogue::Catalogue;
use super::check::Reason;
use super::file::{self, FileError};
use super::log::Log;
use super::rule::RuleError;
use super::user::{User, UserId};

/// The user that connections begin as.
const DEFAULT: &[u8] = b"default";

/// Users by name.
pub type Users = BTreeMap<Box<[u8]>, Arc<User>>;

/// What became of a login.
pub enum Login {
    /// It is this user.
    In(Arc<User>),
    /// It is nobody.
    Refused,
}

/// See the module.
pub struct Acl {
    catalogue: Catalogue,
    users: RwLock<Arc<Users>>,
    generation: AtomicU64,
    /// Held while users are made anew.
    changing: Mutex<()>,
    /// Held while the file is written: two at once would race for the same temporary file.
    writing: Mutex<()>,
    next_serial: AtomicU64,
    /// New users, and selectors, may use all channels.
    all_channels: AtomicBool,
    /// Where ACL LOAD and SAVE have them; `None`: nowhere.
    file: Option<PathBuf>,
    /// What was denied.
    pub log: Mutex<Log>,
    /// How often something was, by the place of the reason.
    pub denied: [AtomicU64; Reason::ALL.len()],
    /// Logins that have failed.
    pub attempts: Attempts,
}

impl Acl {
    /// Only `default`, who may do everything without a password.
    pub fn new(catalogue: Catalogue, file: Option<PathBuf>) -> Self {
        let acl = Self {
            catalogue,
            users: RwLock::default(),
            generation: AtomicU64::new(1),
            changing: Mutex::default(),
            writing: Mutex::default(),
            next_serial: AtomicU64::new(1),
            all_channels: AtomicBool::new(false),
            file,
            log: Mutex::default(),
            denied: Default::default(),
            attempts: Attempts::default(),
        };
        let default = acl.fresh_default();
        *acl.users.write() = Arc::new(Users::from([(DEFAULT.into(), Arc::new(default))]));
        acl
    }

    /// What the commands are called.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The file of ACL LOAD and SAVE.
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// New users, and selectors, may use all channels, or none (`acl-pubsub-default`).
    pub fn set_all_channels(&self, all: bool) {
        self.all_channels.store(all, Ordering::Relaxed);
    }

    fn all_channels(&self) -> bool {
        self.all_channels.load(Ordering::Relaxed)
    }

    /// Another number whenever something has changed.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// All users, as they are now.
    pub fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read())
    }

    /// The user of this name.
    pub fn user(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users.read().get(name).cloned()
    }

    /// The user that connections begin as.
    pub fn default_user(&self) -> Arc<User> {
        self.user(DEFAULT).unwrap_or_else(|| Arc::new(self.fresh_default()))
    }

    /// A user as it is now; `None`: it has been deleted.
    pub fn current(&self, id: &UserId) -> Option<Arc<User>> {
        self.user(&id.name).filter(|user| user.id().serial == id.serial)
    }

    /// Who may log in with these.
    pub fn log_in(&self, name: &[u8], password: &[u8]) -> Login {
        // What there is no user for takes as long as what there is one for.
        let (user, is_known) = match self.user(name) {
            Some(user) => (user, true),
            None => (self.default_user(), false),
        };
        if user.accepts(password) & is_known {
            Login::In(user)
        } else {
            Login::Refused
        }
    }

    fn fresh(&self, name: &[u8]) -> User {
        let serial = self.next_serial.fetch_add(1, Ordering::Relaxed);
        let id = UserId {
            name: name.into(),
            serial,
        };
        User::new(Arc::new(id), &self.catalogue, self.all_channels())
    }

    fn fresh_default(&self) -> User {
        let rules = ["+@all", "~*", "&*", "on", "nopass"].map(str::as_bytes);
        let fresh = self.fresh(DEFAULT);
        let made = fresh.with(&self.catalogue, self.all_channels(), rules.into_iter());
        made.unwrap_or(fresh)
    }

    /// Exchanges the users. The lock is proof that nobody else does.
    fn exchange(&self, users: Users) {
        *self.users.write() = Arc::new(users);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Applies rules to a user, which is made if there is none: all of them, or none. The user from before, if there
    /// was one that has lost channels.
    ///
    /// # Errors
    /// With the rule that is refused.
    pub fn set_user<'r>(
        &self,
        name: &[u8],
        rules: impl Iterator<Item = &'r [u8]>,
    ) -> Result<Option<Arc<User>>, (Vec<u8>, RuleError)> {
        let _changing = self.changing.lock();
        let mut users = Users::clone(&self.users());
        let before = users.get(name).cloned();
        let base = before.as_deref().cloned().unwrap_or_else(|| self.fresh(name));
        let new = base.with(&self.catalogue, self.all_channels(), rules)?;
        let losing = before.filter(|before| before.loses_channels_to(&new));
        users.insert(name.into(), Arc::new(new));
        self.exchange(users);
        Ok(losing)
    }

    /// Gives `default` this password and no other; none, if it is empty.
    pub fn set_default_password(&self, password: &str) {
        let rule = if password.is_empty() {
            "nopass".to_owned()
        } else {
            format!(">{password}")
        };
        // None of these can be refused.
        let _ = self.set_user(DEFAULT, [&b"resetpass"[..], rule.as_bytes()].into_iter());
    }

    /// Deletes users. Those that there were.
    pub fn delete<'n>(&self, names: impl Iterator<Item = &'n [u8]>) -> Vec<Arc<User>> {
        let _changing = self.changing.lock();
        let mut users = Users::clone(&self.users());
        let deleted: Vec<Arc<User>> = names.filter_map(|name| users.remove(name)).collect();
        if !deleted.is_empty() {
            self.exchange(users);
        }
        deleted
    }

    /// Adds users that lines describe, each `user name rules…`, as in a configuration file.
    ///
    /// # Errors
    /// With the number of the line, from 1, and what is wrong with it.
    pub fn add_lines<'l>(&self, lines: impl Iterator<Item = &'l str>) -> Result<(), (usize, String)> {
        let mut seen = BTreeSet::new();
        for (at, line) in (1..).zip(lines) {
            let line = file::parse_user(line, at).map_err(|why| (at, why))?;
            // `default` is there already, with more than what the line says.
            let rules = [&b"reset"[..]].into_iter().chain(line.rules.iter().map(Vec::as_slice));
            let set = self.set_user(&line.name, rules);
            set.map_err(|(rule, error)| (at, file::wrong_rule(&rule, error)))?;
            if !seen.insert(line.name) {
                return Err((at, RuleError::Duplicate.to_string()));
            }
        }
        Ok(())
    }

    /// Replaces all users by those of the file. The users from before that are no more, or have lost channels.
    ///
    /// # Errors
    /// When it cannot be read, or a line is wrong: all stays as it is.
    pub fn load(&self) -> Result<Vec<Arc<User>>, FileError> {
        let _changing = self.changing.lock();
        let path = self.file.as_ref().ok_or(FileError::NoFile)?;
        let found = file::read(path)?;
        let old = self.users();
        let (mut users, mut wrong) = (Users::new(), Vec::new());
        for line in found {
            let name = line.name;
            let before = old.get(&*name);
            // The same user goes on, so that its clients do.
            let base = self.fresh(&name).standing_for(before);
            let rules = line.rules.iter().map(Vec::as_slice);
            match base.with(&self.catalogue, self.all_channels(), rules) {
                Ok(_) if users.contains_key(&*name) => {
                    let name = String::from_utf8_lossy(&name);
                    wrong.push(format!(
                        "WARNING: Duplicate user '{name}' found on line {}.",
                        line.number
                    ));
                }
                Ok(user) => drop(users.insert(name, Arc::new(user))),
                Err((rule, error)) => wrong.push(file::wrong_line(path, line.number, &file::wrong_rule(&rule, error))),
            }
        }
        if !wrong.is_empty() {
            return Err(FileError::Wrong(wrong));
        }
        if !users.contains_key(DEFAULT) {
            let default = self.fresh_default().standing_for(old.get(DEFAULT));
            users.insert(DEFAULT.into(), Arc::new(default));
        }
        let is_concerned = |user: &&Arc<User>| {
            let new = users.get(user.name());
            new.is_none_or(|new| user.loses_channels_to(new))
        };
        let concerned = old.values().filter(is_concerned).cloned().collect();
        self.exchange(users);
        Ok(concerned)
    }

    /// Writes all users to the file.
    ///
    /// # Errors
    /// When there is none, or it cannot be written.
    pub fn save(&self) -> Result<(), FileError> {
        // Users change meanwhile: who changes them may keep others waiting, and does not wait for a disk.
        let _writing = self.writing.lock();
        let path = self.file.as_ref().ok_or(FileError::NoFile)?;
        let lines = self.describe_all().map(|line| [line.as_slice(), b"\n"].concat());
        file::write(path, &lines.collect::<Vec<_>>().concat())
    }

    /// The lines that make all users, by name.
    pub fn describe_all(&self) -> impl Iterator<Item = Vec<u8>> {
        let users: Vec<Arc<User>> = self.users().values().cloned().collect();
        users.into_iter().map(|user| user.describe())
    }

    /// Whether there is nobody but `default`, as this password alone makes it.
    pub fn is_pristine(&self, password: &str) -> bool {
        let rule = format!(">{password}");
        let rules = (!password.is_empty()).then_some(rule.as_bytes());
        let pristine = self.fresh_default();
        let pristine = pristine.with(&self.catalogue, self.all_channels(), rules.into_iter());
        let users = self.users();
        let is_as = |user: &User| users.len() == 1 && self.default_user().describe() == user.describe();
        pristine.is_ok_and(|user| is_as(&user))
    }

    /// Counts what was denied.
    pub fn count(&self, reason: Reason) {
        if let Some(count) = self.denied.get(reason.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often something was denied for this reason.
    pub fn denied_count(&self, reason: Reason) -> u64 {
        self.denied
            .get(reason.index())
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Sets these counts back.
    pub fn reset_counts(&self) {
        self.denied.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

#[cfg(test)]
impl Acl {
    /// Users of no commands.
    pub fn of_no_commands() -> Self {
        Self::new(
            Catalogue::new(std::iter::empty::<(String, std::iter::Empty<_>)>()),
            None,
        )
    }
}
