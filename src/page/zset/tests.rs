//! Both forms against the obvious one, from printed seeds.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::page::Change;
use crate::page::container::{Big, Kind};
use crate::page::held::Held;
use crate::page::malformed::Malformed;
use crate::page::mortal::{Mortal, check_times};
use crate::page::packed::{Builder, FLAG_TIMED, Item, Packed, pack};
use crate::page::thresholds;

type Model = BTreeMap<Vec<u8>, f64>;

fn step(held: &mut Held, op: &ZsetOp<'_>) {
    held.change(Kind::Zset, |form| apply(form, op, &Change::apart(&thresholds::DEFAULT)));
}

fn view(held: &Held) -> Option<ZsetRef<'_>> {
    ZsetRef::of(held.value(Kind::Zset)?)
}

fn content(held: &Held) -> Vec<(Vec<u8>, f64)> {
    let mut content = Vec::new();
    if let Some(view) = view(held) {
        let _ = view.for_each_from(0, |member| {
            content.push((member.name.bytes().into_owned(), member.score));
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(view.len(), content.len() as u64);
    }
    content
}
fn in_order(model: &Model) -> Vec<(Vec<u8>, f64)> {
    let mut members: Vec<_> = model.iter().map(|(name, score)| (name.clone(), *score)).collect();
    members.sort_by(|one, other| one.1.total_cmp(&other.1).then_with(|| one.0.cmp(&other.0)));
    members
}

fn check_places(held: &Held, members: &[(Vec<u8>, f64)], random: &mut StdRng) {
    let Some(view) = view(held) else {
        assert!(members.is_empty());
        return;
    };
    let at = random.random_range(0..members.len());
    let (name, score) = &members[at];
    assert_eq!(view.rank(name), Some((at as u64, *score)));
    assert_eq!(view.score(name), Some(*score));
    assert_eq!(view.get(at as u64).unwrap().name.bytes(), name.as_slice());
    let below = view.partition_point(|member| member.score < *score);
    assert_eq!(
        below as usize,
        members.iter().filter(|member| member.1 < *score).count()
    );
    let mut back = Vec::new();
    let _ = view.for_each_back_from(at as u64, |member| {
        back.push(member.score);
        if back.len() == 5 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let expected: Vec<f64> = members[..=at].iter().rev().take(5).map(|member| member.1).collect();
    assert_eq!(back, expected);
    assert!(view.rank(b"nobody").is_none());
}

#[test]
fn both_forms_do_as_the_model() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut held, mut model) = (Held::None, Model::new());
    let mut times: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut kept = (held.clone(), in_order(&model), times.clone());
    for round in 0..20_000 {
        let range = if round / 4000 % 2 == 0 { 1500 } else { 40 };
        let names: Vec<Vec<u8>> = (0..random.random_range(1..5))
            .map(|_| format!("{}", random.random_range(0..range)).into_bytes())
            .collect();
        match random.random_range(0..if range == 40 { 8 } else { 20 }) {
            0..3 => {
                let packed = pack(names.iter().map(Vec::as_slice));
                step(&mut held, &ZsetOp::Remove { members: &packed });
                model.retain(|name, _| !names.contains(name));
                times.retain(|name, _| !names.contains(name));
            }
            3 => {
                let (start, len) = (random.random_range(0..5_u64), random.random_range(0..4_u64));
                step(&mut held, &ZsetOp::RemoveRange { start, len });
                for (name, _) in in_order(&model).iter().skip(start as usize).take(len as usize) {
                    model.remove(name);
                    times.remove(name);
                }
            }
            _ => {
                let score = match random.random_range(0..6) {
                    0 => f64::INFINITY,
                    1 => f64::NEG_INFINITY,
                    2 => random.random_range(-9.0..9.0),
                    _ => f64::from(random.random_range(-20..20)),
                };
                let packed = pack_pairs(names.iter().map(|name| (score, name.as_slice())));
                let (members, keeps) = (&packed, random.random_bool(0.3));
                let op = match keeps {
                    true => ZsetOp::Rescore { members },
                    false => ZsetOp::Add { members },
                };
                step(&mut held, &op);
                times.retain(|name, _| keeps || !names.contains(name));
                model.extend(names.into_iter().map(|name| (name, score)));
            }
        }
        // For half of the time none dies.
        if round / 2000 % 2 == 1 && random.random_bool(0.3) {
            let some: Vec<Vec<u8>> = model.keys().filter(|_| random.random_bool(0.05)).cloned().collect();
            let (packed, expire_at_ms) = (pack(some.iter().map(Vec::as_slice)), random.random_range(0..1000));
            let members = &packed;
            step(&mut held, &ZsetOp::ExpireAt { members, expire_at_ms });
            times.extend(some.into_iter().map(|name| (name, expire_at_ms)));
        }
        if round % 71 == 0 {
            let members = in_order(&model);
            times = model
                .keys()
                .map(|name| (name.clone(), times.get(name).copied().unwrap_or(0)))
                .collect();
            assert_eq!(content(&held), members);
            check_times(view(&held).map(Mortal::Zset), &times);
            check_places(&held, &members, &mut random);
            assert_eq!(content(&kept.0), kept.1, "a clone has changed");
            check_times(view(&kept.0).map(Mortal::Zset), &kept.2);
            kept = (held.clone(), members, times.clone());
            if let Held::Big(big) = &held {
                let packed = big.pack();
                check(Packed::new(&packed)).unwrap();
                let again = Held::Big(Big::unpack(Kind::Zset, Packed::new(&packed)));
                assert_eq!(content(&again), kept.1);
                check_times(view(&again).map(Mortal::Zset), &times);
            }
        }
    }
}

#[test]
fn what_is_out_of_order_is_refused() {
    let members = |pairs: &[(f64, &str)]| pack_pairs(pairs.iter().map(|(score, name)| (*score, name.as_bytes())));
    assert!(check(Packed::new(&members(&[(1.0, "a"), (1.0, "b"), (2.0, "0")]))).is_ok());
    for wrong in [
        &[(1.0, "b"), (1.0, "a")][..],
        &[(2.0, "a"), (1.0, "b")],
        &[(1.0, "a"), (2.0, "a")],
        &[(f64::NAN, "a")],
        &[],
    ] {
        assert!(check(Packed::new(&members(wrong))).is_err(), "{wrong:?}");
    }
}

#[test]
fn members_in_no_order_are_looked_at_one_by_one() {
    let (score, name, time) = (Item::Double(1.5), Item::Bytes(b"a"), Item::Int(7));
    let checked = |flags, items: &[Item<'_>]| {
        let mut builder = Builder::new(flags);
        items.iter().for_each(|item| builder.push(*item));
        packed_form::check_items(Packed::new(&builder.finish()))
    };
    assert_eq!(
        checked(0, &[score, name, Item::Int(-1), Item::Int(5), score, name]),
        Ok(())
    );
    assert_eq!(
        checked(FLAG_TIMED, &[score, name, time, score, Item::Int(5), Item::Int(0)]),
        Ok(())
    );
    for count in [0, 1, 3] {
        let items = [score, name, score];
        assert_eq!(checked(0, &items[..count]), Err(Malformed::ZsetItems(count)));
    }
    assert_eq!(checked(FLAG_TIMED, &[score, name]), Err(Malformed::ZsetItems(2)));
    for (at, wrong) in [
        (3, name),
        (3, Item::Double(f64::NAN)),
        (4, score),
        (5, Item::Int(-1)),
        (5, score),
        (5, name),
    ] {
        let mut items = [score, name, time, score, name, time];
        items[at] = wrong;
        assert!(
            matches!(checked(FLAG_TIMED, &items), Err(Malformed::Container(_))),
            "{at}: {wrong:?}"
        );
    }
}
