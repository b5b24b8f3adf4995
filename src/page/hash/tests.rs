//! Both forms against the obvious one, from printed seeds.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::page::Change;
use crate::page::container::{Big, Kind};
use crate::page::held::Held;
use crate::page::packed::{Packed, pack};
use crate::page::thresholds;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

fn step(held: &mut Held, op: &HashOp<'_>) {
    held.change(Kind::Hash, |form| apply(form, op, &Change::apart(&thresholds::DEFAULT)));
}

fn view(held: &Held) -> Option<HashRef<'_>> {
    HashRef::of(held.value(Kind::Hash)?)
}

fn content(held: &Held) -> Model {
    let mut content = Model::new();
    if let Some(view) = view(held) {
        let _ = view.for_each(|field| {
            let row = (field.value.bytes().into_owned(), field.expire_at_ms.unwrap_or(0));
            assert!(content.insert(field.name.bytes().into_owned(), row).is_none());
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(view.len(), content.len() as u64);
    }
    content
}
fn check_times(held: &Held, model: &Model) {
    let Some(view) = view(held) else { return };
    let first = model.values().map(|row| row.1).filter(|at_ms| *at_ms != 0).min();
    assert_eq!(view.expire_min_ms(), first);
    let mut dead = view.dead(500, usize::MAX);
    dead.sort();
    let is_dead = |row: &(Vec<u8>, u64)| row.1 != 0 && row.1 <= 500;
    let expected: Vec<_> = model
        .iter()
        .filter(|(_, row)| is_dead(row))
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(dead, expected);
}

#[test]
fn both_forms_do_as_the_model() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut held, mut model) = (Held::None, Model::new());
    let mut kept = (held.clone(), model.clone());
    for round in 0..20_000 {
        let range = if round / 4000 % 2 == 0 { 1500 } else { 40 };
        let names: Vec<Vec<u8>> = (0..random.random_range(1..5))
            .map(|_| format!("{}", random.random_range(0..range)).into_bytes())
            .collect();
        let packed = pack(names.iter().map(Vec::as_slice));
        match random.random_range(0..if range == 40 { 8 } else { 20 }) {
            0..4 => {
                step(&mut held, &HashOp::Remove { fields: &packed });
                model.retain(|name, _| !names.contains(name));
            }
            4..6 => {
                let expire_at_ms = random.random_range(0..1000);
                let fields = &packed;
                step(&mut held, &HashOp::ExpireAt { fields, expire_at_ms });
                for name in &names {
                    model.entry(name.clone()).and_modify(|row| row.1 = expire_at_ms);
                }
            }
            _ => {
                let keeps_expiry = random.random_bool(0.3);
                let value = vec![b'v'; random.random_range(0..80)];
                let pairs = pack(names.iter().flat_map(|name| [name.as_slice(), &value]));
                step(
                    &mut held,
                    &HashOp::Set {
                        pairs: &pairs,
                        keeps_expiry,
                    },
                );
                for name in names {
                    let row = model.entry(name).or_default();
                    *row = (value.clone(), if keeps_expiry { row.1 } else { 0 });
                }
            }
        }
        if round % 101 == 0 {
            assert_eq!(content(&held), model);
            check_times(&held, &model);
            assert_eq!(content(&kept.0), kept.1, "a clone has changed");
            kept = (held.clone(), model.clone());
            if let Held::Big(big) = &held {
                let packed = big.pack();
                check(Packed::new(&packed)).unwrap();
                let again = Held::Big(Big::unpack(Kind::Hash, Packed::new(&packed)));
                assert_eq!(content(&again), model);
                check_times(&again, &model);
            }
        }
    }
}

/// Done field by field on the packed form, this would take many minutes.
#[test]
fn a_large_batch_takes_time_in_proportion() {
    let name = |number: u32| format!("field-{number}").into_bytes();
    let set = |held: &mut Held, numbers: &[u32], value: &[u8], keeps_expiry| {
        let names: Vec<Vec<u8>> = numbers.iter().map(|number| name(*number)).collect();
        let pairs = pack(names.iter().flat_map(|name| [name.as_slice(), value]));
        let pairs = &pairs;
        step(held, &HashOp::Set { pairs, keeps_expiry });
    };
    // Each twice, and of those that are there all.
    let many: Vec<u32> = (0..150_000).chain(0..150_000).collect();
    for keeps_expiry in [false, true] {
        let (mut fresh, mut small) = (Held::None, Held::None);
        set(&mut small, &[1, 7], b"old", false);
        let timed = pack([&*name(7)]);
        let expire_at_ms = 400;
        step(
            &mut small,
            &HashOp::ExpireAt {
                fields: &timed,
                expire_at_ms,
            },
        );
        set(&mut fresh, &many, b"new", keeps_expiry);
        set(&mut small, &many, b"new", keeps_expiry);
        let mut model: Model = (0..150_000)
            .map(|number| (name(number), (b"new".to_vec(), 0)))
            .collect();
        assert_eq!(content(&fresh), model);
        model.insert(name(7), (b"new".to_vec(), if keeps_expiry { 400 } else { 0 }));
        assert_eq!(content(&small), model);
        check_times(&small, &model);
        assert!(small.value(Kind::Hash).unwrap().is_wide());
    }
}

#[test]
fn changing_all_fields_of_a_small_one_leaves_it_small() {
    let names: Vec<Vec<u8>> = (0..128_u8).map(|number| vec![b'f', number]).collect();
    let mut held = Held::None;
    for value in [&b"1"[..], b"2", b"3"] {
        let pairs = pack(names.iter().flat_map(|name| [name.as_slice(), value]));
        let keeps_expiry = false;
        step(
            &mut held,
            &HashOp::Set {
                pairs: &pairs,
                keeps_expiry,
            },
        );
        assert!(matches!(held, Held::Packed(_)));
        assert!(!held.value(Kind::Hash).unwrap().is_wide());
    }
}
