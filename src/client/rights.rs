//! Whose rights a client has.
//!
//! **Invariants**
//! - A client has a user at all times: `default`, until it logs in as another one. Whether it may do anything as
//!   `default` is another question ([`Client::may_run`]).
//! - What others see of it ([`ClientHandle::user`](super::ClientHandle::user)) is never behind what it may do.

use std::sync::Arc;

use super::Client;
use crate::acl::{Acl, User};
use crate::pubsub::TopicKind;

/// What a client's rights were when it last looked.
pub(super) struct Rights {
    pub user: Arc<User>,
    /// The generation of all users then.
    seen: u64,
    /// The same, if it may do everything; 0 else.
    open_at: u64,
}

impl Rights {
    pub fn of(user: Arc<User>) -> Self {
        Self {
            user,
            seen: 0,
            open_at: 0,
        }
    }
}

impl Client {
    /// The generation of users in which it may do everything; another number if it may not.
    #[inline]
    pub fn open_at(&self) -> u64 {
        self.rights.open_at
    }

    /// Its user, as it was when it last looked.
    pub fn user(&self) -> &Arc<User> {
        &self.rights.user
    }

    /// Whether its rights are those of now.
    pub fn has_seen(&self, acl: &Acl) -> bool {
        self.rights.seen == acl.generation()
    }

    /// Whether it may run more than what everybody may: it has logged in, or `default` needs no password.
    pub fn may_run(&self) -> bool {
        self.authenticated || self.rights.user.is_open()
    }

    /// Takes its rights as they are now; whether its user is still there.
    pub fn see_rights(&mut self, acl: &Acl) -> bool {
        let generation = acl.generation();
        if self.rights.seen == generation {
            return true;
        }
        let Some(user) = acl.current(self.rights.user.id()) else {
            return false;
        };
        self.rights.user = user;
        self.rights.seen = generation;
        let is_open = self.may_run() && self.rights.user.is_unrestricted();
        self.rights.open_at = if is_open { generation } else { 0 };
        true
    }

    /// Whether it may have all that it has subscribed to.
    pub fn may_keep_channels(&self, acl: &Acl) -> bool {
        let Some(user) = acl.current(self.rights.user.id()) else {
            return false;
        };
        TopicKind::ALL.into_iter().all(|kind| {
            let topics = self.subscriber.some(kind, usize::MAX);
            let mut topics = topics.iter();
            topics.all(|topic| user.allows_channel(&topic.name, kind == TopicKind::Pattern))
        })
    }

    /// From here on it is this user, whoever has made sure of that. One that is deleted meanwhile closes it.
    pub fn log_in_as(&mut self, acl: &Acl, user: Arc<User>) {
        self.become_user(acl, user, true);
    }

    /// From here on it is `default`, as a new connection is.
    pub fn log_out(&mut self, acl: &Acl) {
        let user = acl.default_user();
        let is_in = user.is_open();
        self.become_user(acl, user, is_in);
    }

    fn become_user(&mut self, acl: &Acl, user: Arc<User>, authenticated: bool) {
        self.handle.set_user(Arc::clone(user.id()));
        self.authenticated = authenticated;
        self.rights = Rights::of(user);
        // Whoever deletes it from here on finds this client.
        if !self.see_rights(acl) {
            self.handle.kill();
        }
    }
}
