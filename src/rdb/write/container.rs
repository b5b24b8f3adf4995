//! Values that are not streams: compact encodings for what is small, plain ones for the rest. Redis chooses anew when
//! it loads them.

use crate::page::packed::Item;

use super::super::blob::{intset, listpack};
use super::super::code::{kind, node};
use super::super::object::{Elements, Hash, Object};
use super::super::version::Version;
use super::scalar::{item, length, string};
use super::{stream, vectors};

/// Bytes after which a node of a list is full; an element of more is a node of its own.
const NODE_BYTES: usize = 8 * 1024;
/// Most fields of a hash that is written as a listpack, and their length.
const SMALL_HASH_FIELDS_MAX: u64 = 128;
const SMALL_HASH_BYTES_MAX: usize = 64;

/// Appends the type of `object`, then, behind `key` if there is one, its value, as `version` has it.
pub fn object(out: &mut Vec<u8>, key: Option<&[u8]>, object: &Object, version: Version) {
    let head = |out: &mut Vec<u8>, kind: u8| {
        out.push(kind);
        if let Some(key) = key {
            string(out, key);
        }
    };
    match object {
        Object::String(bytes) => {
            head(out, kind::STRING);
            string(out, bytes);
        }
        Object::List(elements) if version.has_listpacks() => {
            head(out, kind::LIST_QUICKLIST_2);
            list(out, elements);
        }
        Object::List(elements) => {
            head(out, kind::LIST);
            strings(out, elements);
        }
        Object::Set(members) => match integers(members) {
            Some(integers) => {
                head(out, kind::SET_INTSET);
                string(out, &intset::write(integers));
            }
            None => {
                head(out, kind::SET);
                strings(out, members);
            }
        },
        Object::Zset(elements) => {
            head(out, kind::ZSET_2);
            zset(out, elements);
        }
        Object::Hash(fields) => {
            let code = kind_of_hash(fields, version);
            head(out, code);
            hash(out, fields, code);
        }
        Object::Stream(entries) => {
            let code = stream::kind_of(entries, version);
            head(out, code);
            stream::write(out, entries, code);
        }
        Object::Vectors(set) => {
            head(out, kind::MODULE);
            vectors::write(out, set);
        }
    }
}

fn kind_of_hash(fields: &Hash, version: Version) -> u8 {
    match (fields.is_timed(), version.is_valkey()) {
        (true, true) => kind::HASH_TIMED_VALKEY,
        (true, false) => kind::HASH_TIMED,
        (false, _) if version.has_listpacks() && is_small(fields) => kind::HASH_LISTPACK,
        (false, _) => kind::HASH,
    }
}

fn hash(out: &mut Vec<u8>, fields: &Hash, code: u8) {
    match code {
        kind::HASH_TIMED_VALKEY => valkeys_timed_hash(out, fields),
        kind::HASH_TIMED => timed_hash(out, fields),
        kind::HASH_LISTPACK => small_hash(out, fields),
        _ => {
            length(out, fields.len());
            for (field, value, _) in fields.iter() {
                item(out, field);
                item(out, value);
            }
        }
    }
}

fn strings(out: &mut Vec<u8>, elements: &Elements) {
    length(out, elements.len());
    elements.iter().for_each(|element| item(out, element));
}

fn list(out: &mut Vec<u8>, elements: &Elements) {
    let mut nodes = Nodes::default();
    for element in elements.iter() {
        nodes.push(element);
    }
    nodes.close();
    length(out, nodes.count);
    out.extend(nodes.bytes);
}

/// The nodes of a list.
#[derive(Default)]
struct Nodes {
    count: u64,
    bytes: Vec<u8>,
    open: Option<listpack::Builder>,
}

impl Nodes {
    fn push(&mut self, element: Item<'_>) {
        let element_bytes = element.written_bytes();
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.len() + element_bytes > NODE_BYTES)
        {
            self.close();
        }
        match element {
            Item::Bytes(bytes) if element_bytes > NODE_BYTES => {
                self.close();
                self.add(node::PLAIN, bytes);
            }
            _ => self.open.get_or_insert_with(listpack::Builder::new).push(element),
        }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.add(node::PACKED, &open.finish());
        }
    }

    fn add(&mut self, container: u64, bytes: &[u8]) {
        self.count += 1;
        length(&mut self.bytes, container);
        string(&mut self.bytes, bytes);
    }
}

/// The members of a set that is a small one of integers only.
fn integers(members: &Elements) -> Option<Vec<i64>> {
    if members.len() > intset::MEMBERS_MAX {
        return None;
    }
    let integers = members.iter().map(|member| match member {
        Item::Int(value) => Some(value),
        Item::Bytes(_) | Item::Double(_) => None,
    });
    integers.collect()
}

fn zset(out: &mut Vec<u8>, elements: &Elements) {
    length(out, elements.len() / 2);
    let mut items = elements.iter();
    while let (Some(member), Some(score)) = (items.next(), items.next()) {
        item(out, member);
        out.extend(score.number().unwrap_or_default().to_le_bytes());
    }
}

fn is_small(fields: &Hash) -> bool {
    let short = |item: Item<'_>| item.bytes_len() <= SMALL_HASH_BYTES_MAX;
    fields.len() <= SMALL_HASH_FIELDS_MAX && fields.iter().all(|(field, value, _)| short(field) && short(value))
}

fn small_hash(out: &mut Vec<u8>, fields: &Hash) {
    let mut builder = listpack::Builder::new();
    for (field, value, _) in fields.iter() {
        builder.push(field);
        builder.push(value);
    }
    string(out, &builder.finish());
}

fn timed_hash(out: &mut Vec<u8>, fields: &Hash) {
    let earliest_ms = fields
        .iter()
        .filter_map(|(_, _, at_ms)| at_ms)
        .min()
        .unwrap_or_default();
    out.extend(earliest_ms.to_le_bytes());
    length(out, fields.len());
    for (field, value, at_ms) in fields.iter() {
        length(out, at_ms.map_or(0, |at_ms| at_ms - earliest_ms + 1));
        item(out, field);
        item(out, value);
    }
}

fn valkeys_timed_hash(out: &mut Vec<u8>, fields: &Hash) {
    length(out, fields.len());
    for (field, value, at_ms) in fields.iter() {
        item(out, field);
        item(out, value);
        // Minus one: never.
        out.extend(at_ms.unwrap_or(u64::MAX).to_le_bytes());
    }
}
