//! A user: whether it may log in, with what, and its selectors.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::check::{Denied, Needs, Reason, Request};
use super::password::Digest;
use super::rule::RuleError;
use super::selector::Selector;
use super::words;

/// Who somebody is: a name, and which of the users that have had it.
#[derive(Debug, PartialEq, Eq)]
pub struct UserId {
    /// Its name.
    pub name: Box<[u8]>,
    /// Never given twice.
    pub serial: u64,
}

/// See the module. A user is not changed: it is replaced by another one with the same id.
#[derive(Clone)]
pub struct User {
    id: Arc<UserId>,
    is_on: bool,
    no_pass: bool,
    /// Redis asks whether payloads of RESTORE are looked through; they always are.
    sanitizes_payload: bool,
    passwords: Vec<Digest>,
    /// The first is the root.
    selectors: Vec<Selector>,
    is_unrestricted: bool,
}

impl User {
    /// A new one, which may do nothing.
    pub(super) fn new(id: Arc<UserId>, catalogue: &Catalogue, all_channels: bool) -> Self {
        Self {
            id,
            is_on: false,
            no_pass: false,
            sanitizes_payload: true,
            passwords: Vec::new(),
            selectors: vec![Selector::new(catalogue, all_channels)],
            is_unrestricted: false,
        }
    }

    /// The same with these rules, or none of them.
    ///
    /// # Errors
    /// With the rule that is refused.
    pub(super) fn with<'r>(
        &self,
        catalogue: &Catalogue,
        all_channels: bool,
        rules: impl Iterator<Item = &'r [u8]>,
    ) -> Result<Self, (Vec<u8>, RuleError)> {
        let mut user = self.clone();
        for rule in rules {
            let applied = user.apply(catalogue, all_channels, rule);
            applied.map_err(|error| (rule.to_vec(), error))?;
        }
        user.is_unrestricted = user.selectors.iter().any(Selector::is_unrestricted);
        Ok(user)
    }

    /// The same, as the one that `before` was.
    pub(super) fn standing_for(mut self, before: Option<&Arc<Self>>) -> Self {
        if let Some(before) = before {
            self.id = Arc::clone(&before.id);
        }
        self
    }

    fn apply(&mut self, catalogue: &Catalogue, all_channels: bool, rule: &[u8]) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"" => {}
            b"on" => self.is_on = true,
            b"off" => self.is_on = false,
            b"nopass" => {
                self.no_pass = true;
                self.passwords.clear();
            }
            b"resetpass" => {
                self.no_pass = false;
                self.passwords.clear();
            }
            b"sanitize-payload" => self.sanitizes_payload = true,
            b"skip-sanitize-payload" => self.sanitizes_payload = false,
            b"clearselectors" => self.selectors.truncate(1),
            b"reset" => *self = Self::new(Arc::clone(&self.id), catalogue, all_channels),
            _ => return self.apply_item(catalogue, all_channels, rule),
        }
        Ok(())
    }

    fn apply_item(&mut self, catalogue: &Catalogue, all_channels: bool, rule: &[u8]) -> Result<(), RuleError> {
        match rule {
            [b'>', password @ ..] => self.add_password(Digest::of(password)),
            [b'#', hash @ ..] => self.add_password(Digest::from_hex(hash).ok_or(RuleError::BadHash)?),
            [b'<', password @ ..] => return self.remove_password(Digest::of(password)),
            [b'!', hash @ ..] => return self.remove_password(Digest::from_hex(hash).ok_or(RuleError::BadHash)?),
            [b'(', rules @ .., b')'] => {
                let mut selector = Selector::new(catalogue, all_channels);
                for rule in words::split(rules) {
                    selector.apply(catalogue, rule)?;
                }
                self.selectors.push(selector);
            }
            _ => {
                let root = self.selectors.first_mut().ok_or(RuleError::Syntax)?;
                return root.apply(catalogue, rule);
            }
        }
        Ok(())
    }

    fn add_password(&mut self, digest: Digest) {
        if !self.passwords.contains(&digest) {
            self.passwords.push(digest);
        }
        self.no_pass = false;
    }

    fn remove_password(&mut self, digest: Digest) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| *known == digest);
        self.passwords.remove(at.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }

    /// Who it is.
    pub fn id(&self) -> &Arc<UserId> {
        &self.id
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.id.name
    }

    /// Whether nothing is denied to it.
    pub fn is_unrestricted(&self) -> bool {
        self.is_unrestricted
    }

    /// Whether whoever connects is this user, without a password.
    pub fn is_open(&self) -> bool {
        self.is_on && self.no_pass
    }

    /// Whether any password is right for it.
    pub fn has_no_password(&self) -> bool {
        self.no_pass
    }

    /// Whether it may log in at all.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether it may log in with this one.
    pub(super) fn accepts(&self, password: &[u8]) -> bool {
        // Both are judged, so that the time does not tell which it was.
        let is_right = Digest::of(password).is_among(&self.passwords) | self.no_pass;
        is_right & self.is_on
    }

    /// Whether it may run the call.
    ///
    /// # Errors
    /// Of several selectors' reasons, the one that Redis tells: a key's or channel's rather than the command, and the
    /// last argument.
    pub fn check(&self, request: &impl Request) -> Result<(), Denied> {
        if self.is_unrestricted {
            return Ok(());
        }
        let mut worst = Denied {
            reason: Reason::Command,
            at: 0,
        };
        for selector in &self.selectors {
            match selector.check(request) {
                Ok(()) => return Ok(()),
                Err(denied) if (denied.reason, denied.at) > (worst.reason, worst.at) => worst = denied,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    /// Whether a selector allows the call, and to read all keys.
    pub fn reads_all_keys(&self, request: &impl Request) -> bool {
        let read = Needs {
            read: true,
            write: false,
        };
        let mut selectors = self.selectors.iter();
        self.is_unrestricted || selectors.any(|selector| selector.allows_on_all_keys(request, read))
    }

    /// Whether it has lost channels to `new`: those who have subscribed as this user are looked at then.
    pub(super) fn loses_channels_to(&self, new: &Self) -> bool {
        let all = |user: &Self| user.selectors.iter().any(|selector| selector.channels().is_none());
        if all(new) {
            return false;
        }
        let kept = |channel: &[u8]| {
            let mut channels = new.selectors.iter().filter_map(Selector::channels).flatten();
            channels.any(|known| known.text() == channel)
        };
        let mut before = self.selectors.iter().filter_map(Selector::channels).flatten();
        all(self) || !before.all(|channel| kept(channel.text()))
    }

    /// Whether it may have subscribed to this.
    pub fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.selectors
            .iter()
            .any(|selector| selector.allows_channel(name, is_pattern))
    }

    /// Its flags, as GETUSER shows them.
    pub fn flags(&self) -> Vec<&'static str> {
        let sanitizes = if self.sanitizes_payload {
            "sanitize-payload"
        } else {
            "skip-sanitize-payload"
        };
        let mut flags = vec![if self.is_on { "on" } else { "off" }];
        flags.extend(self.no_pass.then_some("nopass"));
        flags.push(sanitizes);
        flags
    }

    /// The SHA-256 of its passwords, in hexadecimal digits.
    pub fn passwords(&self) -> impl ExactSizeIterator<Item = String> + '_ {
        self.passwords.iter().map(Digest::to_string)
    }

    /// Its selectors, the root first.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// The line that makes it: `user`, its name, and its rules.
    pub fn describe(&self) -> Vec<u8> {
        let mut line = [&b"user "[..], self.name()].concat();
        let flags = self.flags().into_iter().map(str::to_owned);
        for word in flags.chain(self.passwords().map(|digest| format!("#{digest}"))) {
            line.push(b' ');
            line.extend_from_slice(word.as_bytes());
        }
        for (at, selector) in self.selectors.iter().enumerate() {
            let text = selector.describe();
            line.push(b' ');
            line.extend(if at == 0 {
                text
            } else {
                [&b"("[..], &text, b")"].concat()
            });
        }
        line
    }
}
