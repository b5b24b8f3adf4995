//! What is told of each entry, and how: the key alone, or with its value and its type.
//!
//! Several parts stand one behind the other in RESP2, and in an array for each entry in RESP3, as `ZRANGE … WITHSCORES`
//! has them.

use crate::commands::value::reply_str;
use crate::page::entry::EntryRef;
use crate::resp::{Proto, Reply};

/// Parts of an entry that are told beside its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// The value; null unless it is a string.
    pub value: bool,
    /// The type's name.
    pub type_name: bool,
}

impl Shape {
    /// Takes `option` in if it is `value` or `type_name`, the names of the two; whether it was.
    pub fn take(&mut self, option: &[u8], value: &str, type_name: &str) -> bool {
        if option.eq_ignore_ascii_case(value.as_bytes()) {
            self.value = true;
        } else if option.eq_ignore_ascii_case(type_name.as_bytes()) {
            self.type_name = true;
        } else {
            return false;
        }
        true
    }

    /// Whether only keys are wanted.
    pub fn is_plain(self) -> bool {
        !self.value && !self.type_name
    }

    fn parts(self) -> usize {
        1 + usize::from(self.value) + usize::from(self.type_name)
    }

    fn write_parts(self, entry: EntryRef<'_>, reply: &mut Reply) {
        reply.bulk(entry.key());
        if self.value {
            reply_str(reply, entry.value().as_str());
        }
        if self.type_name {
            reply.bulk(entry.value().value_type().name().as_bytes());
        }
    }

    /// Writes an entry as one of several; returns how many elements of the array around them that is.
    pub fn write_item(self, entry: EntryRef<'_>, reply: &mut Reply) -> usize {
        if self.is_plain() || reply.proto() == Proto::Resp2 {
            self.write_parts(entry, reply);
            return self.parts();
        }
        self.write_one(entry, reply);
        1
    }

    /// Writes an entry as the only one.
    pub fn write_one(self, entry: EntryRef<'_>, reply: &mut Reply) {
        if !self.is_plain() {
            reply.array(self.parts());
        }
        self.write_parts(entry, reply);
    }

    /// Writes that there is no such entry.
    pub fn write_none(self, reply: &mut Reply) {
        if self.is_plain() {
            reply.null();
        } else {
            reply.null_array();
        }
    }
}
