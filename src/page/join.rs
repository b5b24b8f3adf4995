//! Big containers and long strings to parts, and from parts again.
//!
//! **Invariant:** what is joined is what was taken apart, in the same parts with the same identities; else it is an
//! error.

use super::container::{Big, Kind};
use super::hash::{self, BigHash};
use super::list::{BigList, Chunks};
use super::malformed::Malformed;
use super::packed::{FLAG_WIDE, Packed};
use super::parts::{Part, PartList, PartRef, Parted, PartedTrie, Span};
use super::set::{self, BigSet};
use super::stream::{self, BigStream, Nodes};
use super::text::{BigText, TextParts};
use super::trie::{Item, KeyHash, Seeded};
use super::value::{StrRef, ValueRef, ValueType};
use super::vectors::{Chunked, VectorSet};
use super::zset::{self, BigZset};
use crate::shared::{Piece, Shared};

/// More elements than a part has: no number in a file makes room for more.
const PART_ELEMENTS_MAX: usize = 32 << 10;

impl Big {
    /// Its parts; each has a name once it is in a collection.
    pub fn parts(&self) -> Vec<PartRef> {
        match self {
            Self::List(list) => list.parts(),
            Self::Set(set) => set.trie().parts(),
            Self::Zset(zset) => zset.trie().parts(),
            Self::Hash(hash) => hash.trie().parts(),
            Self::Stream(stream) => stream.parts(),
            Self::Vectors(set) => set.parts(),
        }
    }

    /// The elements of a part as a packed container.
    pub fn pack_part(&self, index: usize) -> Vec<u8> {
        match self {
            Self::List(list) => list.pack_part(index),
            Self::Set(set) => set.pack_part(index),
            Self::Zset(zset) => zset.pack_part(index),
            Self::Hash(hash) => hash.pack_part(index),
            Self::Stream(stream) => stream.pack_part(index),
            Self::Vectors(set) => set.pack_part(index),
        }
    }

    /// All but its elements, with its parts by name: what a page has of it.
    pub fn pack_parted(&self) -> Vec<u8> {
        let seed = |trie: &PartedTrie| trie.seed().to_le_bytes().to_vec();
        let head = match self {
            Self::List(_) => Vec::new(),
            Self::Set(set) => seed(set.trie()),
            Self::Zset(zset) => seed(zset.trie()),
            Self::Hash(hash) => seed(hash.trie()),
            Self::Stream(stream) => stream.pack_head(),
            Self::Vectors(set) => set.pack_head(),
        };
        let parted = Parted {
            kind: ValueType::Container(self.kind()),
            flags: u8::from(self.is_wide()) * FLAG_WIDE,
            elements: self.len(),
            head: &head,
            parts: PartList::EMPTY,
        };
        parted.encode(self.parts().into_iter())
    }
}

impl BigText {
    /// All but its bytes: what a page has of it.
    pub fn pack_parted(&self) -> Vec<u8> {
        let parted = Parted {
            kind: ValueType::Str,
            flags: 0,
            elements: self.len() as u64,
            head: &[],
            parts: PartList::EMPTY,
        };
        parted.encode(self.parts().into_iter())
    }
}

/// A value that is in parts. Cloning shares.
#[derive(Clone, Debug)]
pub enum Whole {
    /// A container.
    Big(Big),
    /// A long string.
    Text(BigText),
}

impl Whole {
    /// A share of `value`, if that is in parts.
    pub fn of(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Big(big) if big.is_parted() => Some(Self::Big(big.clone())),
            ValueRef::Str(StrRef::Chunked(text)) if text.is_parted() => Some(Self::Text(text.clone())),
            ValueRef::Str(_) | ValueRef::Packed(..) | ValueRef::Big(_) => None,
        }
    }

    /// For reading.
    pub fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Big(big) => ValueRef::Big(big),
            Self::Text(text) => ValueRef::Str(StrRef::Chunked(text)),
        }
    }

    /// Its parts; each has a name once it is in a collection.
    pub fn parts(&self) -> Vec<PartRef> {
        match self {
            Self::Big(big) => big.parts(),
            Self::Text(text) => text.parts(),
        }
    }

    /// All but its elements or bytes: what a page has of it.
    pub fn pack_parted(&self) -> Vec<u8> {
        match self {
            Self::Big(big) => big.pack_parted(),
            Self::Text(text) => text.pack_parted(),
        }
    }

    /// What a part has.
    pub fn part(&self, index: usize) -> Piece {
        match self {
            Self::Big(big) => Shared::new(big.pack_part(index)).into(),
            Self::Text(text) => text.part_piece(index).unwrap_or_else(|| Shared::default().into()),
        }
    }
}

/// Makes a value of its parts, which come one after another.
pub struct Joiner {
    is_wide: bool,
    elements: u64,
    found: u64,
    form: Form,
}

enum Form {
    Text(TextParts),
    Hashed(Kind, Hashed),
    List(Chunks, Vec<(u64, PartRef)>),
    Stream(Box<BigStream>, Nodes, Vec<(u64, PartRef)>),
    Vectors(Box<VectorSet>, Chunked),
}

/// What a trie is being made of.
struct Hashed {
    seed: u64,
    /// Items with their hashes, as they were joined by one after another: never moved to be together.
    runs: Vec<Vec<(u64, Item)>>,
    spans: Vec<Span>,
    /// The greatest hash so far.
    last: u64,
    /// Of a sorted set, the members in their order, as far as they are settled.
    order: Option<zset::Order>,
    /// Whether some element may have an expiry.
    is_timed: bool,
}

impl Joiner {
    /// Of the container that a page has so.
    ///
    /// # Errors
    /// When the head is not one.
    pub fn new(parted: &Parted<'_>) -> Result<Self, Malformed> {
        let form = match parted.kind {
            ValueType::Str => Form::Text(TextParts::default()),
            ValueType::Container(kind @ (Kind::Set | Kind::Zset | Kind::Hash)) => {
                let hashed = Hashed {
                    seed: seed_of(parted.head)?,
                    runs: vec![Vec::new()],
                    spans: Vec::new(),
                    last: 0,
                    order: (kind == Kind::Zset).then(zset::Order::default),
                    is_timed: false,
                };
                Form::Hashed(kind, hashed)
            }
            ValueType::Container(Kind::List) => Form::List(Chunks::default(), Vec::new()),
            ValueType::Container(Kind::Vectors) => {
                Form::Vectors(Box::new(VectorSet::of_head(parted.head)?), Chunked::default())
            }
            ValueType::Container(Kind::Stream) => {
                let head = Packed::new(parted.head);
                stream::check(head)?;
                Form::Stream(Box::new(BigStream::unpack(head)), Nodes::default(), Vec::new())
            }
        };
        Ok(Self {
            is_wide: parted.flags & FLAG_WIDE != 0,
            elements: parted.elements,
            found: 0,
            form,
        })
    }

    /// Makes room for the elements of some of the value's parts.
    pub fn reserve(&mut self, parts: usize, all_parts: usize) {
        let Form::Hashed(_, hashed) = &mut self.form else {
            return;
        };
        let mean = usize::try_from(self.elements).unwrap_or(usize::MAX) / all_parts.max(1);
        let count = parts.saturating_mul(mean.min(PART_ELEMENTS_MAX));
        // Some parts have more than others. What is not needed stays untouched; growing would copy all.
        let count = count.saturating_add(count / 32);
        if let Some(items) = hashed.runs.last_mut() {
            items.reserve_exact(count);
        }
        if let Some(order) = &mut hashed.order {
            order.reserve(count);
        }
    }

    /// Takes the next part.
    ///
    /// # Errors
    /// When it is not that.
    pub fn push(&mut self, part: &PartRef, content: &[u8]) -> Result<(), Malformed> {
        let kind = match &self.form {
            Form::Text(_) => None,
            Form::Hashed(kind, _) => Some(*kind),
            Form::List(..) => Some(Kind::List),
            Form::Stream(..) => Some(Kind::Stream),
            Form::Vectors(..) => Some(Kind::Vectors),
        };
        let packed = Packed::new(content);
        let found = match kind {
            None => content.len() as u64,
            Some(kind) => {
                kind.check_part(packed)?;
                kind.len(packed)
            }
        };
        self.found = self.found.saturating_add(found);
        if let Form::Hashed(_, hashed) = &mut self.form {
            hashed.is_timed |= packed.is_timed();
        }
        match &mut self.form {
            Form::Text(chunks) => chunks.push(part, content)?,
            Form::Hashed(Kind::Set, hashed) => hashed.push(part, set::members(packed))?,
            Form::Hashed(Kind::Zset, hashed) => hashed.push(part, zset::pairs(packed))?,
            Form::Hashed(_, hashed) => hashed.push(part, hash::pairs(packed))?,
            Form::List(chunks, parts) => parts.push((chunks.push(packed), *part)),
            Form::Stream(_, nodes, parts) => parts.push((nodes.push(packed)?, *part)),
            Form::Vectors(head, chunks) => chunks.push(head, part, packed)?,
        }
        Ok(())
    }

    /// Does what can be done before the other parts are there: so that threads can share it.
    pub fn settle(&mut self) {
        if let Form::Hashed(_, hashed) = &mut self.form
            && let Some(order) = &mut hashed.order
        {
            order.settle();
        }
    }

    /// Takes the parts behind its own, which have been joined by themselves; both are settled.
    ///
    /// # Errors
    /// When they do not belong there.
    pub fn append(&mut self, other: Self) -> Result<(), Malformed> {
        self.found = self.found.saturating_add(other.found);
        match (&mut self.form, other.form) {
            (Form::Text(chunks), Form::Text(other)) => chunks.append(other),
            (Form::Hashed(_, hashed), Form::Hashed(_, other)) => hashed.append(other),
            (Form::List(chunks, parts), Form::List(other, mut behind)) => {
                chunks.append(other);
                parts.append(&mut behind);
                Ok(())
            }
            (Form::Stream(_, nodes, parts), Form::Stream(_, other, mut behind)) => {
                parts.append(&mut behind);
                nodes.append(other)
            }
            (Form::Vectors(_, chunks), Form::Vectors(_, other)) => {
                chunks.append(other);
                Ok(())
            }
            _ => Err(OUT_OF_PLACE),
        }
    }

    /// The value, once it is settled, made by so many threads.
    ///
    /// # Errors
    /// When it has not as many elements as it should.
    pub fn finish(self, threads: usize) -> Result<Whole, Malformed> {
        let is_wide = self.is_wide;
        let whole = match self.form {
            Form::Text(chunks) => Whole::Text(BigText::of_parts(chunks)),
            Form::Hashed(kind, hashed) => Whole::Big(hashed.finish(kind, is_wide, threads)),
            Form::List(chunks, parts) => Whole::Big(Big::List(BigList::of_parts(chunks, &parts))),
            Form::Stream(head, nodes, parts) => Whole::Big(Big::Stream(head.with_entries(nodes, &parts)?)),
            Form::Vectors(head, chunks) => Whole::Big(Big::Vectors(chunks.finish(*head, self.elements)?)),
        };
        // An element that is in two parts counts once in the whole.
        if whole.value().len() != self.elements || self.found != self.elements {
            return Err(Malformed::Container("parts have not the elements that they should"));
        }
        Ok(whole)
    }
}

impl Hashed {
    fn finish(self, kind: Kind, is_wide: bool, threads: usize) -> Big {
        let Self {
            seed,
            runs,
            spans,
            order,
            is_timed,
            ..
        } = self;
        let trie = |threads| PartedTrie::of_parts(seed, runs, spans, threads);
        match (kind, order) {
            (_, Some(order)) if threads > 1 => std::thread::scope(|scope| {
                let trie = scope.spawn(move || trie(threads / 2));
                let order = order.finish();
                // A panic has ended the process.
                let trie = trie
                    .join()
                    .unwrap_or_else(|_| PartedTrie::of_parts(seed, Vec::new(), Vec::new(), 1));
                Big::Zset(BigZset::of_parts(trie, order, is_wide, is_timed))
            }),
            (_, Some(order)) => Big::Zset(BigZset::of_parts(trie(1), order.finish(), is_wide, is_timed)),
            (Kind::Set, None) => Big::Set(BigSet::of_parts(trie(threads), is_wide, is_timed)),
            (_, None) => Big::Hash(BigHash::of_parts(trie(threads), is_wide, is_timed)),
        }
    }

    fn push(&mut self, part: &PartRef, items: impl Iterator<Item = Item>) -> Result<(), Malformed> {
        if !self.spans.is_empty() && self.last >= part.start {
            return Err(OUT_OF_PLACE);
        }
        let Some(run) = self.runs.last_mut() else {
            return Err(OUT_OF_PLACE);
        };
        let (hasher, first, mut bytes) = (Seeded::new(self.seed), run.len(), 0);
        for mut item in items {
            let hash = hasher.hash(item.key());
            if hash < part.start {
                return Err(OUT_OF_PLACE);
            }
            self.last = self.last.max(hash);
            bytes += item.heap_bytes() as u64;
            if let Some(order) = &mut self.order {
                order.add(item.share());
            }
            run.push((hash, item));
        }
        // So the whole is sorted, too.
        if let Some(own) = run.get_mut(first..) {
            own.sort_unstable_by_key(|(hash, _)| *hash);
        }
        self.spans.push(Span {
            start: part.start,
            part: Part::known(part, bytes),
        });
        Ok(())
    }

    fn append(&mut self, mut other: Self) -> Result<(), Malformed> {
        let start = other.spans.first().map(|span| span.start);
        if !self.spans.is_empty() && start.is_some_and(|start| self.last >= start) {
            return Err(OUT_OF_PLACE);
        }
        self.last = self.last.max(other.last);
        self.is_timed |= other.is_timed;
        self.runs.append(&mut other.runs);
        self.spans.append(&mut other.spans);
        if let (Some(order), Some(other)) = (&mut self.order, other.order) {
            order.append(other);
        }
        Ok(())
    }
}

const OUT_OF_PLACE: Malformed = Malformed::Container("an element is in a part where it does not belong");

fn seed_of(head: &[u8]) -> Result<u64, Malformed> {
    let bytes = head
        .try_into()
        .map_err(|_| Malformed::Container("a container in parts has no seed"))?;
    Ok(u64::from_le_bytes(bytes))
}
