//! What belongs to a Lua state beside its values: its memory and the host of the running script.
//!
//! **Invariants**
//! - The context outlives the state, and stays where it is: the state's allocator has its address.
//! - It is shared, never borrowed mutably: Lua may allocate, and so come here, in the middle of anything.

use super::super::host::{Host, Stop};
use super::super::libs::cjson::Instances;
use super::super::loading::Loading;
use super::random::Random;
use crate::resp::{OwnedRequest, Proto};
use mlua::ffi;
use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::{self, NonNull};

/// Lua's objects are no more demanding than this.
const ALIGN: usize = 16;

/// The memory of a state: how much there is, and may be.
#[derive(Debug, Default)]
pub(in crate::script) struct Heap {
    used: Cell<usize>,
    limit: Cell<usize>,
    /// Whether the limit is not enforced at the moment: see [`Heap::without_limit`].
    is_open: Cell<bool>,
}

impl Heap {
    /// Bytes that Lua's objects take.
    pub(in crate::script) fn used(&self) -> usize {
        self.used.get()
    }

    /// Bytes that they may take.
    pub(in crate::script) fn limit(&self) -> usize {
        self.limit.get()
    }

    /// Bytes that they may take beside those that they take.
    pub(in crate::script) fn room(&self) -> usize {
        self.limit.get().saturating_sub(self.used.get())
    }

    /// How many they may take from now on.
    pub(in crate::script) fn set_limit(&self, limit: usize) {
        self.limit.set(limit);
    }

    /// Whether they take more than they may.
    pub(in crate::script) fn is_over(&self) -> bool {
        self.used.get() > self.limit.get()
    }

    /// Does `work` with no allocation refused: one that is refused jumps out of whatever runs, which Rust's functions
    /// can't bear. Whoever allocates much looks at [`is_over`](Self::is_over) now and then.
    pub(super) fn without_limit<R>(&self, work: impl FnOnce() -> R) -> R {
        let was_open = self.is_open.replace(true);
        let result = work();
        self.is_open.set(was_open);
        result
    }

    /// Does `work`, which catches what Lua raises, with the limit enforced within
    /// [`without_limit`](Self::without_limit).
    pub(super) fn with_limit<R>(&self, work: impl FnOnce() -> R) -> R {
        let was_open = self.is_open.replace(false);
        let result = work();
        self.is_open.set(was_open);
        result
    }

    /// Whether a block of so many bytes would be refused now.
    pub(super) fn refuses(&self, bytes: usize) -> bool {
        !self.may_grow(0, bytes)
    }

    fn may_grow(&self, old: usize, new: usize) -> bool {
        new <= old || self.is_open.get() || (self.used.get() - old).saturating_add(new) <= self.limit.get()
    }
}

/// What belongs to a state beside its values.
pub(in crate::script) struct Context {
    pub(in crate::script) heap: Heap,
    pub(in crate::script) random: Cell<Random>,
    /// What `redis.setresp` has chosen.
    pub(in crate::script) proto: Cell<Proto>,
    /// Whether the host has said [`Stop`] to the running script.
    pub(in crate::script) is_stopped: Cell<bool>,
    /// Steps until a function of ours looks whether the script may go on: see [`Pacer`](super::Pacer).
    pub(super) steps_left: Cell<usize>,
    /// Whether the running script has stopped the collection of garbage.
    pub(super) is_garbage_kept: Cell<bool>,
    /// The state itself, not a coroutine of it.
    pub(super) main: Cell<*mut ffi::lua_State>,
    /// The library that is being loaded, if one is.
    pub(in crate::script) loading: RefCell<Option<Loading>>,
    /// The settings of `cjson`.
    pub(in crate::script) json: RefCell<Instances>,
    host: Cell<Option<NonNull<dyn Host>>>,
    /// A buffer for calls that is used again, and one for replies.
    pub(in crate::script) request: RefCell<OwnedRequest>,
    pub(in crate::script) reply: RefCell<crate::resp::Reply>,
}

impl Context {
    pub(super) fn new(limit: usize) -> Self {
        let heap = Heap::default();
        heap.set_limit(limit);
        Self {
            heap,
            random: Cell::new(Random::default()),
            proto: Cell::new(Proto::Resp2),
            is_stopped: Cell::new(false),
            steps_left: Cell::new(0),
            is_garbage_kept: Cell::new(false),
            main: Cell::new(ptr::null_mut()),
            loading: RefCell::default(),
            json: RefCell::default(),
            host: Cell::new(None),
            request: RefCell::default(),
            reply: RefCell::new(crate::resp::Reply::new(Proto::Resp2)),
        }
    }

    /// The context of a state.
    ///
    /// # Safety
    /// `lua` was made by [`State::new`](super::State::new) and has not been closed.
    pub(super) unsafe fn of<'a>(lua: *mut ffi::lua_State) -> &'a Self {
        let mut context: *mut c_void = ptr::null_mut();
        // SAFETY: the state lives; its allocator was given the address of its context, which outlives it.
        unsafe {
            ffi::lua_getallocf(lua, &raw mut context);
            &*context.cast::<Self>()
        }
    }

    /// Has `host` serve the script that `work` runs.
    pub(in crate::script) fn with_host<R>(&self, host: &mut dyn Host, work: impl FnOnce() -> R) -> R {
        // SAFETY: only the lifetime changes; the pointer is gone from here before `host` ends, and `panic = "abort"`
        // leaves no other way out of `work`.
        let host: NonNull<dyn Host> = unsafe { std::mem::transmute(NonNull::from(host)) };
        let outer = self.host.replace(Some(host));
        self.is_stopped.set(false);
        let result = work();
        self.host.set(outer);
        result
    }

    /// Whether a script runs.
    pub(super) fn has_host(&self) -> bool {
        self.host.get().is_some()
    }

    /// Asks the host. Without one, nothing may be done. After a [`Stop`] it is asked no more.
    pub(in crate::script) fn ask<R>(&self, ask: impl FnOnce(&mut dyn Host) -> Result<R, Stop>) -> Result<R, Stop> {
        if self.is_stopped.get() {
            return Err(Stop);
        }
        // Taken meanwhile, so that there is one reference to it at most.
        let Some(mut host) = self.host.take() else {
            return Err(Stop);
        };
        // SAFETY: set by `with_host`, whose borrow lasts; taken, so nobody else has it.
        let result = ask(unsafe { host.as_mut() });
        self.host.set(Some(host));
        if result.is_err() {
            self.is_stopped.set(true);
        }
        result
    }
}

/// Lua's allocator: gets, changes and frees its blocks, within the limit.
///
/// # Safety
/// As Lua calls it: `context` is what the state was made with, `block` is null or came from here with `old` bytes.
pub(super) unsafe extern "C" fn allocate(
    context: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: the state was made with the address of its context, which outlives it.
    let heap = unsafe { &(*context.cast::<Context>()).heap };
    let old = if block.is_null() { 0 } else { old };
    if !heap.may_grow(old, new) {
        return ptr::null_mut();
    }
    let (Ok(old_layout), Ok(new_layout)) = (Layout::from_size_align(old, ALIGN), Layout::from_size_align(new, ALIGN))
    else {
        return ptr::null_mut();
    };
    // SAFETY: sizes are not 0 where the allocator forbids it; `block` was allocated here with `old_layout`.
    let moved = unsafe {
        match (old, new) {
            (0, 0) => return ptr::null_mut(),
            (0, _) => std::alloc::alloc(new_layout),
            (_, 0) => {
                std::alloc::dealloc(block.cast(), old_layout);
                ptr::null_mut()
            }
            (_, _) => std::alloc::realloc(block.cast(), old_layout, new),
        }
    };
    if moved.is_null() && new > 0 {
        std::alloc::handle_alloc_error(new_layout);
    }
    heap.used.set(heap.used.get() - old + new);
    moved.cast()
}
