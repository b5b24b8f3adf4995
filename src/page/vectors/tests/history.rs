//! Histories of operations: that they leave what they should, and the same each time.

use super::*;

/// Does the same operations to sets and a model.
struct Play {
    random: SmallRng,
    clusters: Clusters,
    model: Model,
}

impl Play {
    fn new(seed: u64, dim: usize) -> Self {
        Self {
            random: SmallRng::seed_from_u64(seed),
            clusters: Clusters::new(seed, 7, dim, 0.3),
            model: Model::default(),
        }
    }

    fn step(&mut self, sets: &mut [&mut VectorSet], growing: f64) {
        let element = format!("e{}", self.random.random_range(0..150)).into_bytes();
        let attributes = format!("{{\"x\":{}}}", self.random.random_range(0..999)).into_bytes();
        let attributes = [None, Some(&b""[..]), Some(&*attributes)][self.random.random_range(0..3)];
        if self.random.random_bool(growing) {
            let vector = self.clusters.vector();
            self.model.add(&element, &vector, attributes);
            sets.iter_mut().for_each(|set| add(set, &element, &vector, attributes));
        } else if self.random.random_bool(0.2) {
            let attributes = attributes.unwrap_or_default();
            if let Some((_, old)) = self.model.0.get_mut(&element) {
                *old = (!attributes.is_empty()).then(|| attributes.to_vec());
            }
            let op = VectorOp::SetAttributes {
                element: &element,
                attributes,
            };
            sets.iter_mut().for_each(|set| set.apply(&op, Mark::APART));
        } else {
            self.model.0.remove(&element);
            sets.iter_mut().for_each(|set| remove(set, &element));
        }
    }
}

#[test]
fn a_set_has_what_a_model_has() {
    for quant in QUANTS {
        let mut play = Play::new(11, 10);
        let mut set = VectorSet::new(shape(quant, 10, 4));
        for step in 0..600 {
            play.step(&mut [&mut set], if step % 200 < 120 { 0.8 } else { 0.2 });
            if step % 50 == 0 {
                play.model.check(&set);
                check_whole(&set);
                assert_eq!(unreachable(&set), 0);
            }
        }
        let all: Vec<Vec<u8>> = play.model.0.keys().cloned().collect();
        all.iter().for_each(|element| remove(&mut set, element));
        assert!(set.is_empty());
        assert_eq!(set.heap_bytes(), VectorSet::new(set.shape()).heap_bytes());
    }
}

#[test]
fn links_stay_sound_in_graphs_of_few() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    for round in 0..120 {
        let (m, dim) = ([4, 5, 16][round % 3], [2, 8][round % 2]);
        let mut random = SmallRng::seed_from_u64(seed.wrapping_add(round as u64));
        let mut set = VectorSet::new(shape(QUANTS[round % QUANTS.len()], dim, m));
        let elements = [5, 12, 40][round / 3 % 3];
        for _ in 0..elements * 6 {
            let element = format!("e{}", random.random_range(0..elements));
            if random.random_bool(0.7) {
                let vector: Vec<f32> = (0..dim).map(|_| random.random_range(-3..4) as f32).collect();
                add(&mut set, element.as_bytes(), &vector, None);
            } else {
                remove(&mut set, element.as_bytes());
            }
            assert!(set.has_sound_links(), "M {m}, {dim} dimensions, round {round}");
            assert_eq!(unreachable(&set), 0, "M {m}, {dim} dimensions, round {round}");
        }
    }
}

#[test]
fn the_same_operations_make_the_same_graph_wherever_it_was_read_back() {
    let (mut play, shape) = (Play::new(12, 10), shape(Quant::Q8, 10, 5));
    let (mut one, mut other) = (VectorSet::new(shape), VectorSet::new(shape));
    for step in 0..400 {
        play.step(&mut [&mut one, &mut other], 0.7);
        if step % 60 == 0 {
            other = VectorSet::unpack(crate::page::Packed::new(&other.pack()));
        }
        assert_eq!(one.digest(), other.digest(), "step {step}");
    }
}

#[test]
fn the_graph_is_the_same_on_each_machine() {
    // Recorded: a change here means that logs written before no longer lead to what their checkpoints have.
    let digests = QUANTS.map(|quant| {
        let mut set = VectorSet::new(shape(quant, 7, 4));
        for number in 0..300_u32 {
            let component = |at: u32| ((number * 7919 + at * 104_729) % 1009) as f32 - 504.0;
            let vector: Vec<f32> = (0..7).map(component).collect();
            add(&mut set, format!("e{number}").as_bytes(), &vector, None);
            if number % 5 == 4 {
                remove(&mut set, format!("e{}", number / 2).as_bytes());
            }
        }
        set.digest()
    });
    assert_eq!(
        digests,
        [
            13_416_891_342_661_498_611,
            34_004_723_107_633_999,
            13_379_927_728_769_303_451,
        ]
    );
}

#[test]
fn a_clone_stays_as_it_is() {
    let mut play = Play::new(13, 6);
    let mut set = VectorSet::new(shape(Quant::F32, 6, 4));
    (0..200).for_each(|_| play.step(&mut [&mut set], 0.8));
    let (clone, model, digest) = (set.clone(), play.model.clone(), set.digest());
    (0..300).for_each(|_| play.step(&mut [&mut set], 0.4));
    assert_eq!(clone.digest(), digest);
    model.check(&clone);
    play.model.check(&set);
}
