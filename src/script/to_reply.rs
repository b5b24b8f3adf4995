//! A value of Lua's becomes a reply to the client.
//!
//! **Invariant:** a reply is no larger than values may be: tables that are there many times would make it as large, and
//! its writing as long, as a script likes.

use super::lua::{Kind, Pacer, Raise, Stack};
use super::numbers::to_i64;
use crate::resp::{Proto, Reply};

/// What is nested deeper is replaced by an error, as Redis does where Lua's stack ends.
const DEPTH_MAX: usize = 1_000;
/// What a value takes beside its text.
const VALUE_BYTES: usize = 16;
/// What writing it costs, in steps.
const VALUE_STEPS: usize = 2;

/// Writes the value on top of the stack.
///
/// # Errors
/// If there is not enough memory, or the script is stopped; what has been written is no reply then.
pub(super) fn write_reply(stack: &mut Stack<'_>, reply: &mut Reply) -> Result<(), Raise> {
    let room_bytes = stack.context().heap.limit();
    let pacer = stack.pacer();
    let mut writer = Writer {
        reply,
        room_bytes,
        pacer,
    };
    writer.write(stack, 0)
}

struct Writer<'r> {
    reply: &'r mut Reply,
    /// How much more may be written.
    room_bytes: usize,
    pacer: Pacer<'r>,
}

/// Writes what is on top; `false`: it is not what it should be.
type Write<'r> = fn(&mut Writer<'r>, &mut Stack<'_>, usize) -> Result<bool, Raise>;

impl<'r> Writer<'r> {
    fn take_room(&mut self, text: &[u8]) -> Result<(), Raise> {
        let left = self.room_bytes.checked_sub(VALUE_BYTES.saturating_add(text.len()));
        self.room_bytes = left.ok_or(Raise::Memory)?;
        Ok(())
    }

    fn write(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        self.take_room(&[])?;
        self.pacer.spend(VALUE_STEPS)?;
        match stack.kind(-1) {
            Kind::String => {
                let text = stack.string(-1).unwrap_or_default();
                self.take_room(text)?;
                self.reply.bulk(text);
            }
            Kind::Number => self.reply.int(stack.number(-1).map_or(0, to_i64)),
            Kind::Boolean => self.write_boolean(stack),
            Kind::Table if depth >= DEPTH_MAX || stack.reserve(4).is_err() => {
                self.reply.error("ERR reached lua stack limit");
            }
            Kind::Table => self.write_table(stack, depth)?,
            _ => self.reply.null(),
        }
        Ok(())
    }

    fn write_boolean(&mut self, stack: &Stack<'_>) {
        let value = stack.truth(-1);
        match (stack.context().proto.get(), value) {
            (Proto::Resp3, _) => self.reply.boolean(value),
            (Proto::Resp2, true) => self.reply.int(1),
            (Proto::Resp2, false) => self.reply.null(),
        }
    }

    /// A table is what the first of these fields says, or else an array.
    fn write_table(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        let writers: [(&str, Kind, Write<'r>); 7] = [
            ("err", Kind::String, Self::write_error),
            ("ok", Kind::String, Self::write_status),
            ("double", Kind::Number, Self::write_double),
            ("big_number", Kind::String, Self::write_big_number),
            ("verbatim_string", Kind::Table, Self::write_verbatim),
            ("map", Kind::Table, Self::write_map),
            ("set", Kind::Table, Self::write_set),
        ];
        for (name, kind, write) in writers {
            let is_written = stack.get_field(-1, name) == kind && write(self, stack, depth + 1)?;
            stack.pop(1);
            if is_written {
                return Ok(());
            }
        }
        self.write_array(stack, depth + 1)
    }

    fn write_error(&mut self, stack: &mut Stack<'_>, _: usize) -> Result<bool, Raise> {
        let text = trimmed(c_text(stack));
        self.take_room(text)?;
        self.reply.error_bytes(text);
        Ok(true)
    }

    fn write_status(&mut self, stack: &mut Stack<'_>, _: usize) -> Result<bool, Raise> {
        let text = c_text(stack);
        self.take_room(text)?;
        self.reply.simple_bytes(text);
        Ok(true)
    }

    fn write_double(&mut self, stack: &mut Stack<'_>, _: usize) -> Result<bool, Raise> {
        self.reply.double(stack.number(-1).unwrap_or_default());
        Ok(true)
    }

    fn write_map(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<bool, Raise> {
        let map = self.reply.deferred_map();
        let mut n = 0;
        stack.push_nil();
        while stack.next(-2) {
            stack.push_copy(-2);
            self.write(stack, depth)?;
            stack.pop(1);
            self.write(stack, depth)?;
            stack.pop(1);
            n += 1;
        }
        self.reply.finish_map(map, n);
        Ok(true)
    }

    fn write_set(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<bool, Raise> {
        let set = self.reply.deferred_set();
        let mut n = 0;
        stack.push_nil();
        while stack.next(-2) {
            stack.pop(1);
            stack.push_copy(-1);
            self.write(stack, depth)?;
            stack.pop(1);
            n += 1;
        }
        self.reply.finish_set(set, n);
        Ok(true)
    }

    fn write_big_number(&mut self, stack: &mut Stack<'_>, _: usize) -> Result<bool, Raise> {
        let text = c_text(stack);
        self.take_room(text)?;
        self.reply.big_number_bytes(text);
        Ok(true)
    }

    fn write_verbatim(&mut self, stack: &mut Stack<'_>, _: usize) -> Result<bool, Raise> {
        let is_format = stack.get_field(-1, "format") == Kind::String;
        let is_text = stack.get_field(-2, "string") == Kind::String;
        if is_format && is_text {
            let text = stack.string(-1).unwrap_or_default();
            self.take_room(text)?;
            let mut format = *b"   ";
            for (to, from) in format.iter_mut().zip(stack.string(-2).unwrap_or_default()) {
                *to = *from;
            }
            self.reply.verbatim_bytes(&format, text);
        }
        stack.pop(2);
        Ok(is_format && is_text)
    }

    fn write_array(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        let array = self.reply.deferred_array();
        let mut n = 0;
        while stack.get_element(-1, n + 1) != Kind::Nil {
            self.write(stack, depth)?;
            stack.pop(1);
            n += 1;
        }
        stack.pop(1);
        self.reply.finish_array(array, usize::try_from(n).unwrap_or(0));
        Ok(())
    }
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
