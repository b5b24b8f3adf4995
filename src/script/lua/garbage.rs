//! `collectgarbage`: as Lua's, but piece by piece where it takes long, so that a script can be stopped meanwhile.

use super::interrupt::Pacer;
use super::raise::Raise;
use super::stack::{Kind, Stack};
use mlua::ffi;
use std::ffi::c_int;

/// How much is done at once, in KiB of memory.
const PIECE_KIB: c_int = 64;
/// What that costs, in steps.
const PIECE_STEPS: usize = 10_000;

const OPTIONS: [(&[u8], c_int); 7] = [
    (b"stop", ffi::LUA_GCSTOP),
    (b"restart", ffi::LUA_GCRESTART),
    (b"collect", ffi::LUA_GCCOLLECT),
    (b"count", ffi::LUA_GCCOUNT),
    (b"step", ffi::LUA_GCSTEP),
    (b"setpause", ffi::LUA_GCSETPAUSE),
    (b"setstepmul", ffi::LUA_GCSETSTEPMUL),
];

/// `collectgarbage(option, number)`
pub(in crate::script) fn collect_garbage(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let name = match stack.kind(1) {
        Kind::None | Kind::Nil => b"collect",
        _ => stack.check_text(1)?,
    };
    let option = OPTIONS.iter().find(|(option, _)| *option == name);
    let Some(&(_, option)) = option else {
        let name = String::from_utf8_lossy(name);
        return Err(Raise::Argument(1, format!("invalid option '{name}'")));
    };
    #[expect(clippy::cast_possible_truncation, reason = "as C does it")]
    let number = stack.integer_or(2, 0)? as c_int;
    let mut pacer = stack.pacer();
    match option {
        ffi::LUA_GCCOLLECT => {
            // What has become garbage since the running collection looked goes with the one after it.
            for _ in 0..2 {
                while !advance(stack, PIECE_KIB, &mut pacer)? {}
            }
            stack.push_number(0.0);
        }
        ffi::LUA_GCSTEP => {
            // A negative one is all that there is.
            let mut left = if number < 0 { c_int::MAX } else { number };
            let mut is_at_end = advance(stack, left.min(PIECE_KIB), &mut pacer)?;
            while !is_at_end && left > PIECE_KIB {
                left -= PIECE_KIB;
                is_at_end = advance(stack, left.min(PIECE_KIB), &mut pacer)?;
            }
            stack.push_boolean(is_at_end);
        }
        ffi::LUA_GCCOUNT => {
            let [kib, bytes] = [ffi::LUA_GCCOUNT, ffi::LUA_GCCOUNTB].map(|option| f64::from(gc(stack, option, 0)));
            stack.push_number(kib + bytes / 1024.0);
        }
        option => {
            if option == ffi::LUA_GCSTOP {
                stack.context().is_garbage_kept.set(true);
            }
            let result = gc(stack, option, number);
            stack.push_number(result.into());
        }
    }
    Ok(1)
}

/// Collects for a while; whether a collection has come to its end.
fn advance(stack: &mut Stack<'_>, kib: c_int, pacer: &mut Pacer<'_>) -> Result<bool, Raise> {
    pacer.spend(PIECE_STEPS)?;
    Ok(gc(stack, ffi::LUA_GCSTEP, kib) != 0)
}

fn gc(stack: &mut Stack<'_>, option: c_int, number: c_int) -> c_int {
    // SAFETY: as `Stack::new`; no finalizer of a script's exists.
    unsafe { ffi::lua_gc(stack.lua(), option, number) }
}
