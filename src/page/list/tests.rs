//! Both forms against the obvious one, from printed seeds.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::page::Change;
use crate::page::container::{Big, Kind};
use crate::page::held::Held;
use crate::page::packed::{Packed, pack};
use crate::page::thresholds;

fn step(held: &mut Held, op: &ListOp<'_>) {
    held.change(Kind::List, |form| apply(form, op, &Change::apart(&thresholds::DEFAULT)));
}

fn view(held: &Held) -> Option<ListRef<'_>> {
    ListRef::of(held.value(Kind::List)?)
}

fn content(held: &Held) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    if let Some(view) = view(held) {
        let _ = view.for_each_from(0, |item| {
            elements.push(item.bytes().into_owned());
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(view.len(), elements.len() as u64);
    }
    elements
}
fn element(random: &mut StdRng) -> Vec<u8> {
    match random.random_range(0..10) {
        0 => vec![b'x'; random.random_range(0..3000)],
        1..4 => random.random_range(-300..300_i64).to_string().into_bytes(),
        _ => format!("element-{}", random.random_range(0..40)).into_bytes(),
    }
}

fn model(list: &mut VecDeque<Vec<u8>>, op: &ListOp<'_>) {
    match *op {
        ListOp::Push { front, elements } => {
            for item in Packed::new(elements).items() {
                let item = item.bytes().into_owned();
                if front {
                    list.push_front(item)
                } else {
                    list.push_back(item)
                }
            }
        }
        ListOp::Pop { front, count } => {
            for _ in 0..count {
                let _ = if front { list.pop_front() } else { list.pop_back() };
            }
        }
        ListOp::Rotate { from_front, to_front } => {
            let moved = if from_front { list.pop_front() } else { list.pop_back() };
            if let Some(moved) = moved {
                if to_front {
                    list.push_front(moved)
                } else {
                    list.push_back(moved)
                }
            }
        }
        ListOp::Set { index, element } => {
            if let Some(slot) = list.get_mut(index as usize) {
                *slot = element.to_vec();
            }
        }
        ListOp::Insert { index, element } => {
            if !list.is_empty() && index as usize <= list.len() {
                list.insert(index as usize, element.to_vec());
            }
        }
        ListOp::Trim { start, len } => {
            let kept: VecDeque<_> = list.iter().skip(start as usize).take(len as usize).cloned().collect();
            *list = kept;
        }
        ListOp::Remove { count, front, element } => {
            let mut left = if count == 0 { usize::MAX } else { count as usize };
            let mut kept = VecDeque::new();
            let mut rest: Vec<_> = list.drain(..).collect();
            if !front {
                rest.reverse();
            }
            for item in rest {
                if left > 0 && item == element {
                    left -= 1;
                } else if front {
                    kept.push_back(item);
                } else {
                    kept.push_front(item);
                }
            }
            *list = kept;
        }
    }
}

fn run(seed: u64, steps: usize, grow: u32) {
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut held, mut expected) = (Held::None, VecDeque::new());
    let mut kept: Option<(Held, VecDeque<Vec<u8>>)> = None;
    for round in 0..steps {
        let len = expected.len() as u64;
        let elements: Vec<Vec<u8>> = (0..random.random_range(1..4)).map(|_| element(&mut random)).collect();
        let packed = pack(elements.iter().map(Vec::as_slice));
        let one = &elements[0];
        let front = random.random_bool(0.5);
        let op = match random.random_range(0..20 + grow) {
            0 => ListOp::Trim {
                start: random.random_range(0..3),
                len: len.saturating_sub(random.random_range(0..5)),
            },
            1..3 => ListOp::Remove {
                count: random.random_range(0..3),
                front,
                element: one,
            },
            3..6 => ListOp::Set {
                index: random.random_range(0..=len),
                element: one,
            },
            6..10 => ListOp::Insert {
                index: random.random_range(0..=len),
                element: one,
            },
            10..12 => ListOp::Rotate {
                from_front: front,
                to_front: random.random_bool(0.5),
            },
            12..16 => ListOp::Pop {
                front,
                count: random.random_range(0..6),
            },
            _ => ListOp::Push {
                front,
                elements: &packed,
            },
        };
        step(&mut held, &op);
        model(&mut expected, &op);
        if round % 97 == 0 {
            if let Some((held, expected)) = kept.take() {
                assert_eq!(content(&held), Vec::from(expected), "a clone has changed");
            }
            kept = Some((held.clone(), expected.clone()));
        }
        if round % 31 == 0 {
            assert_eq!(content(&held), Vec::from(expected.clone()), "after {op:?}");
            check_views(&held, &expected, &mut random);
        }
    }
    assert_eq!(content(&held), Vec::from(expected));
}

fn check_views(held: &Held, expected: &VecDeque<Vec<u8>>, random: &mut StdRng) {
    let Some(view) = view(held) else {
        assert!(expected.is_empty());
        return;
    };
    let at = random.random_range(0..expected.len());
    assert_eq!(&*view.get(at as u64).unwrap().bytes(), expected[at]);
    assert!(view.get(expected.len() as u64).is_none());
    let mut back = Vec::new();
    let _ = view.for_each_back_from(at as u64, |item| {
        back.push(item.bytes().into_owned());
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(back, expected.iter().take(at + 1).rev().cloned().collect::<Vec<_>>());
    if let Held::Big(big) = held {
        let again = Big::unpack(Kind::List, Packed::new(&big.pack()));
        assert_eq!(content(&Held::Big(again)), content(held));
    }
}

#[test]
fn small_lists_do_as_the_model() {
    run(rand::random(), 20_000, 0);
}

#[test]
fn growing_lists_do_as_the_model() {
    run(rand::random(), 5_000, 40);
}
