//! The tree against a vector, from printed seeds.

use rand::{RngExt, SeedableRng, rngs::StdRng};

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

    fn heap_bytes(&self) -> usize {
        0
    }
}

fn recount<T: TreeItem>(node: &Node<T>, depth: usize, depths: &mut Vec<usize>) -> (usize, usize) {
    match node {
        Node::Leaf(items) => {
            assert!(items.capacity() == LEAF_MAX && items.len() <= LEAF_MAX);
            depths.push(depth);
            (1, 0)
        }
        Node::Inner(children) => {
            assert!(!children.is_empty() && children.len() <= INNER_MAX && children.capacity() == INNER_MAX);
            let mut sums = (0, 1);
            for child in children {
                let again = Child::of(Arc::clone(&child.node));
                assert_eq!((child.count, child.weight), (again.count, again.weight));
                assert!(child.node.width() > 0);
                let (leaves, inners) = recount(&child.node, depth + 1, depths);
                sums = (sums.0 + leaves, sums.1 + inners);
            }
            sums
        }
    }
}

fn check<T: TreeItem + PartialEq + std::fmt::Debug>(tree: &Tree<T>, model: &[T]) {
    let mut depths = Vec::new();
    assert_eq!(recount(&tree.root, 0, &mut depths), (tree.leaves, tree.inners));
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
    for step in 0..20_000 {
        let item = Separated(random.random_range(0..5000));
        let at = tree.partition_point(|other| other.0 < item.0);
        assert_eq!(at, model.partition_point(|other| other.0 < item.0));
        if step % 3 == 2 && at < model.len() {
            assert_eq!(tree.remove(at), model.remove(at));
        } else {
            tree.insert(at, item.clone());
            model.insert(at, item);
        }
    }
    check(&tree, &model);
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
        assert!(appended.leaves <= full + 1 && prepended.leaves <= full + 1, "{count}");
    }
}
