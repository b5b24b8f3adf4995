//! Both forms against the obvious one, from printed seeds.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::page::Change;
use crate::page::container::{Big, Form, Kind, Next};
use crate::page::mortal::{Mortal, check_times};
use crate::page::packed::{Packed, pack};
use crate::page::thresholds;

fn view_of(form: &Option<HeldSet>) -> Option<SetRef<'_>> {
    form.as_ref().map(HeldSet::view)
}

fn step(held: &mut Option<HeldSet>, op: &SetOp<'_>) {
    let next = match held {
        None => apply(Form::Absent, op, &Change::apart(&thresholds::DEFAULT)),
        Some(HeldSet::Packed(bytes)) => apply(
            Form::Packed(Kind::Set, Packed::new(bytes)),
            op,
            &Change::apart(&thresholds::DEFAULT),
        ),
        Some(HeldSet::Big(set)) => {
            let mut big = Big::Set(set.clone());
            let next = apply(Form::Big(&mut big), op, &Change::apart(&thresholds::DEFAULT));
            if let Big::Set(changed) = big {
                *set = changed;
            }
            next
        }
    };
    match next {
        Next::Keep => {}
        Next::Remove => *held = None,
        Next::Big(Big::Set(set)) => *held = Some(HeldSet::Big(set)),
        Next::Big(_) => panic!("another kind"),
        Next::Packed(bytes) => {
            check(Packed::new(&bytes)).unwrap();
            *held = Some(if Kind::Set.stays_packed(Packed::new(&bytes)) {
                HeldSet::Packed(bytes)
            } else {
                HeldSet::Big(BigSet::unpack(Packed::new(&bytes)))
            });
        }
    }
}

fn members(held: &Option<HeldSet>) -> BTreeSet<Vec<u8>> {
    let members: Vec<Vec<u8>> = view_of(held).map_or_else(Vec::new, |view| {
        view.members()
            .into_iter()
            .map(|item| item.bytes().into_owned())
            .collect()
    });
    let set: BTreeSet<Vec<u8>> = members.iter().cloned().collect();
    assert_eq!(set.len(), members.len(), "a member twice");
    set
}

#[test]
fn both_forms_do_as_the_model() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut held, mut model) = (None, BTreeMap::new());
    let mut kept = (held.clone(), model.clone());
    let names = |model: &BTreeMap<Vec<u8>, u64>| model.keys().cloned().collect::<BTreeSet<_>>();
    for round in 0..20_000 {
        let range = if round / 5000 % 2 == 0 { 3000 } else { 60 };
        let some: Vec<Vec<u8>> = (0..random.random_range(1..6))
            .map(|_| {
                let number = random.random_range(0..range);
                if number % 3 == 0 {
                    number.to_string()
                } else {
                    format!("member-{number}")
                }
                .into_bytes()
            })
            .collect();
        let packed = pack(some.iter().map(Vec::as_slice));
        if random.random_bool(if range == 60 { 0.3 } else { 0.6 }) {
            step(&mut held, &SetOp::Add { members: &packed });
            for name in some {
                model.entry(name).or_insert(0);
            }
        } else {
            let some: Vec<Vec<u8>> = some.into_iter().chain(model.keys().take(8).cloned()).collect();
            let packed = pack(some.iter().map(Vec::as_slice));
            step(&mut held, &SetOp::Remove { members: &packed });
            model.retain(|member, _| !some.contains(member));
        }
        // For half of the time none dies.
        if round / 2500 % 2 == 1 && random.random_bool(0.3) {
            let some: Vec<Vec<u8>> = model.keys().filter(|_| random.random_bool(0.05)).cloned().collect();
            let (packed, expire_at_ms) = (pack(some.iter().map(Vec::as_slice)), random.random_range(0..1000));
            let members = &packed;
            step(&mut held, &SetOp::ExpireAt { members, expire_at_ms });
            model.extend(some.into_iter().map(|name| (name, expire_at_ms)));
        }
        assert_eq!(view_of(&held).map_or(0, |view| view.len()), model.len() as u64);
        if round % 101 == 0 {
            assert_eq!(members(&held), names(&model));
            check_times(view_of(&held).map(Mortal::Set), &model);
            assert_eq!(members(&kept.0), names(&kept.1), "a clone has changed");
            check_times(view_of(&kept.0).map(Mortal::Set), &kept.1);
            kept = (held.clone(), model.clone());
            if let Some(HeldSet::Big(set)) = &held {
                let packed = set.pack();
                check(Packed::new(&packed)).unwrap();
                let again = Some(HeldSet::Big(BigSet::unpack(Packed::new(&packed))));
                assert_eq!(members(&again), names(&model));
                check_times(view_of(&again).map(Mortal::Set), &model);
            }
        }
    }
}

#[test]
fn the_compact_name_is_lost_for_ever() {
    let mut held = None;
    let add = |held: &mut Option<HeldSet>, member: &str| {
        let packed = pack([member.as_bytes()]);
        step(held, &SetOp::Add { members: &packed });
    };
    let is_wide = |held: &Option<HeldSet>| match held {
        Some(HeldSet::Packed(bytes)) => Packed::new(bytes).is_wide(),
        Some(HeldSet::Big(set)) => set.is_wide(),
        None => false,
    };
    (0..512).for_each(|number| add(&mut held, &number.to_string()));
    assert!(!is_wide(&held));
    add(&mut held, "512");
    assert!(is_wide(&held));
    let mut words = None;
    add(&mut words, "1");
    assert!(!is_wide(&words));
    add(&mut words, "x");
    let packed = pack([&b"x"[..]]);
    step(&mut words, &SetOp::Remove { members: &packed });
    assert!(is_wide(&words));
}
