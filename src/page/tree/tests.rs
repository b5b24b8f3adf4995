//! The tree against a vector, from printed seeds.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::node::{Child, INNER_MIN, LEAF_MAX, LEAF_MIN};
use super::path::Edge;
use super::*;

/// A number with a weight; numbers ascend where order is tested.
#[derive(Clone, Debug, PartialEq)]
struct Plain(u64);
#[derive(Clone, Debug, PartialEq)]
struct Separated(u64);

impl TreeItem for Plain {
    fn weight(&self) -> u64 {
        self.0 % 5
    }

    fn heap_bytes(&self) -> usize {
        self.0 as usize % 7
    }
}

impl TreeItem for Separated {
    const SEPARATES: bool = true;

    /// Its number, so that the check of separators knows one from another.
    fn heap_bytes(&self) -> usize {
        self.0 as usize
    }
}

/// Checks what is below `node`, and counts the nodes.
fn recount<T: TreeItem>(node: &Node<T>, edge: Edge, depth: usize, depths: &mut Vec<usize>) -> Nodes {
    match node {
        Node::Leaf(items) => {
            assert!(
                !items.spilled() && (items.len() >= LEAF_MIN || edge.any()),
                "{}",
                items.len()
            );
            depths.push(depth);
            Nodes { leaves: 1, inners: 0 }
        }
        Node::Inner(children) => {
            assert!(!children.spilled() && (children.len() >= INNER_MIN || edge.any()));
            let mut nodes = Nodes { leaves: 0, inners: 1 };
            for (at, child) in children.iter().enumerate() {
                let again = Child::of(child.node.clone());
                assert_eq!((child.count, child.weight), (again.count, again.weight));
                assert!(child.width() > 0);
                let same =
                    |one: &T, other: &T| (one.weight(), one.heap_bytes()) == (other.weight(), other.heap_bytes());
                match (child.first(), again.first()) {
                    (None, Some(_)) => assert!(T::SEPARATES && at == 0),
                    (Some(one), Some(other)) => assert!(same(one, other) && (at > 0 || !T::SEPARATES)),
                    (_, None) => panic!("an empty child"),
                }
                let below = recount(&child.node, edge.of(at, children.len()), depth + 1, depths);
                nodes.leaves += below.leaves;
                nodes.inners += below.inners;
            }
            nodes
        }
    }
}

fn check<T: TreeItem + PartialEq + std::fmt::Debug>(tree: &Tree<T>, model: &[T]) {
    let mut depths = Vec::new();
    assert_eq!(recount(&tree.root, Edge::ROOT, 0, &mut depths), tree.nodes);
    assert!(!matches!(&tree.root, Node::Inner(children) if children.len() < 2));
    depths.dedup();
    assert_eq!(depths.len(), 1, "leaves are equally deep");
    assert_eq!(tree.len(), model.len());
    assert_eq!(tree.weight(), model.iter().map(TreeItem::weight).sum::<u64>());
    assert_eq!(tree.item_bytes, model.iter().map(TreeItem::heap_bytes).sum::<usize>());
    assert_eq!(tree.iter().collect::<Vec<_>>(), model.iter().collect::<Vec<_>>());
}

#[test]
fn behaves_like_a_vector() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut tree, mut model) = (Tree::new(), Vec::new());
    let mut clones: Vec<(Tree<Plain>, Vec<Plain>)> = Vec::new();
    for step in 0..30_000_u64 {
        // It grows, shrinks, and grows again.
        let grows = (step / 6000) % 2 == 0;
        let item = Plain(random.random_range(0..1000));
        match random.random_range(0..10) {
            0 if !model.is_empty() => {
                let at = random.random_range(0..model.len());
                tree.update(at, |old| *old = item.clone());
                model[at] = item;
            }
            1..3 if grows => {
                tree.insert(model.len(), item.clone());
                model.push(item);
            }
            3 if grows => {
                tree.insert(0, item.clone());
                model.insert(0, item);
            }
            _ if grows || model.is_empty() => {
                let at = random.random_range(0..=model.len());
                tree.insert(at, item.clone());
                model.insert(at, item);
            }
            4 => {
                let (at, len) = (random.random_range(0..model.len()), random.random_range(0..5));
                tree.remove_range(at, len);
                model.drain(at..model.len().min(at + len));
            }
            5 => assert_eq!(tree.pop_first(), Some(model.remove(0))),
            6 => assert_eq!(tree.pop_last(), model.pop()),
            _ => {
                let at = random.random_range(0..model.len());
                assert_eq!(tree.remove(at), model.remove(at));
            }
        }
        if step % 997 == 0 {
            check(&tree, &model);
            clones.push((tree.clone(), model.clone()));
        }
        if !model.is_empty() {
            look(&tree, &model, random.random_range(0..model.len()));
        }
    }
    clones.iter().for_each(|(tree, model)| check(tree, model));
    check(&tree, &model);
}

fn look(tree: &Tree<Plain>, model: &[Plain], at: usize) {
    assert_eq!(tree.get(at), model.get(at));
    let before = tree.weight_before(at);
    if at.is_multiple_of(16) {
        assert_eq!(before, model[..at].iter().map(TreeItem::weight).sum::<u64>());
        assert!(tree.iter_from(at).take(70).eq(model[at..].iter().take(70)));
        assert!(tree.iter_back_from(at).take(70).eq(model[..=at].iter().rev().take(70)));
    }
    if model[at].weight() > 0 {
        assert_eq!(
            tree.locate(before + model[at].weight() - 1),
            (at, model[at].weight() - 1)
        );
    }
    assert_eq!(tree.locate(tree.weight()), (model.len(), 0));
}

#[test]
fn places_are_found_by_comparison() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut tree, mut model): (Tree<Separated>, Vec<Separated>) = (Tree::new(), Vec::new());
    let mut clones = Vec::new();
    for step in 0..40_000 {
        let item = Separated(random.random_range(0..9000));
        let compare = |other: &Separated| other.0.cmp(&item.0);
        let found = model.binary_search_by(compare);
        assert_eq!(
            tree.partition_point(|other| other.0 < item.0),
            found.unwrap_or_else(|at| at)
        );
        assert_eq!(tree.find(compare), (found.unwrap_or_else(|at| at), found.is_ok()));
        // Grows, shrinks, and grows again.
        if (step / 10_000) % 2 == 0 || step % 5 == 0 {
            let inserted = tree.insert_by(compare, item.clone());
            assert_eq!(
                inserted.map_err(|refused| refused.0),
                found.err().map(drop).ok_or(item.0)
            );
            if let Err(at) = found {
                model.insert(at, item);
            }
        } else {
            assert_eq!(tree.remove_by(compare), found.ok().map(|at| model.remove(at)));
        }
        if step % 1999 == 0 {
            check(&tree, &model);
            clones.push((tree.clone(), model.clone()));
        }
    }
    check(&tree, &model);
    clones.iter().for_each(|(tree, model)| check(tree, model));
}

#[test]
fn a_search_in_a_node_finds_every_place() {
    for count in 0..200 {
        for place in 0..=count {
            let asked = |at: usize| {
                assert!(at < count);
                at < place
            };
            assert_eq!(search::partition_point(count, |at| assert!(at < count), asked), place);
        }
    }
}

#[test]
fn nothing_keeps_what_has_been_taken_out() {
    #[derive(Clone, Debug)]
    struct Counted(std::rc::Rc<u32>);
    impl TreeItem for Counted {
        const SEPARATES: bool = true;
        fn heap_bytes(&self) -> usize {
            0
        }
    }
    let mut tree: Tree<Counted> = (0..5000).map(|number| Counted(number.into())).collect();
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    while !tree.is_empty() {
        let item = match random.random_range(0..3) {
            0 => tree.pop_first(),
            1 => tree.pop_last(),
            _ => Some(tree.remove(random.random_range(0..tree.len()))),
        };
        assert_eq!(item.map(|item| std::rc::Rc::strong_count(&item.0)), Some(1));
    }
}

#[test]
fn of_equal_items_the_first_is_found() {
    // Runs of equal items over the boundaries of leaves.
    let model: Vec<Separated> = (0..10_000).map(|at| Separated(at / 150)).collect();
    let mut tree: Tree<Separated> = model.iter().cloned().collect();
    for number in 0..67 {
        let first = model.partition_point(|item| item.0 < number);
        assert_eq!(tree.find(|item| item.0.cmp(&number)), (first, first < model.len()));
    }
    assert_eq!(tree.remove_by(|item| item.0.cmp(&31)), Some(Separated(31)));
    assert_eq!(tree.remove_by(|item| item.0.cmp(&67)), None);
    assert_eq!(tree.len(), model.len() - 1);
}

#[test]
fn ranges_are_removed_and_the_seam_is_mended() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for round in 0..150_u64 {
        let count = random.random_range(1..40_000_u64);
        let mut model: Vec<Separated> = (0..count).map(Separated).collect();
        let mut tree: Tree<Separated> = model.iter().cloned().collect();
        let shared = (round % 3 == 0).then(|| (tree.clone(), model.clone()));
        while !model.is_empty() {
            let at = random.random_range(0..=model.len());
            let len = match random.random_range(0..4) {
                0 => random.random_range(0..200),
                1 => model.len(),
                _ => random.random_range(0..=model.len() / 4 + 1),
            };
            let at = if random.random_range(0..5) == 0 { 0 } else { at };
            tree.remove_range(at, len);
            model.drain(at..model.len().min(at + len));
            check(&tree, &model);
        }
        assert_eq!(tree.heap_bytes(), Tree::<Separated>::new().heap_bytes());
        shared.iter().for_each(|(tree, model)| check(tree, model));
    }
}

#[test]
fn is_walked_both_ways_from_every_index() {
    let model: Vec<Plain> = (0..4000).map(Plain).collect();
    let mut tree: Tree<Plain> = Tree::new();
    tree.extend(model.iter().cloned());
    for at in 0..=model.len() + 1 {
        assert!(tree.iter_from(at).eq(model.iter().skip(at)));
        assert!(tree.iter_back_from(at).eq(model.iter().take(at + 1).rev()));
        assert_eq!(tree.get(at), model.get(at));
    }
    assert_eq!((tree.first(), tree.last()), (model.first(), model.last()));
}

#[test]
fn stays_well_filled() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut tree: Tree<Plain> = Tree::new();
    for number in 0..50_000 {
        tree.insert(random.random_range(0..=tree.len()), Plain(number));
    }
    let fill = tree.len() as f64 / (tree.nodes.leaves * LEAF_MAX) as f64;
    assert!(fill > 0.75, "{fill}");
}

#[test]
fn a_change_copies_only_shared_nodes_on_its_path() {
    let mut tree: Tree<Plain> = (0..100_000).map(Plain).collect();
    let leaves = |tree: &Tree<Plain>| {
        let mut all = Vec::new();
        leaf_addresses(&tree.root, &mut all);
        all
    };
    let before = leaves(&tree);
    tree.update(50_000, |item| item.0 += 1);
    assert_eq!(leaves(&tree), before, "nothing is shared, nothing is copied");
    let clone = tree.clone();
    tree.update(50_000, |item| item.0 += 1);
    assert!(tree.remove_by(|item| item.0.cmp(&1_000_000)).is_none());
    let differ = leaves(&tree)
        .iter()
        .zip(&before)
        .filter(|(now, then)| now != then)
        .count();
    assert_eq!(differ, 1);
    assert_eq!(leaves(&clone), before);
    assert_eq!(clone.get(50_000), Some(&Plain(50_001)));
    assert_eq!(tree.get(50_000), Some(&Plain(50_002)));
}

#[test]
fn separators_follow_items_that_are_changed() {
    for count in [1, 63, 5_000] {
        let mut model: Vec<Separated> = (0..count).map(|number| Separated(number * 2)).collect();
        let mut tree: Tree<Separated> = model.iter().cloned().collect();
        let (clone, then) = (tree.clone(), model.clone());
        for (at, item) in model.iter_mut().enumerate() {
            item.0 += 1;
            let old = tree.update(at, |old| std::mem::replace(old, item.clone()));
            assert_eq!(old.0 + 1, item.0);
        }
        check(&tree, &model);
        check(&clone, &then);
    }
}

#[test]
fn items_are_changed_where_they_are() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for count in [1_u64, 2, 60, 700, 40_000] {
        let mut model: Vec<Plain> = (0..count).map(|_| Plain(random.random_range(0..1000))).collect();
        let mut tree: Tree<Plain> = model.iter().cloned().collect();
        let mut clones = Vec::new();
        for step in 0..300 {
            if step % 60 == 0 {
                clones.push((tree.clone(), model.clone()));
            }
            let all: u64 = model.iter().map(TreeItem::weight).sum();
            let offset = [0, all.saturating_sub(1), all, random.random_range(0..=all)][step % 4];
            let mut before = 0;
            let covering = model.iter().position(|item| {
                before += item.weight();
                offset < before
            });
            let at = covering.unwrap_or(model.len() - 1);
            // As many bytes of heap, and another weight.
            let new = Plain(model[at].0 + 7 * random.random_range(0..5));
            let grown = new.weight() as i64 - model[at].weight() as i64;
            let changed = tree.update_within(offset, grown, |item| std::mem::replace(item, new.clone()));
            assert_eq!(changed, Some((at, std::mem::replace(&mut model[at], new))));
            assert_eq!(tree.weight(), model.iter().map(TreeItem::weight).sum::<u64>());
        }
        check(&tree, &model);
        clones.iter().for_each(|(tree, model)| check(tree, model));
    }
    assert_eq!(Tree::<Plain>::new().update_within(0, 1, |_| ()), None);
}

#[test]
fn the_last_item_before_a_place_is_handed_out_unshared() {
    /// A place, and what says nothing of it.
    #[derive(Clone, Debug, PartialEq)]
    struct Noted(u64, u64);
    impl TreeItem for Noted {
        const SEPARATES: bool = true;
        fn heap_bytes(&self) -> usize {
            0
        }
    }
    for count in [0_u64, 1, 62, 63, 500, 50_000] {
        let mut model: Vec<Noted> = (1..=count).map(|at| Noted(at * 10, 0)).collect();
        let mut tree: Tree<Noted> = model.iter().cloned().collect();
        let (clone, then) = (tree.clone(), model.clone());
        for place in (0..count * 10 + 20).step_by(7) {
            let found = tree.last_mut(|item| item.0 <= place);
            let expected = (place / 10).min(count).checked_sub(1).map(|at| &mut model[at as usize]);
            assert_eq!(found, expected);
            if let (Some(found), Some(expected)) = (found, expected) {
                (found.1, expected.1) = (place, place);
            }
        }
        check(&tree, &model);
        check(&clone, &then);
    }
}

fn leaf_addresses(node: &Node<Plain>, all: &mut Vec<usize>) {
    match node {
        Node::Leaf(items) => all.push(items.as_ptr() as usize),
        Node::Inner(children) => children.iter().for_each(|child| leaf_addresses(&child.node, all)),
    }
}

#[test]
fn is_built_at_once_and_appends_keep_nodes_full() {
    for count in [0, 1, 63, 64, 65, 2048, 2049, 100_000] {
        let model: Vec<Plain> = (0..count).map(Plain).collect();
        let built: Tree<Plain> = model.iter().cloned().collect();
        check(&built, &model);
        let (mut appended, mut prepended) = (Tree::new(), Tree::new());
        for (at, item) in model.iter().enumerate() {
            appended.insert(at, item.clone());
            prepended.insert(0, item.clone());
        }
        check(&appended, &model);
        check(&prepended, &model.iter().rev().cloned().collect::<Vec<_>>());
        let full = (count as usize).div_ceil(LEAF_MAX).max(1);
        assert!(
            appended.nodes.leaves <= full + 1 && prepended.nodes.leaves <= full + 1,
            "{count}"
        );
    }
}
