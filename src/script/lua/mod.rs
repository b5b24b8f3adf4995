//! Lua 5.1, as far as it needs unsafe code: states, their memory, functions of ours, interrupts. All else of
//! [`script`](super) is safe code on top of [`Stack`].

mod compile;
mod context;
mod garbage;
mod handler;
mod interrupt;
mod kept;
mod native;
mod printf;
mod raise;
mod random;
mod sort;
mod stack;
mod state;
mod steps;
mod tables;
mod view;

pub(super) use compile::load_string;
pub(super) use garbage::collect_garbage;
pub use interrupt::Interrupter;
pub(super) use interrupt::Pacer;
pub(super) use kept::Kept;
pub(super) use native::Native;
pub(super) use printf::{Printed, print};
pub(super) use raise::{NO_MEMORY, Raise};
pub(super) use random::{DRAWN_MAX, Random};
pub(super) use stack::{Kind, Stack};
pub(super) use state::{Ended, State};
pub(super) use steps::{Buffer, Next, Steps};
