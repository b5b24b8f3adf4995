//! A value of Lua's becomes a reply to the client.

use super::lua::{Kind, Stack};
use super::numbers::{exact_i64, shortest, to_i64};
use crate::resp::{Proto, Reply};

/// What is nested deeper is replaced by an error, as Redis does where Lua's stack ends.
const DEPTH_MAX: usize = 1_000;

/// Up to which number doubles that are integers are written as such.
const INTEGER_MAX: u64 = 1 << 62;

/// Writes the value on top of the stack, and pops it.
pub(super) fn write_reply(stack: &mut Stack<'_>, reply: &mut Reply) {
    write(stack, reply, 0);
    stack.pop(1);
}

fn write(stack: &mut Stack<'_>, reply: &mut Reply, depth: usize) {
    match stack.kind(-1) {
        Kind::String => reply.bulk(stack.string(-1).unwrap_or_default()),
        Kind::Number => reply.int(stack.number(-1).map_or(0, to_i64)),
        Kind::Boolean => write_boolean(stack, reply),
        Kind::Table if depth >= DEPTH_MAX || stack.reserve(4).is_err() => reply.error("ERR reached lua stack limit"),
        Kind::Table => write_table(stack, reply, depth),
        _ => reply.null(),
    }
}

fn write_boolean(stack: &Stack<'_>, reply: &mut Reply) {
    let value = stack.truth(-1);
    match (stack.context().proto.get(), value) {
        (Proto::Resp3, _) => reply.boolean(value),
        (Proto::Resp2, true) => reply.int(1),
        (Proto::Resp2, false) => reply.null(),
    }
}

/// A table is what the first of these fields says, or else an array.
fn write_table(stack: &mut Stack<'_>, reply: &mut Reply, depth: usize) {
    let writers: [(&str, Kind, Write); 7] = [
        ("err", Kind::String, write_error),
        ("ok", Kind::String, write_status),
        ("double", Kind::Number, write_double),
        ("big_number", Kind::String, write_big_number),
        ("verbatim_string", Kind::Table, write_verbatim),
        ("map", Kind::Table, write_map),
        ("set", Kind::Table, write_set),
    ];
    for (name, kind, write) in writers {
        if stack.get_field(-1, name) == kind && write(stack, reply, depth + 1) {
            return stack.pop(1);
        }
        stack.pop(1);
    }
    write_array(stack, reply, depth + 1);
}

/// Writes what is on top; `false`: it is not what it should be.
type Write = fn(&mut Stack<'_>, &mut Reply, usize) -> bool;

fn write_error(stack: &mut Stack<'_>, reply: &mut Reply, _: usize) -> bool {
    reply.error_bytes(trimmed(c_text(stack)));
    true
}

fn write_status(stack: &mut Stack<'_>, reply: &mut Reply, _: usize) -> bool {
    reply.simple_bytes(c_text(stack));
    true
}

fn write_double(stack: &mut Stack<'_>, reply: &mut Reply, _: usize) -> bool {
    reply.double_of_digits(&shortest_reply(stack.number(-1).unwrap_or_default()));
    true
}

/// As a reply, what is no number has no sign, and integers are written in full.
fn shortest_reply(number: f64) -> String {
    match exact_i64(number) {
        _ if number.is_nan() => "nan".into(),
        Some(integer) if number != 0.0 && integer.unsigned_abs() <= INTEGER_MAX => integer.to_string(),
        _ => shortest(number),
    }
}

fn write_map(stack: &mut Stack<'_>, reply: &mut Reply, depth: usize) -> bool {
    let map = reply.deferred_map();
    let mut n = 0;
    stack.push_nil();
    while stack.next(-2) {
        stack.push_copy(-2);
        write(stack, reply, depth);
        stack.pop(1);
        write(stack, reply, depth);
        stack.pop(1);
        n += 1;
    }
    reply.finish_map(map, n);
    true
}

fn write_set(stack: &mut Stack<'_>, reply: &mut Reply, depth: usize) -> bool {
    let set = reply.deferred_set();
    let mut n = 0;
    stack.push_nil();
    while stack.next(-2) {
        stack.pop(1);
        stack.push_copy(-1);
        write(stack, reply, depth);
        stack.pop(1);
        n += 1;
    }
    reply.finish_set(set, n);
    true
}

fn write_big_number(stack: &mut Stack<'_>, reply: &mut Reply, _: usize) -> bool {
    reply.big_number_bytes(c_text(stack));
    true
}

fn write_verbatim(stack: &mut Stack<'_>, reply: &mut Reply, _: usize) -> bool {
    let is_format = stack.get_field(-1, "format") == Kind::String;
    let is_text = stack.get_field(-2, "string") == Kind::String;
    if is_format && is_text {
        let mut format = *b"   ";
        for (to, from) in format.iter_mut().zip(stack.string(-2).unwrap_or_default()) {
            *to = *from;
        }
        reply.verbatim_bytes(&format, stack.string(-1).unwrap_or_default());
    }
    stack.pop(2);
    is_format && is_text
}

fn write_array(stack: &mut Stack<'_>, reply: &mut Reply, depth: usize) {
    let array = reply.deferred_array();
    let mut n = 0;
    while stack.get_element(-1, n + 1) != Kind::Nil {
        write(stack, reply, depth);
        stack.pop(1);
        n += 1;
    }
    stack.pop(1);
    reply.finish_array(array, usize::try_from(n).unwrap_or(0));
}

/// A string as C sees it: up to its first NUL.
fn c_text<'s>(stack: &'s Stack<'_>) -> &'s [u8] {
    let text = stack.string(-1).unwrap_or_default();
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}
