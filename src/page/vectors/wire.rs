//! A vector set as bytes, in pages, the log and persisted files.
//!
//! ```text
//!   0       1
//!   +-------+---------------------+----------+---+-----+-----------+-------+-------+---------+- -+-------+- -
//!   | flags | number of elements, | how kept | m | dim | input dim | added | entry | element | … | links | …
//!   |   0   | one added           |          |   |     | or 0      |       |       |         |   |       |
//!   +-------+---------------------+----------+---+-----+-----------+-------+-------+---------+- -+-------+- -
//!   element:  name (length, bytes), attributes (length, one added; 0: none; bytes), the vector as `vector.rs` says
//!   links:    the highest level, then for each level from 0: their number, slots
//! ```
//!
//! All numbers but those of vectors are varints. The head reads as that of any packed container. Of a set in parts the
//! head has the fields before the first element. A part is one chunk of elements, or of links:
//!
//! ```text
//!   +-------+---------------------+------------------------+------------+-----------------+- -
//!   | flags | number of elements, | 0: elements, 1: links  | first slot | number of slots | …
//!   |   0   | one added           |                        |            |                 |
//!   +-------+---------------------+------------------------+------------+-----------------+- -
//! ```
//!
//! **Invariants:** reading never panics, whatever the bytes; what [`check`] lets through is a whole vector set, links
//! as they were.

use xxhash_rust::xxh3::Xxh3;

use super::body::Body;
use super::links::Links;
use super::parts::Chunked;
use super::set::VectorSet;
use super::shape::{LEVELS_MAX, M_DEFAULT, Quant, Shape};
use super::vector::Raw;
use crate::page::malformed::Malformed;
use crate::page::packed::{Packed, read_varint, write_varint};
use crate::page::trie::Item;

const CUT_SHORT: Malformed = Malformed::Container("a vector set is cut short");
const CODE_BODY: u64 = 0;
const CODE_LINKS: u64 = 1;

/// Whether `packed` is a whole vector set.
///
/// # Errors
/// What is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), Malformed> {
    read(packed).map(drop)
}

/// How many elements a packed vector set, or a part of one, has.
pub fn len(packed: Packed<'_>) -> u64 {
    // One is added, so that no set seems to be empty.
    (packed.count() as u64).saturating_sub(1)
}

impl VectorSet {
    /// From the packed form, which has been checked.
    pub fn unpack(packed: Packed<'_>) -> Self {
        let set = read(packed);
        debug_assert!(set.is_ok(), "{set:?}");
        set.unwrap_or_else(|_| {
            Self::new(Shape {
                quant: Quant::Q8,
                m: M_DEFAULT,
                dim: 1,
                input_dim: None,
            })
        })
    }

    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        let mut out = self.pack_head();
        self.bodies.iter().for_each(|body| self.write_body(&mut out, body));
        self.links.iter().for_each(|links| self.write_links(&mut out, links));
        out
    }

    /// All but the elements and their links.
    pub fn pack_head(&self) -> Vec<u8> {
        let (shape, mut out) = (&self.frame.shape, vec![0]);
        write_varint(&mut out, self.len() + 1);
        write_varint(&mut out, shape.quant as u64);
        write_varint(&mut out, u64::from(shape.m));
        write_varint(&mut out, u64::from(shape.dim));
        write_varint(&mut out, u64::from(shape.input_dim.unwrap_or(0)));
        write_varint(&mut out, self.added);
        write_varint(&mut out, u64::from(self.entry));
        out
    }

    /// A part, packed.
    pub fn pack_part(&self, index: usize) -> Vec<u8> {
        let layout = &self.frame.layout;
        if let Some(body) = self.bodies.get(index) {
            let count = body.items.len();
            let mut out = part_head(count, CODE_BODY, index << layout.bodies_shift, count);
            self.write_body(&mut out, body);
            return out;
        }
        let index = index - self.bodies.len().min(index);
        let Some(links) = self.links.get(index) else {
            return Vec::new();
        };
        let mut out = part_head(0, CODE_LINKS, index << layout.links_shift, links.upper.len());
        self.write_links(&mut out, links);
        out
    }

    /// All of it in 64 bits, in whatever chunks it is.
    pub fn digest(&self) -> u64 {
        let (mut digest, mut bytes) = (Xxh3::new(), Vec::new());
        digest.update(&self.pack_head());
        for body in self.bodies.iter() {
            bytes.clear();
            self.write_body(&mut bytes, body);
            digest.update(&bytes);
        }
        for links in self.links.iter() {
            bytes.clear();
            self.write_links(&mut bytes, links);
            digest.update(&bytes);
        }
        digest.digest()
    }

    fn write_body(&self, out: &mut Vec<u8>, body: &Body) {
        for (at, item) in body.items.iter().enumerate() {
            write_varint(out, item.key().len() as u64);
            out.extend_from_slice(item.key());
            write_varint(out, item.value().map_or(0, |value| value.len() as u64 + 1));
            out.extend_from_slice(item.value().unwrap_or_default());
            out.extend_from_slice(body.record(at, &self.frame.layout));
        }
    }

    fn write_links(&self, out: &mut Vec<u8>, links: &Links) {
        let layout = &self.frame.layout;
        for at in 0..links.upper.len() {
            let level = links.level(at, layout);
            write_varint(out, level as u64);
            for level in 0..=level {
                let list = links.list(at, level, layout);
                write_varint(out, list.len() as u64);
                list.iter().for_each(|slot| write_varint(out, u64::from(*slot)));
            }
        }
    }
}

fn part_head(elements: usize, code: u64, first: usize, count: usize) -> Vec<u8> {
    let mut out = vec![0];
    write_varint(&mut out, elements as u64 + 1);
    write_varint(&mut out, code);
    write_varint(&mut out, first as u64);
    write_varint(&mut out, count as u64);
    out
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn of(packed: Packed<'a>) -> Result<Self, Malformed> {
        match packed.bytes().split_first() {
            Some((0, rest)) => Ok(Self(rest)),
            Some((_, _)) => Err(Malformed::Container("a vector set has unknown flags")),
            None => Err(CUT_SHORT),
        }
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        read_varint(&mut self.0).ok_or(CUT_SHORT)
    }

    fn small(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| CUT_SHORT)
    }

    fn bytes(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(len).map_err(|_| CUT_SHORT)?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// An empty set of this head, and how many elements it is to have.
    fn head(&mut self) -> Result<(VectorSet, u64), Malformed> {
        let count = self.number()?.checked_sub(1).ok_or(CUT_SHORT)?;
        let quant = u8::try_from(self.number()?).ok().and_then(Quant::of_code);
        let shape = Shape {
            quant: quant.ok_or(Malformed::Container("a vector set keeps vectors in no known way"))?,
            m: self.small()?,
            dim: self.small()?,
            input_dim: Some(self.small()?).filter(|dim| *dim > 0),
        };
        if !shape.is_valid() {
            return Err(Malformed::Container("a vector set has no possible dimensions or links"));
        }
        let mut set = VectorSet::new(shape);
        set.added = self.number()?;
        set.entry = self.small()?;
        Ok((set, count))
    }

    /// The element behind those of a chunk.
    fn element(&mut self, set: &VectorSet, body: &mut Body) -> Result<(), Malformed> {
        let layout = &set.frame.layout;
        let name_bytes = self.number()?;
        let name = self.bytes(name_bytes)?;
        let attributes = match self.number()? {
            0 => None,
            len => Some(self.bytes(len - 1)?),
        };
        let record = self.bytes(layout.record_bytes as u64)?;
        if !Raw::of(record, layout).is_sound(&set.frame.shape) {
            return Err(Malformed::Container(
                "an element of a vector set has no possible vector",
            ));
        }
        body.push(Item::new(name, attributes, None), record, layout);
        Ok(())
    }

    /// The links of the slot behind those of a chunk.
    fn links(&mut self, set: &VectorSet, links: &mut Links) -> Result<(), Malformed> {
        let layout = &set.frame.layout;
        let level = self.number()?;
        let level = usize::try_from(level).ok().filter(|level| *level <= LEVELS_MAX);
        let level = level.ok_or(Malformed::Container(
            "an element of a vector set is on no possible level",
        ))?;
        let at = links.upper.len();
        links.push(level, layout);
        for level in 0..=level {
            let mut list = links.list_mut(at, level, layout).ok_or(CUT_SHORT)?;
            for _ in 0..self.number()? {
                if !list.push(self.small()?) {
                    return Err(Malformed::Container("an element of a vector set has too many links"));
                }
            }
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Malformed> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Malformed::Container("there is something behind a vector set")),
        }
    }
}

fn read(packed: Packed<'_>) -> Result<VectorSet, Malformed> {
    let mut reader = Reader::of(packed)?;
    let (set, count) = reader.head()?;
    let layout = set.frame.layout;
    let mut chunked = Chunked::default();
    for slot in 0..count {
        let body = chunked.body_for(slot, layout.bodies_shift).ok_or(CUT_SHORT)?;
        reader.element(&set, body)?;
    }
    for slot in 0..count {
        let links = chunked.links_for(slot, layout.links_shift).ok_or(CUT_SHORT)?;
        reader.links(&set, links)?;
    }
    reader.end()?;
    chunked.finish(set, count)
}

/// The set of a head without elements.
///
/// # Errors
/// What is wrong.
pub(super) fn read_head(head: &[u8]) -> Result<VectorSet, Malformed> {
    let mut reader = Reader::of(Packed::new(head))?;
    let (set, _) = reader.head()?;
    reader.end()?;
    Ok(set)
}

/// What a part has.
pub(super) enum Content {
    Body(Body),
    Links(Links),
}

/// A part of a set with this head: its first slot, and what it has.
///
/// # Errors
/// What is wrong.
pub(super) fn read_part(set: &VectorSet, packed: Packed<'_>) -> Result<(u64, Content), Malformed> {
    let mut reader = Reader::of(packed)?;
    let elements = reader.number()?.checked_sub(1).ok_or(CUT_SHORT)?;
    let (code, first, count) = (reader.number()?, reader.number()?, reader.number()?);
    let content = match (code, elements) {
        (CODE_BODY, elements) if elements == count => {
            let mut body = Body::default();
            for _ in 0..count {
                reader.element(set, &mut body)?;
            }
            Content::Body(body)
        }
        (CODE_LINKS, 0) => {
            let mut links = Links::default();
            for _ in 0..count {
                reader.links(set, &mut links)?;
            }
            Content::Links(links)
        }
        _ => return Err(Malformed::Container("a part of a vector set is none")),
    };
    reader.end()?;
    Ok((first, content))
}
