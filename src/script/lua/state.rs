//! A Lua state: made, used and ended here. One thread uses it.
//!
//! **Invariants**
//! - Lua code runs in [`State::run`] only, where all that it raises is caught, and with the limit of memory enforced.
//!   All other work on the state is done without, and raises nothing.
//! - Between two calls the state's stack is empty.

use super::super::host::Host;
use super::context::{Context, allocate};
use super::interrupt::Interrupter;
use super::kept::Kept;
use super::stack::Stack;
use super::view::Guard;
use super::{compile, handler, tables};
use mlua::ffi;
use std::ffi::{CStr, c_int};
use std::fmt;
use std::ptr::NonNull;

/// A Lua state.
pub(in crate::script) struct State {
    lua: NonNull<ffi::lua_State>,
    /// The state's allocator has its address.
    context: Box<Context>,
    interrupter: Interrupter,
    handler: Kept,
    globals: Kept,
}

/// How a call has ended; the value is on top of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum Ended {
    /// It has returned it.
    Returned,
    /// It has raised it.
    Raised,
    /// There was no more memory; that is what it says.
    OutOfMemory,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("heap", &self.context.heap)
            .finish_non_exhaustive()
    }
}

impl State {
    /// A state with Lua's own library, whose values may take `limit` bytes.
    pub(in crate::script) fn new(limit: usize) -> Self {
        let context = Box::new(Context::new(limit));
        let opened = context.heap.without_limit(|| {
            // SAFETY: the allocator is given what it expects, which outlives the state, as it is in the same struct.
            let lua = NonNull::new(unsafe { ffi::lua_newstate(allocate, (&raw const *context).cast_mut().cast()) });
            lua.inspect(|&lua| open_library(lua))
        });
        let Some(lua) = opened else {
            std::alloc::handle_alloc_error(std::alloc::Layout::new::<usize>());
        };
        context.main.set(lua.as_ptr());
        // SAFETY: `Drop` ends the interrupter before the state.
        let interrupter = unsafe { Interrupter::new(lua.as_ptr()) };
        let (handler, globals) = (Kept(0), Kept(0));
        let mut state = Self {
            lua,
            context,
            interrupter,
            handler,
            globals,
        };
        state.handler = state.with_stack(|stack| {
            stack.push_native(handler::describe, 0);
            stack.keep()
        });
        state.globals = state.with_stack(|stack| {
            // SAFETY: the state is ours.
            unsafe { ffi::lua_pushvalue(stack.lua(), ffi::LUA_GLOBALSINDEX) };
            stack.keep()
        });
        state
    }

    pub(in crate::script) fn context(&self) -> &Context {
        &self.context
    }

    pub(in crate::script) fn interrupter(&self) -> &Interrupter {
        &self.interrupter
    }

    /// Does `work` on the empty stack, which is emptied afterwards.
    pub(in crate::script) fn with_stack<R>(&self, work: impl FnOnce(&mut Stack<'_>) -> R) -> R {
        self.context.heap.without_limit(|| {
            // SAFETY: the state is ours, nothing is refused, and no Lua code runs meanwhile.
            let mut stack = unsafe { Stack::new(self.lua.as_ptr(), &self.context) };
            let result = work(&mut stack);
            // SAFETY: as above.
            unsafe { ffi::lua_settop(self.lua.as_ptr(), 0) };
            result
        })
    }

    /// Pushes what is kept.
    pub(in crate::script) fn push_kept(&self, stack: &mut Stack<'_>, kept: &Kept) {
        stack.get_element(ffi::LUA_REGISTRYINDEX, kept.0);
    }

    /// Lets go of what was kept.
    pub(in crate::script) fn let_go(&self, kept: Kept) {
        // SAFETY: the state is ours; the slot becomes free for another.
        self.with_stack(|stack| unsafe { ffi::luaL_unref(stack.lua(), ffi::LUA_REGISTRYINDEX, kept.0) });
    }

    /// Pushes the table of all globals itself, which no script has.
    pub(in crate::script) fn push_globals(&self, stack: &mut Stack<'_>) {
        self.push_kept(stack, &self.globals);
    }

    /// Pops a table: the globals of all code compiled from now on.
    pub(in crate::script) fn set_globals(&self, stack: &mut Stack<'_>) {
        // SAFETY: the state is ours.
        unsafe { ffi::lua_replace(stack.lua(), ffi::LUA_GLOBALSINDEX) };
    }

    /// Compiles: pushes the function, or else a message (`false`).
    pub(in crate::script) fn compile(&self, stack: &mut Stack<'_>, source: &[u8], name: &CStr) -> bool {
        // No script runs that could be stopped.
        stack.compile(source, name).unwrap_or(false)
    }

    /// Calls the function that lies below its `arguments` on the stack, which both are popped; its one result, or its
    /// error, is pushed.
    pub(in crate::script) fn run(&self, stack: &mut Stack<'_>, arguments: c_int, host: &mut dyn Host) -> Ended {
        self.push_kept(stack, &self.handler);
        let below = stack.top() - arguments - 1;
        // SAFETY: the state is ours; all that the call raises is caught.
        unsafe { ffi::lua_insert(stack.lua(), below) };
        let status = self.context.with_host(host, || {
            // SAFETY: as above.
            self.context
                .heap
                .with_limit(|| unsafe { ffi::lua_pcall(stack.lua(), arguments, 1, below) })
        });
        self.disarm();
        // SAFETY: as above.
        unsafe { ffi::lua_remove(stack.lua(), below) };
        // Not each time: it has a collection begin at once.
        if self.context.is_garbage_kept.take() {
            // SAFETY: as above.
            unsafe { ffi::lua_gc(stack.lua(), ffi::LUA_GCRESTART, 0) };
        }
        if self.context.heap.used() > self.context.heap.limit() / 2 {
            stack.collect_garbage();
        }
        match status {
            ffi::LUA_OK => Ended::Returned,
            ffi::LUA_ERRMEM => Ended::OutOfMemory,
            _ => Ended::Raised,
        }
    }

    /// A script has ended: the next one does not ask.
    pub(in crate::script) fn disarm(&self) {
        if self.interrupter.is_armed() || self.context.is_stopped.get() {
            self.interrupter.disarm();
        }
    }

    /// Guards the functions of Lua's library that would go by views, and replaces those that Redis or we have
    /// otherwise.
    pub(in crate::script) fn guard_library(&self, stack: &mut Stack<'_>, globals: c_int) {
        use Guard::{Refuse, SeeThrough};
        for (name, guard) in [("rawset", Refuse), ("setmetatable", Refuse), ("rawget", SeeThrough)] {
            replace(stack, globals, name, |stack| stack.push_guarded(guard));
        }
        stack.get_field(globals, "next");
        stack.push_copy(-1);
        stack.push_guarded(SeeThrough);
        stack.push_copy(-1);
        stack.set_field(globals, "next");
        stack.push_pairs();
        stack.set_field(globals, "pairs");
        replace(stack, globals, "getmetatable", |stack| stack.push_getmetatable());
        stack.get_field(globals, "table");
        let table = stack.top();
        for (name, function) in tables::FUNCTIONS {
            // SAFETY: the state is ours, nothing is refused.
            unsafe { ffi::lua_pushcclosure(stack.lua(), function, 0) };
            stack.set_field(table, name);
        }
        replace(stack, table, "insert", |stack| stack.push_guarded(Refuse));
        replace(stack, table, "foreach", |stack| stack.push_guarded(SeeThrough));
        stack.get_field(globals, "coroutine");
        replace(stack, table + 1, "create", |stack| stack.push_interruptible());
        replace(stack, table + 1, "wrap", |stack| stack.push_interruptible());
        stack.pop(2);
        stack.push_native(compile::load_string, 0);
        // SAFETY: the state is ours, nothing is refused.
        unsafe {
            ffi::lua_pushcclosure(stack.lua(), compile::load, 1);
            stack.set_field(globals, "load");
            ffi::lua_pushcclosure(stack.lua(), handler::pcall, 0);
            stack.set_field(globals, "pcall");
            ffi::lua_pushcclosure(stack.lua(), handler::xpcall, 0);
            stack.set_field(globals, "xpcall");
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.interrupter.end();
        // SAFETY: nobody uses the state any more; its context lives until after this.
        self.context
            .heap
            .without_limit(|| unsafe { ffi::lua_close(self.lua.as_ptr()) });
    }
}

impl Stack<'_> {
    /// Pops the value on top and keeps it.
    pub(in crate::script) fn keep(&mut self) -> Kept {
        // SAFETY: the state is ours, nothing is refused.
        Kept(unsafe { ffi::luaL_ref(self.lua(), ffi::LUA_REGISTRYINDEX) })
    }
}

fn replace(stack: &mut Stack<'_>, table: c_int, name: &str, wrap: impl FnOnce(&mut Stack<'_>)) {
    stack.get_field(table, name);
    wrap(stack);
    stack.set_field(table, name);
}

/// Lua's own library: all of it but `io`, `package` and `debug`.
fn open_library(lua: NonNull<ffi::lua_State>) {
    let lua = lua.as_ptr();
    for open in [
        ffi::luaopen_base as ffi::lua_CFunction,
        ffi::luaopen_table,
        ffi::luaopen_string,
        ffi::luaopen_math,
        ffi::luaopen_os,
    ] {
        // SAFETY: the state is new, nothing is refused, and opening the library raises nothing else.
        unsafe {
            ffi::lua_pushcclosure(lua, open, 0);
            ffi::lua_pushstring_(lua, c"".as_ptr());
            ffi::lua_call(lua, 1, 0);
        }
    }
    // SAFETY: as above.
    unsafe { ffi::lua_settop(lua, 0) };
}
