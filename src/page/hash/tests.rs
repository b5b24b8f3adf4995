//! Both forms against the obvious one, from printed seeds.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::page::container::{Big, Kind};
use crate::page::held::Held;
use crate::page::packed::{Packed, pack};
use crate::page::thresholds;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

fn step(held: &mut Held, op: &HashOp<'_>) {
    held.change(Kind::Hash, |form| apply(form, op, &thresholds::DEFAULT));
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
