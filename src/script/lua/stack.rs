//! The stack of values through which a function of ours and Lua talk, without ways to jump out of Rust.
//!
//! **Invariants**
//! - No method calls what Lua may leave by a jump: access to tables is raw, no metamethod runs, and memory is not
//!   refused (see [`Heap::without_limit`](super::context::Heap)). So functions that use it may hold what has to be
//!   dropped.
//! - What lies below `floor`, the arguments, is neither popped nor changed: their bytes can be borrowed for as long as
//!   the call lasts.

use super::context::Context;
use super::raise::Raise;
use mlua::ffi;
use std::ffi::{CStr, c_int};

/// The types of Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum Kind {
    /// No such argument.
    None,
    Nil,
    Boolean,
    LightUserData,
    Number,
    String,
    Table,
    Function,
    UserData,
    Thread,
}

impl Kind {
    /// As scripts know it.
    pub(in crate::script) const fn name(self) -> &'static str {
        match self {
            Self::None => "no value",
            Self::Nil => "nil",
            Self::Boolean => "boolean",
            Self::LightUserData | Self::UserData => "userdata",
            Self::Number => "number",
            Self::String => "string",
            Self::Table => "table",
            Self::Function => "function",
            Self::Thread => "thread",
        }
    }
}

/// A place in a script, or a function of ours.
pub(super) struct Place {
    pub(super) source: Vec<u8>,
    pub(super) line: c_int,
    pub(super) is_ours: bool,
}

/// The stack of one call. Indices are Lua's: from 1 up, or from -1 down.
pub(in crate::script) struct Stack<'a> {
    lua: *mut ffi::lua_State,
    context: &'a Context,
    floor: c_int,
}

impl<'a> Stack<'a> {
    /// The stack of `lua`, whose present values are the arguments.
    ///
    /// # Safety
    /// `lua` was made by [`State::new`](super::State::new), lives, has an allocator that refuses nothing now, and runs
    /// nothing else until the stack is gone.
    pub(super) unsafe fn new(lua: *mut ffi::lua_State, context: &'a Context) -> Self {
        // SAFETY: the state lives.
        let floor = unsafe { ffi::lua_gettop(lua) };
        // SAFETY: as the caller says.
        unsafe { Self::with_arguments(lua, context, floor) }
    }

    /// The stack of `lua`, whose `floor` lowest values are the arguments.
    ///
    /// # Safety
    /// As [`new`](Self::new).
    pub(super) const unsafe fn with_arguments(lua: *mut ffi::lua_State, context: &'a Context, floor: c_int) -> Self {
        Self { lua, context, floor }
    }

    pub(super) const fn lua(&self) -> *mut ffi::lua_State {
        self.lua
    }

    pub(in crate::script) const fn context(&self) -> &'a Context {
        self.context
    }

    /// How many values there are.
    pub(in crate::script) fn top(&self) -> c_int {
        // SAFETY: as `new`.
        unsafe { ffi::lua_gettop(self.lua) }
    }

    /// How many arguments there are.
    pub(in crate::script) const fn arguments(&self) -> c_int {
        self.floor
    }

    /// Makes room for `more` values.
    pub(in crate::script) fn reserve(&mut self, more: c_int) -> Result<(), Raise> {
        // SAFETY: as `new`.
        match unsafe { ffi::lua_checkstack(self.lua, more) } {
            0 => Err(Raise::here("stack overflow")),
            _ => Ok(()),
        }
    }

    /// A step of work that may take many; fails if Lua holds more than it may, or the script may not go on.
    pub(in crate::script) fn check_memory(&mut self) -> Result<(), Raise> {
        self.pacer().spend(1)?;
        if !self.context.heap.is_over() {
            return Ok(());
        }
        self.collect_garbage();
        if self.context.heap.is_over() {
            Err(Raise::Memory)
        } else {
            Ok(())
        }
    }

    /// Fails if so many bytes more are more than there may be.
    pub(in crate::script) fn make_room(&mut self, bytes: usize) -> Result<(), Raise> {
        if bytes <= self.context.heap.room() {
            return Ok(());
        }
        self.collect_garbage();
        if bytes <= self.context.heap.room() {
            Ok(())
        } else {
            Err(Raise::Memory)
        }
    }

    /// Frees what nobody reaches any more.
    pub(in crate::script) fn collect_garbage(&self) {
        // SAFETY: as `new`; no finalizer of a script's exists (`newproxy` is not offered),
        // and what is on the stack stays.
        unsafe { ffi::lua_gc(self.lua, ffi::LUA_GCCOLLECT, 0) };
    }

    pub(in crate::script) fn kind(&self, at: c_int) -> Kind {
        // SAFETY: as `new`; any index may be asked for.
        match unsafe { ffi::lua_type(self.lua, at) } {
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Kind::LightUserData,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            ffi::LUA_TUSERDATA => Kind::UserData,
            ffi::LUA_TTHREAD => Kind::Thread,
            _ => Kind::None,
        }
    }

    /// Everything but nil and false is true.
    pub(in crate::script) fn truth(&self, at: c_int) -> bool {
        // SAFETY: as `new`.
        unsafe { ffi::lua_toboolean(self.lua, at) != 0 }
    }

    /// A number, or a string that is one.
    pub(in crate::script) fn number(&self, at: c_int) -> Option<f64> {
        // SAFETY: as `new`.
        unsafe { (ffi::lua_isnumber(self.lua, at) != 0).then(|| ffi::lua_tonumber(self.lua, at)) }
    }

    /// The bytes of a string (not of a number).
    pub(in crate::script) fn string(&self, at: c_int) -> Option<&[u8]> {
        (self.kind(at) == Kind::String).then(|| self.text(at))
    }

    /// The bytes of the topmost value, a string or a number, which becomes a string and is none of the arguments.
    pub(in crate::script) fn top_text(&self) -> Option<&[u8]> {
        let is_text = matches!(self.kind(-1), Kind::String | Kind::Number) && self.top() > self.floor;
        is_text.then(|| self.text(-1))
    }

    /// The bytes of a string that the running function keeps: see [`kept`](Self::kept).
    pub(in crate::script) fn kept_text(&self, n: c_int) -> Option<&'a [u8]> {
        let text = self.string(Self::kept(n));
        // SAFETY: a function keeps its values while it runs; `set_kept` replaces numbers only.
        text.map(|text| unsafe { std::mem::transmute::<&[u8], &'a [u8]>(text) })
    }

    /// Has the running function keep another number.
    pub(in crate::script) fn set_kept(&mut self, n: c_int, number: f64) {
        if self.kind(Self::kept(n)) == Kind::Number {
            self.push_number(number);
            // SAFETY: as `new`; the function keeps a number there.
            unsafe { ffi::lua_replace(self.lua, Self::kept(n)) }
        }
    }

    /// The bytes of the argument `at`, a string or a number, which becomes a string.
    pub(in crate::script) fn argument_text(&self, at: c_int) -> Option<&'a [u8]> {
        let is_text = matches!(self.kind(at), Kind::String | Kind::Number) && (1..=self.floor).contains(&at);
        // SAFETY: arguments stay where they are for the call, and what is on the stack is not freed.
        is_text.then(|| unsafe { std::mem::transmute::<&[u8], &'a [u8]>(self.text(at)) })
    }

    fn text(&self, at: c_int) -> &[u8] {
        let mut len = 0;
        // SAFETY: the value is a string or number; its bytes stay as long as it is on the stack, which takes `&mut`.
        unsafe {
            let bytes = ffi::lua_tolstring(self.lua, at, &raw mut len);
            if bytes.is_null() {
                &[]
            } else {
                std::slice::from_raw_parts(bytes.cast(), len)
            }
        }
    }

    /// What tells a table, function or userdata from all others that live.
    pub(in crate::script) fn address(&self, at: c_int) -> usize {
        // SAFETY: as `new`.
        unsafe { ffi::lua_topointer(self.lua, at).addr() }
    }

    /// The length as `#` gives it for a table without metamethods, or a string.
    pub(in crate::script) fn len(&self, at: c_int) -> usize {
        // SAFETY: as `new`.
        unsafe { ffi::lua_objlen(self.lua, at) }
    }

    pub(in crate::script) fn push_nil(&mut self) {
        // SAFETY: as `new`.
        unsafe { ffi::lua_pushnil(self.lua) }
    }

    pub(in crate::script) fn push_boolean(&mut self, value: bool) {
        // SAFETY: as `new`.
        unsafe { ffi::lua_pushboolean(self.lua, value.into()) }
    }

    pub(in crate::script) fn push_number(&mut self, value: f64) {
        // SAFETY: as `new`.
        unsafe { ffi::lua_pushnumber(self.lua, value) }
    }

    pub(in crate::script) fn push_string(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        // SAFETY: as `new`; the bytes are copied.
        unsafe { ffi::lua_pushlstring_(self.lua, bytes.as_ptr().cast(), bytes.len()) }
    }

    /// A string of a script's making: fails if it is more than there may be.
    pub(in crate::script) fn push_text(&mut self, bytes: &[u8]) -> Result<(), Raise> {
        self.make_room(bytes.len())?;
        self.push_string(bytes);
        Ok(())
    }

    /// A userdata that is nothing but an address: `cjson.null` is 0.
    pub(in crate::script) fn push_null(&mut self) {
        // SAFETY: as `new`.
        unsafe { ffi::lua_pushlightuserdata(self.lua, std::ptr::null_mut()) }
    }

    /// Whether the value is what [`push_null`](Self::push_null) pushes.
    pub(in crate::script) fn is_null(&self, at: c_int) -> bool {
        // SAFETY: as `new`.
        self.kind(at) == Kind::LightUserData && unsafe { ffi::lua_touserdata(self.lua, at) }.is_null()
    }

    /// A new table, with room for so many elements and fields.
    pub(in crate::script) fn push_table(&mut self, elements: c_int, fields: c_int) {
        // SAFETY: as `new`.
        unsafe { ffi::lua_createtable(self.lua, elements, fields) }
    }

    /// A copy of a value.
    pub(in crate::script) fn push_copy(&mut self, at: c_int) {
        // SAFETY: as `new`.
        unsafe { ffi::lua_pushvalue(self.lua, at) }
    }

    /// Exchanges the two topmost values.
    pub(in crate::script) fn swap(&mut self) {
        // SAFETY: as `new`.
        unsafe { ffi::lua_insert(self.lua, -2) }
    }

    /// Pops what was pushed.
    pub(in crate::script) fn pop(&mut self, n: c_int) {
        let top = (self.top() - n).max(self.floor);
        // SAFETY: as `new`; not below the arguments.
        unsafe { ffi::lua_settop(self.lua, top) }
    }

    /// Pushes `table[key]` for the element `key`.
    pub(in crate::script) fn get_element(&mut self, table: c_int, key: c_int) -> Kind {
        // SAFETY: as `new`; raw access.
        unsafe { ffi::lua_rawgeti_(self.lua, table, key) };
        self.kind(-1)
    }

    /// Pops a value and makes it `table[key]`.
    pub(in crate::script) fn set_element(&mut self, table: c_int, key: c_int) {
        // SAFETY: as `new`; raw access.
        unsafe { ffi::lua_rawseti_(self.lua, table, key) }
    }

    /// Pushes `table[name]`.
    pub(in crate::script) fn get_field(&mut self, table: c_int, name: &str) -> Kind {
        self.push_string(name);
        let table = if table < 0 { table - 1 } else { table };
        // SAFETY: as `new`; raw access.
        unsafe { ffi::lua_rawget_(self.lua, table) };
        self.kind(-1)
    }

    /// Pops a value and makes it `table[name]`.
    pub(in crate::script) fn set_field(&mut self, table: c_int, name: impl AsRef<[u8]>) {
        self.push_string(name);
        // SAFETY: as `new`; the key goes below the value; raw access.
        unsafe {
            ffi::lua_insert(self.lua, -2);
            ffi::lua_rawset(self.lua, if table < 0 { table - 1 } else { table });
        }
    }

    /// Pops a value and a key below it and puts them into `table`, unless the key is nil or NaN, which no table can
    /// have.
    pub(in crate::script) fn set_pair(&mut self, table: c_int) {
        let is_nan = self.kind(-2) == Kind::Number && self.number(-2).is_none_or(f64::is_nan);
        if is_nan || self.kind(-2) == Kind::Nil {
            return self.pop(2);
        }
        // SAFETY: as `new`; raw access.
        unsafe { ffi::lua_rawset(self.lua, table) }
    }

    /// Pops a key and pushes the next one with its value, or nothing at the end: `false`. Begin with nil. The table
    /// must not be changed meanwhile, nor the key be made a string.
    pub(in crate::script) fn next(&mut self, table: c_int) -> bool {
        // SAFETY: as `new`; the key is in the table, as the caller has it from here.
        unsafe { ffi::lua_next(self.lua, table) != 0 }
    }

    /// Pops a table and makes it the metatable of `table`.
    pub(in crate::script) fn set_metatable(&mut self, table: c_int) {
        // SAFETY: as `new`.
        unsafe { ffi::lua_setmetatable(self.lua, table) };
    }

    /// Pushes the metatable of a value, if it has one.
    pub(in crate::script) fn get_metatable(&mut self, at: c_int) -> bool {
        // SAFETY: as `new`.
        unsafe { ffi::lua_getmetatable(self.lua, at) != 0 }
    }

    /// The index of what the running function has kept: see [`native`](super::native).
    pub(in crate::script) const fn kept(n: c_int) -> c_int {
        ffi::lua_upvalueindex(n + 1)
    }

    /// Pops a value and puts it at `at`, which is none of the arguments.
    pub(in crate::script) fn replace(&mut self, at: c_int) {
        if at > self.floor && at < self.top() {
            // SAFETY: as `new`; not one of the arguments.
            unsafe { ffi::lua_replace(self.lua, at) }
        }
    }

    /// Makes the value at `at`, which is none of the arguments, a number.
    pub(in crate::script) fn replace_number(&mut self, at: c_int, number: f64) {
        if at > self.floor && at < self.top() {
            self.push_number(number);
            self.replace(at);
        } else if at == self.top() && at > self.floor {
            self.pop(1);
            self.push_number(number);
        }
    }

    /// The name under which the running function was called, and whether as a method.
    pub(super) fn called_as(&self) -> Option<(String, bool)> {
        // SAFETY: as `new`; the record is filled by Lua, and read at once.
        unsafe {
            let mut record: ffi::lua_Debug = std::mem::zeroed();
            if ffi::lua_getstack(self.lua, 0, &raw mut record) == 0 {
                return None;
            }
            ffi::lua_getinfo(self.lua, c"n".as_ptr(), &raw mut record);
            if record.name.is_null() {
                return Some(("?".into(), false));
            }
            let name = CStr::from_ptr(record.name).to_string_lossy().into_owned();
            Some((name, CStr::from_ptr(record.namewhat) == c"method"))
        }
    }

    /// Where the function `level` calls up is, if it is one of a script's: source and line. Its kind is `C` otherwise.
    pub(super) fn place(&self, level: c_int) -> Option<Place> {
        // SAFETY: as `new`; the record is filled by Lua, and read at once.
        unsafe {
            let mut record: ffi::lua_Debug = std::mem::zeroed();
            if ffi::lua_getstack(self.lua, level, &raw mut record) == 0 {
                return None;
            }
            ffi::lua_getinfo(self.lua, c"nSl".as_ptr(), &raw mut record);
            Some(Place {
                source: CStr::from_ptr(record.source).to_bytes().to_vec(),
                line: record.currentline,
                is_ours: CStr::from_ptr(record.what) == c"C",
            })
        }
    }

    /// Pushes where the running function was called from: `user_script:1: `.
    pub(super) fn push_where(&mut self) {
        // SAFETY: as `new`.
        unsafe { ffi::luaL_where(self.lua, 1) }
    }

    /// Joins the two topmost strings.
    pub(super) fn join(&mut self) {
        // SAFETY: as `new`; both are strings, so no metamethod runs.
        unsafe { ffi::lua_concat(self.lua, 2) }
    }
}
