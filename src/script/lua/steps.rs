//! Functions of ours that have Lua call other functions in between, and the buffers in which they gather what they
//! make.
//!
//! Lua may leave such a call by a jump, so nothing of Rust's that has to be dropped may wait for it. So the function is
//! a row of steps: each is plain Rust, like a [`Native`](super::Native), and ends before Lua calls. What goes on from
//! step to step is `Copy`, or a value on Lua's stack.

use super::context::Context;
use super::interrupt::spend;
use super::raise::Raise;
use super::stack::Stack;
use mlua::ffi;
use std::ffi::c_int;
use std::ptr;

/// What one call of another function costs at least, in steps.
const CALL_STEPS: usize = 10;
/// The least that a buffer has room for.
const BUFFER_BYTES_MIN: usize = 256;

/// What a step asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum Next {
    /// The function below so many arguments on top is called; then one result is there.
    Call(c_int),
    /// The key on top is looked up in the value at this index, by its metamethods, too; then the value is there.
    Index(c_int),
    /// So many results are on top.
    Done(c_int),
}

/// A function that goes in steps. Its arguments stay where they are; after the first step something else may be where
/// one was not given.
pub(in crate::script) trait Steps: Copy + Default {
    /// Goes one step. What it has pushed stays there for the next.
    ///
    /// # Errors
    /// What the function raises.
    fn step(&mut self, stack: &mut Stack<'_>) -> Result<Next, Raise>;
}

/// Bytes that are gathered in a value of Lua's on the stack: it counts as memory of the script's, and is garbage when
/// the function is left, in whatever way.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::script) struct Buffer {
    at: c_int,
    used: usize,
}

impl Buffer {
    /// Makes an empty one and pushes it.
    pub(in crate::script) fn push(stack: &mut Stack<'_>) -> Self {
        stack.push_nil();
        Self {
            at: stack.top(),
            used: 0,
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// If there is no more memory.
    pub(in crate::script) fn add(&mut self, stack: &mut Stack<'_>, bytes: &[u8]) -> Result<(), Raise> {
        let needed = self.used.checked_add(bytes.len()).ok_or(Raise::Memory)?;
        self.grow(stack, needed)?;
        // SAFETY: the buffer has room for `needed` bytes, and is not where `bytes` are, which Rust has borrowed.
        unsafe {
            let to = ffi::lua_touserdata(stack.lua(), self.at).cast::<u8>();
            ptr::copy_nonoverlapping(bytes.as_ptr(), to.add(self.used), bytes.len());
        }
        self.used = needed;
        Ok(())
    }

    /// Pops the topmost value, a string or a number, and adds its bytes. Whether it was one.
    ///
    /// # Errors
    /// If there is no more memory.
    pub(in crate::script) fn add_top(&mut self, stack: &mut Stack<'_>) -> Result<bool, Raise> {
        let Some(text) = stack.top_text() else {
            return Ok(false);
        };
        let (from, len) = (text.as_ptr(), text.len());
        let needed = self.used.checked_add(len).ok_or(Raise::Memory)?;
        self.grow(stack, needed)?;
        // SAFETY: as `add`; the string is still on the stack.
        unsafe {
            let to = ffi::lua_touserdata(stack.lua(), self.at).cast::<u8>();
            ptr::copy_nonoverlapping(from, to.add(self.used), len);
        }
        self.used = needed;
        stack.pop(1);
        Ok(true)
    }

    /// Pushes all of it as a string.
    ///
    /// # Errors
    /// If there is no more memory.
    pub(in crate::script) fn push_all(self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        stack.make_room(self.used)?;
        // SAFETY: the buffer has `used` bytes; they are copied.
        unsafe { ffi::lua_pushlstring_(stack.lua(), self.bytes(stack), self.used) };
        Ok(())
    }

    fn bytes(self, stack: &Stack<'_>) -> *const std::ffi::c_char {
        // SAFETY: as `Stack::new`.
        let bytes = unsafe { ffi::lua_touserdata(stack.lua(), self.at) };
        if bytes.is_null() { c"".as_ptr() } else { bytes.cast() }
    }

    /// Makes room for so many bytes.
    fn grow(self, stack: &mut Stack<'_>, needed: usize) -> Result<(), Raise> {
        let room = stack.len(self.at);
        if needed <= room && room > 0 {
            return Ok(());
        }
        let bytes = needed.max(room.saturating_mul(2)).max(BUFFER_BYTES_MIN);
        stack.make_room(bytes)?;
        // SAFETY: as `Stack::new`; both buffers are on the stack while one is copied to the other.
        unsafe {
            let new = ffi::lua_newuserdata(stack.lua(), bytes).cast::<u8>();
            ptr::copy_nonoverlapping(self.bytes(stack).cast::<u8>(), new, self.used);
            ffi::lua_replace(stack.lua(), self.at);
        }
        Ok(())
    }
}

impl Stack<'_> {
    /// Pushes a function that goes in steps.
    pub(in crate::script) fn push_steps<S: Steps>(&mut self) {
        // SAFETY: as `Stack::new`.
        unsafe { ffi::lua_pushcclosure(self.lua(), drive::<S>, 0) }
    }
}

/// What Lua calls.
///
/// # Safety
/// Called by Lua only. Nothing here has to be dropped when Lua jumps: `S` is `Copy`.
unsafe extern "C-unwind" fn drive<S: Steps>(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called; each step leaves on the stack what it says.
    unsafe {
        let context = Context::of(lua);
        let arguments = ffi::lua_gettop(lua);
        let mut work = S::default();
        loop {
            match step(lua, context, arguments, &mut work) {
                Some(Next::Call(arguments)) => ffi::lua_call(lua, arguments, 1),
                Some(Next::Index(table)) => ffi::lua_gettable_(lua, table),
                Some(Next::Done(results)) => return results,
                None => ffi::lua_error(lua),
            }
            spend(lua, context, CALL_STEPS);
        }
    }
}

/// Goes one step; `None`: an error is on top.
///
/// # Safety
/// `lua` is one of ours, with so many `arguments`.
unsafe fn step<S: Steps>(lua: *mut ffi::lua_State, context: &Context, arguments: c_int, work: &mut S) -> Option<Next> {
    context.heap.without_limit(|| {
        // SAFETY: no allocation is refused; Lua waits for us.
        let mut stack = unsafe { Stack::with_arguments(lua, context, arguments) };
        let next = work
            .step(&mut stack)
            .and_then(|next| stack.check_memory().map(|()| next));
        next.map_err(|raise| raise.push(&mut stack)).ok()
    })
}
