//! `table.sort`.
//!
//! Lua's sort is not stable, and with a function that is no order its outcome depends on what is compared with what. So
//! this one compares the same elements in the same order: a quicksort with the median of three, the smaller part first.
//!
//! What is here is written like C, and holds nothing that has to be dropped: comparing may call a script's function,
//! and Lua may jump out of it.

use super::context::Context;
use super::interrupt::spend;
use mlua::ffi;
use std::ffi::c_int;

/// The table's place on the stack, and that of the function.
const TABLE: c_int = 1;
const ORDER: c_int = 2;
/// What a comparison costs at least.
const COMPARISON_STEPS: usize = 5;
/// Bytes of two strings that are compared in one step. Where there are many NULs, it takes longer.
const BYTES_PER_STEP: usize = 4;

/// `table.sort(table, order)`
///
/// # Safety
/// Called by Lua.
pub(super) unsafe extern "C-unwind" fn sort(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        ffi::luaL_checktype(lua, TABLE, ffi::LUA_TTABLE);
        let len = c_int::try_from(ffi::lua_objlen(lua, TABLE)).unwrap_or(c_int::MAX);
        ffi::luaL_checkstack(lua, 40, c"".as_ptr());
        let is_given = ffi::lua_type(lua, ORDER) > ffi::LUA_TNIL;
        if is_given {
            ffi::luaL_checktype(lua, ORDER, ffi::LUA_TFUNCTION);
        }
        ffi::lua_settop(lua, ORDER);
        let context = Context::of(lua);
        Sort { lua, context, is_given }.sort(1, len);
        0
    }
}

/// A table that is being sorted.
#[derive(Clone, Copy)]
struct Sort<'a> {
    lua: *mut ffi::lua_State,
    context: &'a Context,
    /// Whether by a function of the script's.
    is_given: bool,
}

/// Every function needs what [`sort`] has made sure of: Lua has called, the table is at its place, and there is room
/// for some values.
impl Sort<'_> {
    /// Sorts the elements from `low` to `high`. Parts are halved at least before it calls itself, so it is 32 calls
    /// deep at most.
    ///
    /// # Safety
    /// As all of these.
    unsafe fn sort(self, mut low: c_int, mut high: c_int) {
        while low < high {
            // SAFETY: as the caller's.
            let Some(middle) = (unsafe { self.split(low, high) }) else {
                return;
            };
            let (first, last);
            if middle - low < high - middle {
                (first, last) = (low, middle - 1);
                low = middle + 1;
            } else {
                (first, last) = (middle + 1, high);
                high = middle - 1;
            }
            // SAFETY: as the caller's.
            unsafe { self.sort(first, last) };
        }
    }

    /// Puts an element where it belongs, smaller ones before and greater ones behind it: where that is. `None`: there
    /// are three elements at most, which are in order.
    ///
    /// # Safety
    /// As all of these.
    unsafe fn split(self, low: c_int, high: c_int) -> Option<c_int> {
        // SAFETY: as the caller's; each push is popped again.
        unsafe {
            self.order(low, high);
            if high - low == 1 {
                return None;
            }
            let middle = low + (high - low) / 2;
            // Of the three, the middle one is compared with the first, and else with the last.
            self.get(middle);
            self.get(low);
            if self.is_less(-2, -1) {
                self.set_both(middle, low);
            } else {
                ffi::lua_settop(self.lua, -2);
                self.get(high);
                if self.is_less(-1, -2) {
                    self.set_both(middle, high);
                } else {
                    ffi::lua_settop(self.lua, -3);
                }
            }
            if high - low == 2 {
                return None;
            }
            self.get(middle);
            ffi::lua_pushvalue(self.lua, -1);
            self.get(high - 1);
            self.set_both(middle, high - 1);
            Some(self.part(low, high))
        }
    }

    /// Puts the pivot, which is on top and last but one of the elements, where it belongs, and pops it: where that is.
    ///
    /// # Safety
    /// As all of these.
    unsafe fn part(self, low: c_int, high: c_int) -> c_int {
        let (mut left, mut right) = (low, high - 1);
        // SAFETY: as the caller's; each push is popped again.
        unsafe {
            loop {
                left += 1;
                self.get(left);
                while self.is_less(-1, -2) {
                    self.check_order(left <= high);
                    ffi::lua_settop(self.lua, -2);
                    left += 1;
                    self.get(left);
                }
                right -= 1;
                self.get(right);
                while self.is_less(-3, -1) {
                    self.check_order(right >= low);
                    ffi::lua_settop(self.lua, -2);
                    right -= 1;
                    self.get(right);
                }
                if right < left {
                    break;
                }
                self.set_both(left, right);
            }
            ffi::lua_settop(self.lua, -4);
            self.get(high - 1);
            self.get(left);
            self.set_both(high - 1, left);
        }
        left
    }

    /// Exchanges two elements if the second is less.
    ///
    /// # Safety
    /// As all of these.
    unsafe fn order(self, low: c_int, high: c_int) {
        // SAFETY: as the caller's.
        unsafe {
            self.get(low);
            self.get(high);
            if self.is_less(-1, -2) {
                self.set_both(low, high);
            } else {
                ffi::lua_settop(self.lua, -3);
            }
        }
    }

    /// # Safety
    /// As all of these.
    unsafe fn get(self, at: c_int) {
        // SAFETY: as the caller's.
        unsafe { ffi::lua_rawgeti_(self.lua, TABLE, at) };
    }

    /// Pops two values: the upper one becomes the first element, the lower one the second.
    ///
    /// # Safety
    /// As all of these.
    unsafe fn set_both(self, first: c_int, second: c_int) {
        // SAFETY: as the caller's.
        unsafe {
            ffi::lua_rawseti_(self.lua, TABLE, first);
            ffi::lua_rawseti_(self.lua, TABLE, second);
        }
    }

    /// Whether the value at one place of the stack, counted from the top, is less than that at another.
    ///
    /// # Safety
    /// As all of these.
    unsafe fn is_less(self, one: c_int, other: c_int) -> bool {
        // SAFETY: as the caller's; both are below the function.
        unsafe {
            let strings = [one, other].map(|at| ffi::lua_type(self.lua, at) == ffi::LUA_TSTRING);
            let bytes = if strings == [true, true] {
                ffi::lua_objlen(self.lua, one).min(ffi::lua_objlen(self.lua, other))
            } else {
                0
            };
            spend(self.lua, self.context, COMPARISON_STEPS + bytes / BYTES_PER_STEP);
            if !self.is_given {
                return ffi::lua_lessthan(self.lua, one, other) != 0;
            }
            ffi::lua_pushvalue(self.lua, ORDER);
            ffi::lua_pushvalue(self.lua, one - 1);
            ffi::lua_pushvalue(self.lua, other - 2);
            ffi::lua_call(self.lua, 2, 1);
            let is_less = ffi::lua_toboolean(self.lua, -1) != 0;
            ffi::lua_settop(self.lua, -2);
            is_less
        }
    }

    /// # Safety
    /// As all of these.
    unsafe fn check_order(self, is_order: bool) {
        if !is_order {
            // SAFETY: as the caller's.
            unsafe { ffi::luaL_error(self.lua, c"invalid order function for sorting".as_ptr()) };
        }
    }
}
