//! Parts of all kinds of containers under random changes, from printed seeds: they are whole, of the sizes they should
//! have, and say truly what has changed; what is taken apart is joined to the same.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::lsn::Lsn;
use crate::page::container::{Big, Kind};
use crate::page::hash::{self, HashOp};
use crate::page::held::Held;
use crate::page::join::{Joiner, Whole};
use crate::page::list::{self, ListOp};
use crate::page::packed::{Packed, pack};
use crate::page::set::{self, SetOp};
use crate::page::stream::{self, StreamId, StreamOp, ids_to_bytes};
use crate::page::text::{BigText, CHUNK_BYTES};
use crate::page::trie::Item;
use crate::page::vectors::{self, Quant, Shape, VectorOp};
use crate::page::zset::{self, ZsetOp, pack_pairs};
use crate::page::{Change, PageIds, thresholds};
use crate::shared::Shared;

const KINDS: [Kind; 6] = [
    Kind::List,
    Kind::Set,
    Kind::Zset,
    Kind::Hash,
    Kind::Stream,
    Kind::Vectors,
];

/// A container under change, and all parts that it ever had.
struct Case {
    kind: Kind,
    held: Held,
    ids: PageIds,
    lsn: u64,
    next_entry: u64,
    seen: HashMap<(PageId, Lsn), Vec<u8>>,
    random: StdRng,
}

impl Case {
    fn new(kind: Kind, seed: u64) -> Self {
        println!("{kind:?}: seed {seed}");
        Self {
            kind,
            held: Held::None,
            ids: PageIds::from(PageId::FIRST),
            lsn: 0,
            next_entry: 1,
            seen: HashMap::new(),
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// One record: `count` elements come or change, or some go.
    fn step(&mut self, count: usize, goes: bool) {
        self.lsn += 1;
        let mut held = std::mem::replace(&mut self.held, Held::None);
        let ids = PageIds::from(self.ids.peek());
        let change = Change {
            mark: Mark {
                lsn: Lsn::new(self.lsn),
                page_ids: Some(&ids),
            },
            thresholds: &thresholds::DEFAULT,
        };
        let was_big = matches!(held, Held::Big(_));
        self.change(&mut held, (count, goes), &change);
        if let (Held::Big(big), false) = (&mut held, was_big) {
            // As when it is put into an entry.
            big.adopt(change.mark);
        }
        self.ids = ids;
        self.held = held;
    }

    fn names(&mut self, count: usize) -> Vec<Vec<u8>> {
        let name = |random: &mut StdRng| format!("name-{:06}", random.random_range(0..9_000)).into_bytes();
        (0..count).map(|_| name(&mut self.random)).collect()
    }

    fn change(&mut self, held: &mut Held, (count, goes): (usize, bool), change: &Change<'_>) {
        let names = self.names(count);
        let plain = pack(names.iter().map(Vec::as_slice));
        let value = vec![b'v'; self.random.random_range(0..90)];
        let index = self
            .random
            .random_range(0..=held.value(self.kind).map_or(0, |value| value.len()));
        let front = self.random.random();
        match self.kind {
            Kind::Hash => {
                let pairs = pack(names.iter().flat_map(|name| [name.as_slice(), value.as_slice()]));
                let op = if goes {
                    HashOp::Remove { fields: &plain }
                } else if self.random.random_range(0..8) == 0 {
                    let expire_at_ms = self.random.random_range(0..3);
                    HashOp::ExpireAt {
                        fields: &plain,
                        expire_at_ms,
                    }
                } else {
                    let keeps_expiry = front;
                    HashOp::Set {
                        pairs: &pairs,
                        keeps_expiry,
                    }
                };
                held.change(self.kind, |form| hash::apply(form, &op, change));
            }
            Kind::Set => {
                let op = if goes {
                    SetOp::Remove { members: &plain }
                } else {
                    SetOp::Add { members: &plain }
                };
                held.change(self.kind, |form| set::apply(form, &op, change));
            }
            Kind::Zset => {
                let score = f64::from(self.random.random_range(0..99_u8));
                let scored = pack_pairs(names.iter().map(|name| (score, name.as_slice())));
                let op = match (goes, front) {
                    (false, _) => ZsetOp::Add { members: &scored },
                    (true, false) => ZsetOp::Remove { members: &plain },
                    (true, true) => ZsetOp::RemoveRange {
                        start: index,
                        len: count as u64,
                    },
                };
                held.change(self.kind, |form| zset::apply(form, &op, change));
            }
            Kind::List => {
                let elements: Vec<Vec<u8>> = names.iter().map(|name| [name.as_slice(), &value].concat()).collect();
                let elements = pack(elements.iter().map(Vec::as_slice));
                self.change_list(held, (index, front, goes), &elements, change);
            }
            Kind::Stream => self.change_stream(held, (count, index, goes), change),
            Kind::Vectors => self.change_vectors(held, &names, goes, change),
        }
    }

    fn change_list(&mut self, held: &mut Held, at: (u64, bool, bool), elements: &[u8], change: &Change<'_>) {
        let (index, front, goes) = at;
        let element = elements.get(3..20).unwrap_or(b"element");
        let count = Packed::new(elements).count() as u64;
        let op = match (goes, self.random.random_range(0..8)) {
            (true, 0) => ListOp::Remove { count, front, element },
            (true, 1) => ListOp::Trim {
                start: 1,
                len: u64::MAX,
            },
            (true, _) => ListOp::Pop { front, count },
            (false, 0) => ListOp::Set { index, element },
            (false, 1) => ListOp::Insert { index, element },
            (false, 2) => ListOp::Rotate {
                from_front: front,
                to_front: !front,
            },
            (false, _) => ListOp::Push { front, elements },
        };
        held.change(self.kind, |form| list::apply(form, &op, change));
    }

    fn change_stream(&mut self, held: &mut Held, (count, index, goes): (usize, u64, bool), change: &Change<'_>) {
        let id = |number: u64| StreamId::new(number, 1);
        if goes {
            let gone = ids_to_bytes((0..count as u64).map(|number| id(1 + index + number)));
            let op = match self.random.random_range(0..3) {
                0 => StreamOp::Trim { count: count as u64 },
                _ => StreamOp::Delete { ids: &gone },
            };
            return held.change(self.kind, |form| stream::apply(form, &op, change));
        }
        for name in self.names(count) {
            let fields = pack([b"field".as_slice(), &name]);
            let op = StreamOp::Add {
                id: id(self.next_entry),
                fields: &fields,
            };
            self.next_entry += 1;
            held.change(self.kind, |form| stream::apply(form, &op, change));
        }
        let op = StreamOp::GroupCreate {
            group: b"group",
            last_id: id(1),
            entries_read: None,
        };
        held.change(self.kind, |form| stream::apply(form, &op, change));
    }

    fn change_vectors(&mut self, held: &mut Held, names: &[Vec<u8>], goes: bool, change: &Change<'_>) {
        let shape = Shape {
            quant: Quant::Q8,
            m: 4,
            dim: 60,
            input_dim: None,
        };
        // Each changes many parts.
        for element in names.iter().take(8) {
            let vector: Vec<u8> = (0..60)
                .flat_map(|_| self.random.random::<f32>().to_le_bytes())
                .collect();
            let op = match (goes, self.random.random_range(0..3)) {
                (true, _) => VectorOp::Remove { element },
                (false, 0) => VectorOp::SetAttributes {
                    element,
                    attributes: &vector[..30],
                },
                (false, _) => VectorOp::Add {
                    element,
                    vector: &vector,
                    shape,
                    ef: 8,
                    attributes: None,
                },
            };
            held.change(self.kind, |form| vectors::apply(form, &op, change));
        }
    }

    /// Looks at the parts; how many there are.
    fn check(&mut self) -> usize {
        let Held::Big(big) = &self.held else { return 0 };
        if !big.is_parted() {
            assert!(big.parts().is_empty() && big.heap_bytes() < 2 * PARTED_BYTES_MIN);
            return 0;
        }
        let parts = big.parts();
        let packed: Vec<Vec<u8>> = (0..parts.len()).map(|index| big.pack_part(index)).collect();
        for (part, packed) in parts.iter().zip(&packed) {
            if self.kind != Kind::Vectors {
                self.kind.check(Packed::new(packed)).unwrap();
            }
            assert!(packed.len() as u64 <= 3 * PART_BYTES_MAX, "{}", packed.len());
            let content = sorted(self.kind, packed);
            // The same name means the same elements, always.
            let before = self
                .seen
                .entry((part.id, part.version))
                .or_insert_with(|| content.clone());
            assert!(
                *before == content,
                "part {} changed under version {}",
                part.id,
                part.version
            );
        }
        check_join(big, &parts, &packed);
        parts.len()
    }
}

/// What a part has, in an order that does not follow from chance: elements of a leaf have none.
fn sorted(kind: Kind, packed: &[u8]) -> Vec<u8> {
    if matches!(kind, Kind::List | Kind::Stream | Kind::Vectors) {
        return packed.to_vec();
    }
    let mut items: Vec<_> = Packed::new(packed)
        .items()
        .map(|item| item.bytes().into_owned())
        .collect();
    items.sort_unstable();
    items.concat()
}

fn check_join(big: &Big, parts: &[PartRef], packed: &[Vec<u8>]) {
    let written = big.pack_parted();
    let parted = Parted::decode(&written).unwrap();
    assert_eq!(parted.parts.iter().collect::<Vec<_>>(), parts);
    let mut joiner = Joiner::new(&parted).unwrap();
    for (part, packed) in parts.iter().zip(packed) {
        joiner.push(part, packed).unwrap();
    }
    joiner.settle();
    let joined = joiner.finish(1).unwrap();
    check_same(big, &joined, parts);
    // In two shares, as threads do it.
    let half = parts.len() / 2;
    let share = |range: std::ops::Range<usize>| {
        let mut joiner = Joiner::new(&parted).unwrap();
        range.for_each(|at| joiner.push(&parts[at], &packed[at]).unwrap());
        joiner.settle();
        joiner
    };
    let mut joiner = share(0..half);
    joiner.append(share(half..parts.len())).unwrap();
    check_same(big, &joiner.finish(2).unwrap(), parts);
    check_wrong(&parted, parts, packed);
}

fn check_same(big: &Big, joined: &Whole, parts: &[PartRef]) {
    assert_eq!(joined.parts(), parts);
    let Whole::Big(joined) = joined else { panic!("a string") };
    let (one, other) = (big.pack(), joined.pack());
    match big.kind() {
        kind @ (Kind::Set | Kind::Hash) => assert!(sorted(kind, &one) == sorted(kind, &other)),
        _ => assert!(one == other),
    }
}

/// A part that is missing, or is there twice, is seen.
fn check_wrong(parted: &Parted<'_>, parts: &[PartRef], packed: &[Vec<u8>]) {
    for wrong in [&packed[1..], &[packed, &packed[..1]].concat()] {
        let mut joiner = Joiner::new(parted).unwrap();
        let all = parts.iter().chain(&parts[..1]).zip(wrong);
        let fails = all.into_iter().any(|(part, packed)| joiner.push(part, packed).is_err());
        assert!(fails || joiner.finish(1).is_err());
    }
}

#[test]
fn parts_say_truly_what_has_changed() {
    for kind in KINDS {
        let mut case = Case::new(kind, rand::random());
        let (mut most, mut rounds) = (0, 0);
        for round in 0..300 {
            let goes = if round / 100 == 1 {
                round % 3 != 0
            } else {
                round % 5 == 0
            };
            let count = case.random.random_range(1..60);
            case.step(count, goes);
            if round % 5 == 0 {
                let parts = case.check();
                most = parts.max(most);
                rounds += usize::from(parts > 1);
            }
        }
        assert!(
            most > 9 && rounds > 30,
            "{kind:?}: {most} parts, {rounds} times more than one"
        );
    }
}

#[test]
fn one_change_changes_one_part() {
    // One of a vector set changes the links of many elements.
    for kind in KINDS.into_iter().filter(|kind| *kind != Kind::Vectors) {
        let mut case = Case::new(kind, rand::random());
        while case.held.value(kind).map_or(0, |value| value.rough_bytes()) < 128 << 10 {
            case.random = StdRng::seed_from_u64(case.lsn);
            case.step(100, false);
            if case.lsn > 500 {
                break;
            }
        }
        let parts = |case: &Case| match &case.held {
            Held::Big(big) => big.parts(),
            _ => panic!("not big"),
        };
        let before = parts(&case);
        assert!(before.len() > 5, "{kind:?}: {}", before.len());
        for _ in 0..20 {
            let before = parts(&case);
            case.step(1, false);
            let fresh = parts(&case).iter().filter(|part| !before.contains(part)).count();
            // Rotating a list changes both its ends; a part may have been divided.
            assert!(fresh <= 3, "{kind:?}: {fresh}");
        }
        case.check();
    }
}

#[test]
fn a_copy_elsewhere_has_names_of_its_own() {
    for kind in KINDS {
        let mut case = Case::new(kind, rand::random());
        for _ in 0..40 {
            case.step(100, false);
        }
        let Held::Big(big) = &case.held else { panic!("not big") };
        let parts = big.parts();
        let mut copy = big.clone();
        let (ids, lsn) = (PageIds::from(PageId::new(1 << 40)), Lsn::new(1 << 30));
        copy.adopt(Mark {
            lsn,
            page_ids: Some(&ids),
        });
        let copied = copy.parts();
        assert_eq!(copied.len(), parts.len());
        assert!(
            copied
                .iter()
                .all(|part| part.id.get() >= 1 << 40 && part.version == lsn)
        );
        assert_eq!(big.parts(), parts);
        copy.adopt(Mark::APART);
        assert!(!copy.is_parted());
    }
}

#[test]
fn a_long_string_has_its_chunks_for_parts() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let ids = PageIds::from(PageId::FIRST);
    let mark = |lsn: u64| Mark {
        lsn: Lsn::new(lsn),
        page_ids: Some(&ids),
    };
    let mut text = BigText::on(Shared::new(vec![b'a'; 5 * CHUNK_BYTES + 77]));
    assert!(!text.is_parted());
    text.adopt(mark(1));
    let mut seen = HashMap::new();
    for lsn in 2..200 {
        let before = text.clone();
        let (offset, len) = (
            random.random_range(0..text.len() + 9_000),
            random.random_range(1..3_000),
        );
        drop(text.write(offset, &vec![random.random(); len], mark(lsn)));
        let (old, parts) = (before.parts(), text.parts());
        let fresh = parts.iter().filter(|part| !old.contains(part)).count();
        let touched = (offset + len - 1) / CHUNK_BYTES - offset.min(before.len() - 1) / CHUNK_BYTES + 1;
        assert!(fresh <= touched, "{fresh} of {touched}");
        let parted = text.pack_parted();
        let mut joiner = Joiner::new(&Parted::decode(&parted).unwrap()).unwrap();
        for (index, part) in parts.iter().enumerate() {
            let piece = text.part_piece(index).unwrap();
            let known = seen
                .entry((part.id, part.version))
                .or_insert_with(|| piece.bytes().to_vec());
            assert!(*known == piece.bytes(), "part {} changed under its version", part.id);
            joiner.push(part, piece.bytes()).unwrap();
        }
        let joined = joiner.finish(1).unwrap();
        let bytes = joined.value().as_str().unwrap().contiguous().into_owned();
        assert!(bytes == *text.part(0..text.len()));
        assert_eq!(joined.parts(), parts);
    }
}

/// Whatever its neighbours have: a part without an element would be none that can be read back.
#[test]
fn a_part_that_is_emptied_goes() {
    let ids = PageIds::from(PageId::FIRST);
    let mark = Mark {
        lsn: Lsn::FIRST,
        page_ids: Some(&ids),
    };
    let name = |number: u32| format!("name-{number:06}").into_bytes();
    let item = |number| Item::new(&name(number), None, None);
    for seed in 0..40 {
        let mut trie = PartedTrie::build(seed, (0..900).map(item), mark);
        let parts = trie.parts();
        let [left, start, end] = [1, 2, 3].map(|at| parts[at].start);
        let right = parts[4].start;
        let is_in =
            |trie: &PartedTrie, number, range: std::ops::Range<u64>| range.contains(&trie.hash_of(&name(number)));
        // Its neighbours have no room for more.
        for number in 900..20_000 {
            for range in [left..start, end..right] {
                let at = trie.parts().iter().rposition(|part| part.start <= range.start).unwrap();
                let bytes: u64 = trie.items_of(at).map(|item| item.heap_bytes() as u64).sum();
                if bytes <= PART_BYTES_NEW + 64 && is_in(&trie, number, range) {
                    trie.insert(item(number), mark);
                }
            }
        }
        let gone = (0..20_000).filter(|number| is_in(&trie, *number, start..end));
        gone.collect::<Vec<_>>()
            .into_iter()
            .for_each(|number| drop(trie.remove(&name(number), mark)));
        let count = trie.parts().len();
        assert!((0..count).all(|at| trie.items_of(at).next().is_some()), "seed {seed}");
    }
}
