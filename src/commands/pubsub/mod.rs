//! Publish and subscribe: channels, patterns and sharded channels.
//!
//! **Invariant:** confirmations and messages are sent whatever `CLIENT REPLY` says, as in Redis.

mod inspect;
mod publish;
mod subscribe;

use super::spec::{Spec, assert_sorted};

pub use subscribe::forget_some_subscriptions;

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[
    subscribe::PSUBSCRIBE,
    publish::PUBLISH,
    inspect::PUBSUB,
    subscribe::PUNSUBSCRIBE,
    publish::SPUBLISH,
    subscribe::SSUBSCRIBE,
    subscribe::SUBSCRIBE,
    subscribe::SUNSUBSCRIBE,
    subscribe::UNSUBSCRIBE,
];

const _: () = assert_sorted(COMMANDS);
