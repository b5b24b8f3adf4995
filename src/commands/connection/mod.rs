//! Commands about the connection itself: who speaks, in which protocol, on which database.
//!
//! **Invariant:** none of them touches data.

mod auth;
pub mod client;
mod hello;
mod ping;
mod reset;
mod select;

use super::spec::Spec;
use super::spec::assert_sorted;

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[
    auth::AUTH,
    client::CLIENT,
    ping::ECHO,
    hello::HELLO,
    ping::PING,
    reset::QUIT,
    reset::RESET,
    select::SELECT,
];

const _: () = assert_sorted(COMMANDS);
