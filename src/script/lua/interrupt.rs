//! How a running script is interrupted: a hook, set when there is reason to ask the host, and not before.
//!
//! Lua looks at each instruction whether a hook is set; one that is costs as little until it is. A coroutine has a hook of
//! its own from the start, as nobody else can find it; it asks rarely.

use super::context::Context;
use super::stack::Stack;
use mlua::ffi;
use parking_lot::Mutex;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// Instructions between two questions of an interrupted script.
const ASK_EVERY: c_int = 1_000;
/// And of a coroutine.
const COROUTINE_ASKS_EVERY: c_int = 10_000;

/// Interrupts the scripts of one [`Vm`](super::super::Vm), from any thread.
#[derive(Clone, Debug)]
pub struct Interrupter {
    state: Arc<Mutex<Option<Address>>>,
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
        }
    }

    /// Has the running script, if there is one, ask its host now and then whether it may go on. Ask again while there is
    /// reason to: a script that has just begun does not know.
    pub fn arm(&self) {
        if let Some(Address(lua)) = &*self.state.lock() {
            // SAFETY: the state lives as long as its address is there. `lua_sethook` writes four words that Lua reads one
            // by one at its next instructions; it is made to be called at any moment.
            unsafe { ffi::lua_sethook(*lua, Some(ask), ffi::LUA_MASKCOUNT, ASK_EVERY) };
        }
    }

    /// The next script does not ask.
    pub(super) fn disarm(&self) {
        if let Some(Address(lua)) = &*self.state.lock() {
            // SAFETY: as in `arm`.
            unsafe { ffi::lua_sethook(*lua, None, 0, 0) };
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

/// The hook: asks the host. A script that may not go on asks at each instruction from then on, so that none of its
/// `pcall`s can hold it.
///
/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn ask(lua: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua has called, and one of our states; what is dropped is dropped before the jump.
    unsafe {
        let context = Context::of(lua);
        if context.ask(|host| host.interrupt()).is_ok() {
            return;
        }
        for state in [lua, context.main.get()] {
            ffi::lua_sethook(state, Some(ask), ffi::LUA_MASKCOUNT, 1);
        }
        ffi::lua_pushstring_(lua, c"ERR the script was stopped".as_ptr());
        ffi::lua_error(lua);
    }
}
