//! `redis.register_function`: how a library that is being loaded says which functions it has.

use super::api::refuse;
use super::header::{NAME_RULE, is_name};
use super::loading::Registered;
use super::lua::{Kind, Raise, Stack};
use std::ffi::c_int;

/// What functions of one library may say of themselves: it is kept outside of Lua's memory.
const BYTES_MAX: usize = 16 << 20;

/// What is wrong with a registration.
type Wrong = &'static str;

/// `redis.register_function(name, callback)`, or with one table of named arguments.
pub(super) fn register(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let Some(is_flag) = stack.context().loading.borrow().as_ref().map(|loading| loading.is_flag) else {
        return refuse(
            stack,
            "ERR redis.register_function can only be called on FUNCTION LOAD command",
        );
    };
    let read = match stack.arguments() {
        1 => read_named(stack, is_flag),
        2 => read_positional(stack),
        _ => Err("wrong number of arguments to redis.register_function"),
    };
    // The callback is on top.
    let added = read.and_then(|function| add(stack, function));
    added.map_or_else(|wrong| refuse(stack, &format!("ERR {wrong}")), |()| Ok(0))
}

fn add(stack: &mut Stack<'_>, function: Registered) -> Result<(), Wrong> {
    if !is_name(&function.name) {
        return Err(NAME_RULE);
    }
    let loading = &mut *stack.context().loading.borrow_mut();
    let Some(loading) = loading else {
        return Ok(());
    };
    // They are called by names in whichever letters.
    let mut names = loading.functions.iter().map(|(known, _)| &known.name);
    if names.any(|known| known.eq_ignore_ascii_case(&function.name)) {
        return Err("Function already exists in the library");
    }
    let description = function.description.as_ref().map_or(0, Vec::len);
    loading.bytes += size_of::<Registered>() + function.name.len() + description;
    if loading.bytes > BYTES_MAX {
        return Err("not enough memory");
    }
    loading.functions.push((function, stack.keep()));
    Ok(())
}

fn read_positional(stack: &mut Stack<'_>) -> Result<Registered, Wrong> {
    let name = stack.argument_text(1);
    let name = name.ok_or("first argument to redis.register_function must be a string")?;
    if stack.kind(2) != Kind::Function {
        return Err("second argument to redis.register_function must be a function");
    }
    stack.push_copy(2);
    Ok(Registered {
        name: name.to_vec(),
        description: None,
        flags: Vec::new(),
    })
}

fn read_named(stack: &mut Stack<'_>, is_flag: fn(&[u8]) -> bool) -> Result<Registered, Wrong> {
    if stack.kind(1) != Kind::Table {
        return Err(
            "calling redis.register_function with a single argument is only applicable to Lua table (representing \
             named arguments).",
        );
    }
    let (mut name, mut description, mut flags) = (None, None, Vec::new());
    // The place of the callback, which stays on the stack.
    stack.push_nil();
    let callback = stack.top();
    let mut has_callback = false;
    stack.push_nil();
    while stack.next(1) {
        let key = match stack.kind(-2) {
            Kind::String => stack.string(-2).unwrap_or_default().to_ascii_lowercase(),
            Kind::Number => Vec::new(),
            _ => return Err("named argument key given to redis.register_function is not a string"),
        };
        match key.as_slice() {
            b"function_name" => {
                let wrong = "function_name argument given to redis.register_function must be a string";
                name = Some(text(stack).ok_or(wrong)?);
            }
            b"description" => {
                let wrong = "description argument given to redis.register_function must be a string";
                description = Some(text(stack).ok_or(wrong)?);
            }
            b"callback" => {
                if stack.kind(-1) != Kind::Function {
                    return Err("callback argument given to redis.register_function must be a function");
                }
                stack.push_copy(-1);
                stack.replace(callback);
                has_callback = true;
            }
            b"flags" => {
                if stack.kind(-1) != Kind::Table {
                    return Err(
                        "flags argument to redis.register_function must be a table representing function flags",
                    );
                }
                flags = read_flags(stack, is_flag)?;
            }
            _ => return Err("unknown argument given to redis.register_function"),
        }
        stack.pop(1);
    }
    let name = name.ok_or("redis.register_function must get a function name argument")?;
    if !has_callback {
        return Err("redis.register_function must get a callback argument");
    }
    Ok(Registered {
        name,
        description,
        flags,
    })
}

/// The flags in the table on top.
fn read_flags(stack: &mut Stack<'_>, is_flag: fn(&[u8]) -> bool) -> Result<Vec<Vec<u8>>, Wrong> {
    let mut flags = Vec::new();
    for at in 1.. {
        if stack.get_element(-1, at) == Kind::Nil {
            break;
        }
        let flag = stack.string(-1).map(<[u8]>::to_ascii_lowercase);
        let flag = flag.filter(|flag| is_flag(flag)).ok_or("unknown flag given")?;
        if !flags.contains(&flag) {
            flags.push(flag);
        }
        stack.pop(1);
    }
    stack.pop(1);
    Ok(flags)
}

/// The string on top, or the number as one.
fn text(stack: &mut Stack<'_>) -> Option<Vec<u8>> {
    stack.push_copy(-1);
    let text = stack.top_text().map(<[u8]>::to_vec);
    stack.pop(1);
    text
}
