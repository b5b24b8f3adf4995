//! Sets as bytes: whole, in parts, from elsewhere, and damaged.

use super::*;
use crate::lsn::Lsn;
use crate::page::join::Joiner;
use crate::page::parts::{PartRef, Parted};
use crate::page::value::ValueRef;
use crate::page::{Packed, PageIds};

fn filled(count: usize) -> VectorSet {
    let mut clusters = Clusters::new(21, 9, 20, 0.4);
    let mut set = VectorSet::new(shape(Quant::Q8, 20, 6));
    for number in 0..count {
        let attributes = (number % 2 == 0).then_some(&b"{}"[..]);
        add(
            &mut set,
            format!("e{number}").as_bytes(),
            &clusters.vector(),
            attributes,
        );
    }
    set
}

fn joined(set: &VectorSet, threads: usize) -> VectorSet {
    let big = Big::Vectors(set.clone());
    let head = big.pack_parted();
    let parted = Parted::decode(&head).unwrap();
    let parts: Vec<PartRef> = parted.parts.iter().collect();
    let mut joiners = parts
        .chunks(parts.len().div_ceil(threads))
        .enumerate()
        .map(|(at, portion)| {
            let mut joiner = Joiner::new(&parted).unwrap();
            for (index, part) in portion.iter().enumerate() {
                let index = at * parts.len().div_ceil(threads) + index;
                joiner.push(part, &big.pack_part(index)).unwrap();
            }
            joiner.settle();
            joiner
        });
    let mut first = joiners.next().unwrap();
    joiners.for_each(|joiner| first.append(joiner).unwrap());
    match first.finish(threads).unwrap().value() {
        ValueRef::Big(Big::Vectors(set)) => set.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_set_in_parts_is_the_same_in_the_same_parts() {
    let mut set = filled(500);
    let ids = PageIds::from(crate::page::PageId::FIRST);
    let mark = |lsn| Mark {
        lsn: Lsn::new(lsn),
        page_ids: Some(&ids),
    };
    assert!(!set.is_parted());
    set.adopt(mark(7));
    assert!(set.is_parted());
    let parts = set.parts();
    assert!(parts.len() > 10 && parts.iter().all(|part| part.version == Lsn::new(7)));
    for threads in [1, 3] {
        let mut read = joined(&set, threads);
        assert_eq!((read.digest(), read.parts()), (set.digest(), parts.clone()));
        // And it goes on in the same way.
        let mut copy = set.clone();
        for set in [&mut read, &mut copy] {
            let element = b"e77";
            set.apply(&VectorOp::Remove { element }, mark(8));
        }
        assert_eq!(read.digest(), copy.digest());
    }
}

#[test]
fn only_parts_that_changed_have_another_version() {
    let mut set = filled(500);
    let ids = PageIds::from(crate::page::PageId::FIRST);
    let mark = |lsn| Mark {
        lsn: Lsn::new(lsn),
        page_ids: Some(&ids),
    };
    set.adopt(mark(7));
    let packed = |set: &VectorSet| -> Vec<(PartRef, Vec<u8>)> {
        let parts = set.parts().into_iter().enumerate();
        parts.map(|(index, part)| (part, set.pack_part(index))).collect()
    };
    for lsn in 8..60 {
        let before = packed(&set);
        let element = format!("e{}", lsn * 7);
        let element = element.as_bytes();
        let op = match lsn % 3 {
            0 => VectorOp::SetAttributes {
                element,
                attributes: b"{\"a\":1}",
            },
            1 => VectorOp::Remove { element },
            _ => VectorOp::Add {
                element,
                vector: &bytes_of(&[lsn as f32; 20]),
                shape: set.shape(),
                ef: 50,
                attributes: None,
            },
        };
        set.apply(&op, mark(lsn));
        let after = packed(&set);
        for (part, bytes) in &after {
            let same = before.iter().find(|(old, _)| old.id == part.id);
            let Some((old, old_bytes)) = same else {
                assert_eq!(part.version, Lsn::new(lsn));
                continue;
            };
            assert!(old.version == part.version && old_bytes == bytes || part.version == Lsn::new(lsn));
        }
        let changed = after.iter().filter(|(part, _)| part.version == Lsn::new(lsn)).count();
        if lsn % 3 == 0 {
            assert_eq!(changed, 1, "attributes are in one part");
        }
    }
    // As it shrinks it is in parts no more, and again when it grows.
    (0..490).for_each(|number| {
        set.apply(
            &VectorOp::Remove {
                element: format!("e{number}").as_bytes(),
            },
            mark(70),
        )
    });
    assert!(!set.is_parted() && set.parts().is_empty());
}

#[test]
fn a_graph_from_elsewhere_is_made_whole() {
    let set = filled(300);
    let mut restore = Restore::new(set.shape());
    set.nodes().for_each(|node| restore.push(&node).unwrap());
    let restored = restore.finish(set.added());
    check_whole(&restored);
    assert!(
        restored
            .nodes()
            .zip(set.nodes())
            .all(|(one, other)| one.links == other.links)
    );

    // Links that lead nowhere, one way or to itself; elements without any.
    let mut restore = Restore::new(set.shape());
    let wrong = [1, 1, 2, 400, u32::MAX];
    for (at, mut node) in set.nodes().enumerate() {
        match at % 3 {
            0 => node.links.truncate(1),
            1 => node.links = vec![&wrong; if at < 60 { 3 } else { 1 }],
            _ => node.links = vec![&[]],
        }
        restore.push(&node).unwrap();
        restore.push(&node).unwrap_err();
    }
    // Each level takes room, so that not all may be on many.
    let mut tall = Restore::new(set.shape());
    let pushed = set.nodes().map(|mut node| {
        node.links = vec![&[]; 4];
        tall.push(&node)
    });
    assert!(pushed.last().unwrap().is_err());
    let restored = restore.finish(0);
    check_whole(&restored);
    assert_eq!(restored.added(), 300);
    assert_eq!(unreachable(&restored), 0);
    check_whole(&Restore::new(set.shape()).finish(0));
}

#[test]
fn damaged_bytes_are_errors_or_whole_sets() {
    let set = filled(60);
    let packed = set.pack();
    for len in 0..packed.len() {
        assert!(check(Packed::new(&packed[..len])).is_err(), "{len}");
    }
    let mut random = SmallRng::seed_from_u64(22);
    let mut refused = 0;
    for _ in 0..4000 {
        let mut bytes = packed.clone();
        for _ in 0..random.random_range(1..3) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = [random.random(), bytes[at] ^ 1, 0xff, 0][random.random_range(0..4)];
        }
        match check(Packed::new(&bytes)) {
            Err(_) => refused += 1,
            Ok(()) => {
                let mut read = VectorSet::unpack(Packed::new(&bytes));
                let vector = vec![0.5; read.shape().given_dim() as usize];
                read.search(Query::Vector(&vector), plainly(3, 10)).unwrap();
                let first = read.at(0).unwrap().to_vec();
                remove(&mut read, &first);
                check_whole(&read);
            }
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn damaged_parts_are_errors_or_whole_sets() {
    let mut set = filled(300);
    let ids = PageIds::from(crate::page::PageId::FIRST);
    set.adopt(Mark {
        lsn: Lsn::new(1),
        page_ids: Some(&ids),
    });
    let big = Big::Vectors(set.clone());
    let head = big.pack_parted();
    let parted = Parted::decode(&head).unwrap();
    let parts: Vec<PartRef> = parted.parts.iter().collect();
    let mut random = SmallRng::seed_from_u64(23);
    let mut refused = 0;
    for _ in 0..300 {
        let bad = random.random_range(0..parts.len());
        let mut joiner = Joiner::new(&parted).unwrap();
        let mut outcome = Ok(());
        for (index, part) in parts.iter().enumerate() {
            let mut bytes = big.pack_part(index);
            if index == bad {
                let at = random.random_range(0..bytes.len().min(40));
                bytes[at] ^= 1 << random.random_range(0..8);
            }
            outcome = outcome.and_then(|()| joiner.push(part, &bytes));
        }
        refused += usize::from(outcome.is_err() || joiner.finish(1).is_err());
    }
    assert!(refused > 50, "{refused}");
    // One too few, and in another order.
    for order in [1..parts.len(), 0..parts.len() - 1] {
        let mut joiner = Joiner::new(&parted).unwrap();
        order.for_each(|index| joiner.push(&parts[index], &big.pack_part(index)).unwrap());
        assert!(joiner.finish(1).is_err());
    }
}

/// A product of vectors that are longer than any server makes them is no number.
#[test]
fn vectors_that_are_too_long_are_refused() {
    let floats = |value: f32| value.to_le_bytes().repeat(4);
    let push = |quant, bytes: &[u8], range| {
        let raw = Raw {
            bytes,
            range,
            norm: 1.0,
        };
        let node = Node {
            element: b"e",
            attributes: None,
            raw,
            links: vec![&[]],
        };
        Restore::new(shape(quant, 4, 4)).push(&node)
    };
    push(Quant::F32, &floats(1e18), 0.0).unwrap();
    push(Quant::F32, &floats(1e19), 0.0).unwrap_err();
    push(Quant::Q8, &[127; 4], 1e18).unwrap();
    push(Quant::Q8, &[127; 4], 1e19).unwrap_err();
    push(Quant::Q8, &[127; 4], f32::NAN).unwrap_err();
}

/// Redis leaves chance bytes where a range would be, and keeps components that are no numbers.
#[test]
fn vectors_of_redis_that_are_no_numbers_are_taken() {
    let bytes = [f32::NAN, 1.0, f32::INFINITY, 0.0].map(f32::to_le_bytes).concat();
    for (quant, bytes) in [(Quant::F32, bytes), (Quant::Bin, 5_u64.to_le_bytes().to_vec())] {
        let mut restore = Restore::new(shape(quant, 4, 4));
        let raw = Raw {
            bytes: &bytes,
            range: f32::NEG_INFINITY,
            norm: f32::NAN,
        };
        let node = Node {
            element: b"e",
            attributes: None,
            raw,
            links: vec![&[]],
        };
        restore.push(&node).unwrap();
        let set = restore.finish(1);
        let kept = set.nodes().next().unwrap().raw;
        assert_eq!(kept.range, 0.0);
        assert!(kept.is_sound(&set.shape()) && kept.norm.is_nan());
    }
}
