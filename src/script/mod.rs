//! Scripts and functions: Lua 5.1 as Redis has it. A [`Vm`] runs them, a [`Host`] serves what they ask.
//!
//! Nothing here knows of sessions, commands or the engine. All unsafe code is in `lua`.

mod api;
mod base;
mod from_reply;
mod header;
mod host;
mod library;
mod libs;
mod loading;
mod lua;
mod made;
mod numbers;
mod patterns;
mod register;
mod sandbox;
mod sha1;
#[cfg(test)]
mod tests;
mod to_reply;
mod vm;

pub use header::{HeaderError, library_name};
pub use host::{Host, LogLevel, Stop};
pub use library::{LOAD_MAX, LoadError, Loader};
pub use loading::Registered;
pub use lua::Interrupter;
pub use sha1::Sha1;
pub use vm::{Callee, CompileError, Outcome, Settings, Vm};
