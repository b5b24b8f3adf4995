//! A selector: commands, keys, channels and databases that go together. A user has one, and may have more.
//!
//! **Invariant:** which commands are allowed is kept twice: as bits, which are looked at, and as the list of rules,
//! which is shown. A rule changes both.

use super::catalogue::{Catalogue, category_bit};
use super::check::{Denied, Needs, Reason, Request};
use super::databases::Databases;
use super::pattern::Pattern;
use super::pattern_set::PatternSet;
use super::rule::{RuleError, has_spaces};

#[derive(Clone, PartialEq, Eq)]
struct KeyPattern {
    pattern: Pattern,
    gives: Needs,
}

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Selector {
    /// Bits of allowed commands.
    commands: Box<[u64]>,
    /// All commands, and none has been taken away since.
    all_commands: bool,
    /// Commands that there are not yet are allowed.
    future_commands: bool,
    /// First arguments with which commands are allowed that are not else.
    first_args: Vec<(u16, Box<[u8]>)>,
    /// Rules on commands, with their signs, in order.
    rules: Vec<Box<str>>,
    all_keys: bool,
    /// As they were given.
    keys: Vec<KeyPattern>,
    /// Those of them that give at least so much, by [`Needs::index`].
    keys_by_needs: [PatternSet; Needs::COUNT],
    all_channels: bool,
    channels: Vec<Pattern>,
    databases: Databases,
}

impl Selector {
    /// One that allows nothing, but perhaps all channels.
    pub fn new(catalogue: &Catalogue, all_channels: bool) -> Self {
        Self {
            commands: vec![0; catalogue.len().div_ceil(64)].into(),
            all_commands: false,
            future_commands: false,
            first_args: Vec::new(),
            rules: Vec::new(),
            all_keys: false,
            keys: Vec::new(),
            keys_by_needs: Default::default(),
            all_channels,
            channels: Vec::new(),
            databases: Databases::All,
        }
    }

    /// Applies a rule.
    pub fn apply(&mut self, catalogue: &Catalogue, rule: &[u8]) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => self.set_keys(true),
            b"resetkeys" => self.set_keys(false),
            b"allchannels" | b"&*" => self.set_channels(true),
            b"resetchannels" => self.set_channels(false),
            b"alldbs" => self.databases = Databases::All,
            b"resetdbs" => self.databases = Databases::NONE,
            b"allcommands" | b"+@all" => self.set_commands(true),
            b"nocommands" | b"-@all" => self.set_commands(false),
            lower => return self.apply_item(catalogue, rule, lower),
        }
        Ok(())
    }

    fn apply_item(&mut self, catalogue: &Catalogue, rule: &[u8], lower: &[u8]) -> Result<(), RuleError> {
        match rule {
            [b'~' | b'%', ..] => self.add_key_pattern(rule),
            [b'&', pattern @ ..] => self.add_channel(pattern),
            [sign @ (b'+' | b'-'), ..] => {
                let name = std::str::from_utf8(lower.get(1..).unwrap_or_default());
                self.apply_command(catalogue, *sign == b'+', name.map_err(|_| RuleError::Unknown)?)
            }
            _ => {
                let list = lower.strip_prefix(b"db=").ok_or(RuleError::Syntax)?;
                // The names themselves keep their case.
                let list = rule.get(rule.len() - list.len()..).unwrap_or_default();
                self.databases = Databases::parse(list)?;
                Ok(())
            }
        }
    }

    fn set_keys(&mut self, all: bool) {
        self.all_keys = all;
        self.keys.clear();
        self.keys_by_needs = Default::default();
    }

    fn set_channels(&mut self, all: bool) {
        self.all_channels = all;
        self.channels.clear();
    }

    fn set_commands(&mut self, all: bool) {
        self.commands.fill(if all { u64::MAX } else { 0 });
        self.all_commands = all;
        self.future_commands = all;
        self.first_args.clear();
        self.rules.clear();
    }

    fn add_key_pattern(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AllKeys);
        }
        let (gives, pattern) = match rule {
            [b'~', pattern @ ..] => (Needs::ALL, pattern),
            [_, rest @ ..] => permissions(rest).ok_or(RuleError::Syntax)?,
            [] => return Err(RuleError::Syntax),
        };
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        let known = self.keys.iter().position(|known| known.pattern.text() == pattern);
        let at = known.unwrap_or_else(|| {
            self.keys.push(KeyPattern {
                pattern: Pattern::new(pattern),
                gives: Needs::default(),
            });
            self.keys.len() - 1
        });
        if let Some(known) = self.keys.get_mut(at) {
            known.gives.read |= gives.read;
            known.gives.write |= gives.write;
            for needs in Needs::each().filter(|needs| needs.are_within(known.gives)) {
                if let Some(set) = self.keys_by_needs.get_mut(needs.index()) {
                    set.add(&known.pattern);
                }
            }
        }
        Ok(())
    }

    fn add_channel(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AllChannels);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| known.text() == pattern) {
            self.channels.push(Pattern::new(pattern));
        }
        Ok(())
    }

    fn apply_command(&mut self, catalogue: &Catalogue, allow: bool, name: &str) -> Result<(), RuleError> {
        if let Some(category) = name.strip_prefix('@') {
            let bit = category_bit(category).ok_or(RuleError::Unknown)?;
            self.note_rule(allow, name);
            catalogue
                .of_category(bit)
                .for_each(|id| self.allow(catalogue, id, allow));
            return Ok(());
        }
        if allow && let Some((command, argument)) = name.rsplit_once('|') {
            let id = catalogue.find(command).ok_or(RuleError::Unknown)?;
            if catalogue.is_subcommand(id) {
                return Err(RuleError::FirstArgOfSubcommand);
            }
            if argument.is_empty() || has_spaces(argument.as_bytes()) {
                return Err(RuleError::Syntax);
            }
            if catalogue.subcommands(id).is_empty() {
                self.allow_first_arg(id, argument);
            } else {
                self.set_bit(catalogue.find(name).ok_or(RuleError::Unknown)?, true);
            }
        } else {
            let id = catalogue.find(name).ok_or(RuleError::Unknown)?;
            self.allow(catalogue, id, allow);
        }
        self.note_rule(allow, name);
        Ok(())
    }

    /// Allows a command, with all of its subcommands and arguments, or denies it.
    fn allow(&mut self, catalogue: &Catalogue, id: u16, allow: bool) {
        self.set_bit(id, allow);
        self.first_args.retain(|(command, _)| *command != id);
        catalogue.subcommands(id).for_each(|sub| self.set_bit(sub, allow));
    }

    fn set_bit(&mut self, id: u16, allow: bool) {
        if let Some(word) = self.commands.get_mut(usize::from(id / 64)) {
            let bit = 1 << (id % 64);
            if allow { *word |= bit } else { *word &= !bit }
        }
        self.all_commands &= allow;
    }

    fn allow_first_arg(&mut self, id: u16, argument: &str) {
        let known = |(command, known): &(u16, Box<[u8]>)| *command == id && **known == *argument.as_bytes();
        if !self.first_args.iter().any(known) {
            self.first_args.push((id, argument.as_bytes().into()));
        }
    }

    /// Puts a rule at the end, in place of those that it makes void: its own, and those on parts of it.
    fn note_rule(&mut self, allow: bool, name: &str) {
        self.rules.retain(|rule| {
            let rest = rule.get(1..).and_then(|rule| rule.strip_prefix(name));
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        });
        let sign = if allow { '+' } else { '-' };
        self.rules.push(format!("{sign}{name}").into());
    }

    /// Whether it allows everything.
    pub fn is_unrestricted(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels && self.databases == Databases::All
    }

    /// Whether it allows so much of all keys.
    fn gives_all_keys(&self, needs: Needs) -> bool {
        let all = |known: &KeyPattern| known.pattern.text() == b"*" && needs.are_within(known.gives);
        self.all_keys || self.keys.iter().any(all)
    }

    /// Whether it allows the call, and so much of all keys besides.
    pub fn allows_on_all_keys(&self, request: &impl Request, needs: Needs) -> bool {
        self.gives_all_keys(needs) && self.check(request).is_ok()
    }

    /// Whether it allows the call.
    pub fn check(&self, request: &impl Request) -> Result<(), Denied> {
        let deny = |reason, at| Err(Denied { reason, at });
        if !self.all_commands && !request.is_free() && !self.has_command(request) {
            return deny(Reason::Command, 0);
        }
        if self.databases != Databases::All
            && let Some(at) = request.denied_database(|place| self.databases.allow(place))
        {
            return deny(Reason::Database, at);
        }
        if !self.all_keys {
            for (at, needs) in request.keys() {
                if !self.allows_key(request.word(at).unwrap_or_default(), needs) {
                    return deny(Reason::Key, at);
                }
            }
            let unnamed = request.unnamed_keys();
            if unnamed != Needs::default() && !self.gives_all_keys(unnamed) {
                return deny(Reason::Key, 0);
            }
        }
        if !self.all_channels {
            let (mut channels, are_patterns) = request.channels();
            let denied = channels.find(|at| !self.allows_channel(request.word(*at).unwrap_or_default(), are_patterns));
            if let Some(at) = denied {
                return deny(Reason::Channel, at);
            }
        }
        Ok(())
    }

    fn has_command(&self, request: &impl Request) -> bool {
        let id = request.command();
        let word = self.commands.get(usize::from(id / 64)).copied().unwrap_or_default();
        if word & (1 << (id % 64)) != 0 {
            return true;
        }
        let given = request.word(request.first_arg());
        given.is_some_and(|given| {
            let mut known = self.first_args.iter().filter(|(command, _)| *command == id);
            known.any(|(_, known)| given.eq_ignore_ascii_case(known))
        })
    }

    fn allows_key(&self, key: &[u8], needs: Needs) -> bool {
        self.keys_by_needs.get(needs.index()).is_some_and(|set| set.fits(key))
    }

    /// Whether it allows a channel; a pattern is allowed only if that very pattern is.
    pub(super) fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        let fits = |known: &Pattern| {
            if is_pattern {
                known.text() == name
            } else {
                known.fits(name)
            }
        };
        self.all_channels || self.channels.iter().any(fits)
    }

    /// Its channels; `None`: all.
    pub(super) fn channels(&self) -> Option<&[Pattern]> {
        (!self.all_channels).then_some(self.channels.as_slice())
    }

    /// The rules on commands, as they are shown.
    pub fn commands_text(&self) -> String {
        let base = if self.future_commands { "+@all" } else { "-@all" };
        self.rules.iter().fold(base.to_owned(), |text, rule| text + " " + rule)
    }

    /// The key patterns, likewise.
    pub fn keys_text(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let patterns = self.keys.iter().map(|known| {
            let is_all = known.pattern.text() == b"*";
            let before: &[u8] = match known.gives {
                // As `~*` it could not be read again where others stand beside it.
                Needs::ALL if is_all => b"%RW~",
                Needs { write: false, .. } => b"%R~",
                Needs { read: false, .. } => b"%W~",
                _ => b"~",
            };
            [before, known.pattern.text()].concat()
        });
        patterns.collect::<Vec<_>>().join(&b" "[..])
    }

    /// The channel patterns, likewise.
    pub fn channels_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let patterns = self.channels.iter().map(|known| [&b"&"[..], known.text()].concat());
        patterns.collect::<Vec<_>>().join(&b" "[..])
    }

    /// The databases, likewise; `None`: all.
    pub fn databases_text(&self) -> Option<Vec<u8>> {
        self.databases.describe()
    }

    /// All of it, as in ACL LIST.
    pub fn describe(&self) -> Vec<u8> {
        let mut parts = Vec::new();
        let keys = self.keys_text();
        if self.all_keys || !self.keys.is_empty() {
            parts.push(keys);
        }
        if !self.all_channels {
            parts.push(b"resetchannels".to_vec());
        }
        if self.all_channels || !self.channels.is_empty() {
            parts.push(self.channels_text());
        }
        parts.extend(self.databases_text());
        parts.push(self.commands_text().into_bytes());
        parts.join(&b" "[..])
    }
}

/// The permissions of a key pattern, and the pattern, of what stands behind `%`.
fn permissions(text: &[u8]) -> Option<(Needs, &[u8])> {
    let mut gives = Needs::default();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first.to_ascii_uppercase() {
            b'R' if !gives.read => gives.read = true,
            b'W' if !gives.write => gives.write = true,
            b'~' => break,
            _ => return None,
        }
    }
    (gives != Needs::default()).then_some((gives, rest))
}
