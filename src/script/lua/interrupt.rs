//! How a running script is interrupted: a hook, set when there is reason to ask the host, and not before.
//!
//! Lua looks at each instruction whether a hook is set; one that is costs as little until it is. A coroutine has a hook
//! of its own from the start, as nobody else can find it; it asks rarely.
//!
//! A function that may run for long, and runs no instructions of Lua, counts its steps instead ([`Pacer`], [`spend`]),
//! and now and then looks whether there is a hook.

use super::context::Context;
use super::raise::Raise;
use super::stack::Stack;
use crate::script::host::Stop;
use mlua::ffi;
use parking_lot::Mutex;
use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Instructions between two questions of an interrupted script: few, as some call functions that take long.
const ASK_EVERY: c_int = 100;
/// And of a coroutine, which asks from its beginning.
const COROUTINE_ASKS_EVERY: c_int = 1_000;
/// Steps of functions of ours between two looks.
const LOOK_EVERY: usize = 10_000;

/// Interrupts the scripts of one [`Vm`](super::super::Vm), from any thread.
#[derive(Clone, Debug)]
pub struct Interrupter {
    state: Arc<Mutex<Option<Address>>>,
    is_armed: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Address(*mut ffi::lua_State);

// SAFETY: the pointer is used under the lock, and only to set a hook, which Lua allows at any time.
unsafe impl Send for Address {}

impl Interrupter {
    /// # Safety
    /// `lua` lives until [`end`](Self::end).
    pub(super) unsafe fn new(lua: *mut ffi::lua_State) -> Self {
        Self {
            state: Arc::new(Mutex::new(Some(Address(lua)))),
            is_armed: Arc::default(),
        }
    }

    /// Has the running script, if there is one, ask its host now and then whether it may go on. Ask again while there
    /// is reason to: a script that has just begun does not know.
    pub fn arm(&self) {
        let state = self.state.lock();
        // Set anew, the hook would begin to count anew, and might never get to its end.
        if let Some(Address(lua)) = &*state
            && !self.is_armed.load(Ordering::Relaxed)
        {
            // SAFETY: the state lives as long as its address is there. `lua_sethook` writes four words that Lua reads
            // one by one at its next instructions; it is made to be called at any moment.
            unsafe { ffi::lua_sethook(*lua, Some(ask), ffi::LUA_MASKCOUNT, ASK_EVERY) };
            self.is_armed.store(true, Ordering::Release);
        }
    }

    /// Whether scripts ask. One that is just being armed may be seen as not: then the next script is, and asks for
    /// nothing.
    pub(super) fn is_armed(&self) -> bool {
        self.is_armed.load(Ordering::Acquire)
    }

    /// The next script does not ask.
    #[cold]
    pub(super) fn disarm(&self) {
        if let Some(Address(lua)) = &*self.state.lock() {
            // SAFETY: as in `arm`.
            unsafe { ffi::lua_sethook(*lua, None, 0, 0) };
            self.is_armed.store(false, Ordering::Release);
        }
    }

    /// The state is about to end.
    pub(super) fn end(&self) {
        *self.state.lock() = None;
    }
}

impl Stack<'_> {
    /// Pops `coroutine.create` or `wrap`, and pushes it so that what it makes can be interrupted.
    pub(super) fn push_interruptible(&mut self) {
        // SAFETY: the state is ours, nothing is refused; the function goes, its address is kept.
        unsafe {
            let lua = self.lua();
            let create = ffi::lua_tocfunction(lua, -1).map_or(std::ptr::null_mut(), |create| create as *mut c_void);
            ffi::lua_settop(lua, -2);
            ffi::lua_pushlightuserdata(lua, create);
            ffi::lua_pushcclosure(lua, create_coroutine, 1);
        }
    }
}

/// # Safety
/// Called by Lua. Keeps the address of `coroutine.create` or `coroutine.wrap`.
unsafe extern "C-unwind" fn create_coroutine(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called; nothing here has to be dropped when it jumps. `wrap` keeps the coroutine in its function.
    unsafe {
        let create = ffi::lua_touserdata(lua, ffi::lua_upvalueindex(1));
        if create.is_null() {
            return 0;
        }
        let results = std::mem::transmute::<*mut c_void, ffi::lua_CFunction>(create)(lua);
        let is_wrapped = ffi::lua_iscfunction(lua, -1) != 0;
        if is_wrapped {
            ffi::lua_getupvalue(lua, -1, 1);
        }
        let coroutine = ffi::lua_tothread(lua, -1);
        if !coroutine.is_null() {
            ffi::lua_sethook(coroutine, Some(ask), ffi::LUA_MASKCOUNT, COROUTINE_ASKS_EVERY);
        }
        if is_wrapped {
            ffi::lua_settop(lua, -2);
        }
        results
    }
}

/// The hook: asks the host.
///
/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn ask(lua: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua has called, and one of our states; what is dropped is dropped before the jump.
    unsafe {
        let context = Context::of(lua);
        if may_go_on(lua, context).is_err() {
            raise_stopped(lua);
        }
    }
}

/// Asks the host. A script that may not go on asks at each instruction from then on, so that none of its `pcall`s can
/// hold it.
///
/// # Safety
/// `lua` is one of ours, and `context` its context.
unsafe fn may_go_on(lua: *mut ffi::lua_State, context: &Context) -> Result<(), Stop> {
    context.ask(|host| host.interrupt()).inspect_err(|_| {
        for state in [lua, context.main.get()] {
            // SAFETY: both live.
            unsafe { ffi::lua_sethook(state, Some(ask), ffi::LUA_MASKCOUNT, 1) };
        }
    })
}

/// # Safety
/// Lua has called, and nothing has to be dropped when it jumps.
unsafe fn raise_stopped(lua: *mut ffi::lua_State) -> ! {
    // SAFETY: as above.
    unsafe {
        ffi::lua_pushstring_(lua, c"ERR the script was stopped".as_ptr());
        ffi::lua_error(lua)
    }
}

/// What [`Pacer::spend`] is, for functions that are written like C: raises if the script has to stop.
///
/// # Safety
/// Lua has called, and nothing has to be dropped when it jumps.
#[inline]
pub(super) unsafe fn spend(lua: *mut ffi::lua_State, context: &Context, steps: usize) {
    if let Some(left) = context.steps_left.get().checked_sub(steps) {
        return context.steps_left.set(left);
    }
    // SAFETY: as above.
    unsafe {
        if look(lua, context).is_err() {
            raise_stopped(lua);
        }
    }
}

/// # Safety
/// As [`may_go_on`].
#[cold]
unsafe fn look(lua: *mut ffi::lua_State, context: &Context) -> Result<(), Stop> {
    context.steps_left.set(LOOK_EVERY);
    // SAFETY: both states live; a word that another thread may be setting is read as Lua reads it.
    unsafe {
        if ffi::lua_gethookmask(context.main.get()) == 0 || !context.has_host() {
            return Ok(());
        }
        may_go_on(lua, context)
    }
}

/// Counts what a function does, in steps of some nanoseconds, and asks now and then whether the script may go on, if
/// there is reason to. Steps are counted across functions, so that many short calls count, too.
pub(in crate::script) struct Pacer<'a> {
    lua: *mut ffi::lua_State,
    context: &'a Context,
    left: usize,
}

impl Pacer<'_> {
    /// Counts steps that were done or are about to be.
    #[inline]
    pub(in crate::script) fn spend(&mut self, steps: usize) -> Result<(), Raise> {
        if let Some(left) = self.left.checked_sub(steps) {
            self.left = left;
            return Ok(());
        }
        // SAFETY: the state lives as long as the call that the pacer was made in.
        let looked = unsafe { look(self.lua, self.context) };
        self.left = self.context.steps_left.get();
        looked.map_err(|Stop| Raise::Stopped)
    }
}

impl Drop for Pacer<'_> {
    fn drop(&mut self) {
        self.context.steps_left.set(self.left);
    }
}

impl<'a> Stack<'a> {
    /// Counts what the running function does.
    pub(in crate::script) fn pacer(&self) -> Pacer<'a> {
        Pacer {
            lua: self.lua(),
            context: self.context(),
            left: self.context().steps_left.get(),
        }
    }
}
