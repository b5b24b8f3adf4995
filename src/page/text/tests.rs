//! Long strings against vectors, from printed seeds.

use crate::page::Mark;
use std::collections::HashSet;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::lsn::Lsn;
use crate::page::image::PageImage;
use crate::page::{Entry, PageId, Spliced, StrRef, ValueRef};

/// Strings of the tests have a few chunks.
const BYTES_MAX: usize = 9 * CHUNK_BYTES;

fn bytes_of(text: &BigText) -> Vec<u8> {
    text.runs(0..usize::MAX)
        .flat_map(|run| run.bytes().iter().copied())
        .collect()
}

fn check(text: &BigText, model: &[u8]) {
    assert_eq!(text.len(), model.len());
    assert!(bytes_of(text) == model);
    let lens: Vec<usize> = text.chunks.iter().map(Chunk::len).collect();
    let full: Vec<usize> = chunk::lengths(0, model.len()).map(|len| len as usize).collect();
    assert_eq!(lens, full, "all chunks but the last are full");
    let used = text.chunks.iter().filter(|chunk| chunk.is_of_base()).count();
    assert_eq!(text.base.as_ref().map_or(0, |base| base.used), used);
    assert!(used > 0 || text.base.is_none(), "a base that nobody uses");
    check_heap(text);
}

/// Each allocation once, by what it is.
fn check_heap(text: &BigText) {
    let mut seen = HashSet::new();
    let own = text.runs(0..usize::MAX).map(|run| run.whole());
    let shared: usize = own
        .filter(|whole| !Shared::ptr_eq(whole, chunk::zeroes()) && seen.insert(Shared::as_ptr(whole)))
        .map(|whole| 16 + size_of::<Vec<u8>>() + whole.capacity())
        .sum();
    let nodes: Tree<Empty> = text.chunks.iter().map(|_| Empty([0; 4])).collect();
    // Nodes of appended trees may be a few more than those of one that is built at once.
    let more = (text.heap_bytes() - shared).abs_diff(nodes.heap_bytes());
    assert!(more <= 2 * 2100, "{more} bytes of nodes more than there should be");
}

/// As large as a chunk's descriptor.
#[derive(Clone, Debug)]
struct Empty(#[expect(dead_code, reason = "it has only to be as large")] [u64; 4]);

impl crate::page::tree::TreeItem for Empty {
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// A place near a border of chunks, or anywhere.
fn place(random: &mut StdRng, max: usize) -> usize {
    let near = random.random_range(0..=max / CHUNK_BYTES) * CHUNK_BYTES;
    let at = match random.random_range(0..4) {
        0 => near,
        1 => near + random.random_range(0..3),
        2 => near.saturating_sub(random.random_range(0..3)),
        _ => random.random_range(0..=max),
    };
    at.min(max)
}

fn some_bytes(random: &mut StdRng) -> Vec<u8> {
    let len = match random.random_range(0..6) {
        0 => random.random_range(CHUNK_BYTES - 2..CHUNK_BYTES + 3),
        1 => random.random_range(0..2 * CHUNK_BYTES),
        2 => 0,
        _ => random.random_range(1..40),
    };
    vec![random.random_range(1..=255); len]
}

fn write(text: &mut BigText, model: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    drop(text.write(offset, bytes, Mark::APART));
    let end = offset + bytes.len();
    if model.len() < end {
        model.resize(end, 0);
    }
    model[offset..end].copy_from_slice(bytes);
}

fn change(text: &mut BigText, model: &mut Vec<u8>, random: &mut StdRng) {
    let mut bytes = some_bytes(random);
    let offset = match random.random_range(0..4) {
        0 => model.len(),
        1 => place(random, BYTES_MAX),
        _ => place(random, model.len()),
    };
    bytes.truncate(BYTES_MAX.saturating_sub(offset));
    write(text, model, offset, &bytes);
}

fn look(text: &BigText, model: &[u8], random: &mut StdRng) {
    let (one, other) = (place(random, BYTES_MAX), place(random, BYTES_MAX));
    let range = one.min(other)..one.max(other);
    let clipped = range.start.min(model.len())..range.end.min(model.len());
    assert!(*text.part(range.clone()) == model[clipped]);
    assert!(
        text.runs(range)
            .all(|run| run.len() > 0 && run.len() == run.bytes().len())
    );
}

fn fresh(random: &mut StdRng) -> (BigText, Vec<u8>) {
    let model = vec![7; place(random, BYTES_MAX)];
    match random.random_range(0..3) {
        0 => (BigText::of(&model), model),
        _ => (BigText::on(Shared::new(model.clone())), model),
    }
}

#[test]
fn behaves_like_a_vector_and_clones_stay() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..30 {
        let (mut text, mut model) = fresh(&mut random);
        check(&text, &model);
        let mut clones = Vec::new();
        for step in 0..60 {
            change(&mut text, &mut model, &mut random);
            look(&text, &model, &mut random);
            if random.random_range(0..8) == 0 {
                clones.push((text.clone(), model.clone()));
            }
            if random.random_range(0..12) == 0 {
                clones.clear();
            }
            if step % 6 == 0 {
                check(&text, &model);
            }
        }
        check(&text, &model);
        clones.iter().for_each(|(text, model)| check(text, model));
    }
}

#[test]
fn becomes_chunks_without_a_copy_and_changes_where_it_lies() {
    let whole = Shared::new(vec![1; 50 * CHUNK_BYTES + 5]);
    let place = whole.as_ptr();
    let mut text = BigText::on(whole);
    assert!(text.write(3 * CHUNK_BYTES - 1, b"abc", Mark::APART).is_none());
    let runs: Vec<_> = text.runs(0..usize::MAX).map(|run| run.bytes().as_ptr()).collect();
    assert_eq!(runs, [place], "still one run, in the same place");
    assert_eq!(&*text.part(3 * CHUNK_BYTES - 2..3 * CHUNK_BYTES + 3), b"\x01abc\x01");
}

#[test]
fn a_change_copies_the_chunk_it_touches_while_there_is_a_clone() {
    let whole = Shared::new(vec![1; 50 * CHUNK_BYTES]);
    let before = BigText::on(whole).heap_bytes();
    let mut text = BigText::on(Shared::new(vec![1; 50 * CHUNK_BYTES]));
    let clone = text.clone();
    text.write(10 * CHUNK_BYTES + 7, b"x", Mark::APART);
    let one_chunk = CHUNK_BYTES + 16 + size_of::<Vec<u8>>();
    assert_eq!(text.heap_bytes(), before + one_chunk);
    text.write(10 * CHUNK_BYTES + 9, b"y", Mark::APART);
    assert_eq!(text.heap_bytes(), before + one_chunk, "the copy is changed in place");
    assert_eq!(clone.heap_bytes(), before);
    assert!(bytes_of(&clone).iter().all(|byte| *byte == 1));
    // A clone of the copy makes another one.
    let later = text.clone();
    text.write(10 * CHUNK_BYTES, b"z", Mark::APART);
    assert_eq!(
        &*later.part(10 * CHUNK_BYTES..10 * CHUNK_BYTES + 10),
        b"\x01\x01\x01\x01\x01\x01\x01x\x01y"
    );
}

#[test]
fn a_base_goes_when_less_than_half_of_it_is_used() {
    const CHUNKS: usize = 200;
    let bytes = CHUNKS * CHUNK_BYTES;
    let mut text = BigText::on(Shared::new(vec![1; bytes]));
    let clone = text.clone();
    for at in 0..CHUNKS / 2 {
        assert!(text.write(2 * at * CHUNK_BYTES, b"x", Mark::APART).is_none());
    }
    assert!(text.heap_bytes() > bytes + bytes / 2 && text.heap_bytes() < bytes + bytes / 2 + 50_000);
    drop(clone);
    assert!(
        text.write(0, b"x", Mark::APART).is_none(),
        "half of it is worth keeping"
    );
    let clone = text.clone();
    let mut gone = text.write(CHUNK_BYTES, b"x", Mark::APART);
    let mut changes = 0;
    while gone.is_none() {
        gone = text.write(0, b"y", Mark::APART);
        changes += 1;
    }
    assert!(changes <= CHUNKS / 2 / 16, "{changes}");
    assert_eq!(gone.map(|gone| gone.len()), Some(bytes));
    assert!(text.heap_bytes() < bytes + 50_000);
    assert!(clone.base.is_some() && bytes_of(&clone)[CHUNK_BYTES] == 1);
}

#[test]
fn zeroes_cost_nothing_until_they_are_written() {
    let mut text = BigText::of(b"abc");
    text.write(500 << 20, b"x", Mark::APART);
    assert_eq!(text.len(), (500 << 20) + 1);
    assert!(text.heap_bytes() < 450_000, "{}", text.heap_bytes());
    text.write(250 << 20, b"y", Mark::APART);
    assert!(text.heap_bytes() < 450_000 + CHUNK_BYTES);
    assert_eq!(&*text.part((250 << 20) - 1..(250 << 20) + 2), b"\0y\0");
}

#[test]
fn appending_little_copies_little() {
    let mut text = BigText::of(&[0; 1000]);
    let mut places = HashSet::new();
    for _ in 0..4000 {
        text.write(text.len(), &[1; 100], Mark::APART);
        places.extend(text.runs(0..usize::MAX).map(|run| run.whole().as_ptr()));
    }
    // Each chunk moves a few times as it doubles.
    assert!(places.len() <= text.chunks.len() * 8, "{}", places.len());
    assert!(text.heap_bytes() < text.len() + 2 * CHUNK_BYTES);
}

#[test]
fn records_and_images_link_chunks() {
    let mut text = BigText::on(Shared::new(vec![1; 5 * CHUNK_BYTES]));
    let _clone = text.clone();
    text.write(2 * CHUNK_BYTES, b"x", Mark::APART);
    let mut spliced = Spliced::default();
    spliced.push(b"before");
    spliced.link_text(text.clone());
    spliced.push(b"behind");
    spliced.settle();
    let (mut content, mut places) = (Vec::new(), Vec::new());
    let Ok(()) = spliced.for_each_piece(|piece| {
        content.extend_from_slice(piece);
        places.push(piece.as_ptr());
        Ok::<(), std::convert::Infallible>(())
    });
    let runs: Vec<_> = text.runs(0..usize::MAX).map(|run| run.bytes().as_ptr()).collect();
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|run| places.contains(run)));
    let mut expected = b"before".to_vec();
    crate::page::codec::encode(&serde_bytes::Bytes::new(&bytes_of(&text)), None, &mut expected);
    expected.extend_from_slice(b"behind");
    assert!(content == expected);
}

#[test]
fn pages_have_the_same_bytes_as_of_one_piece() {
    let mut text = BigText::on(Shared::new(vec![1; 5 * CHUNK_BYTES]));
    let _clone = text.clone();
    text.write(2 * CHUNK_BYTES, b"x", Mark::APART);
    let shared = Shared::new(bytes_of(&text));
    let [of_chunks, of_one_piece] = [StrRef::Chunked(&text), StrRef::Shared(&shared)].map(|text| {
        let [one, other] = [&b"one"[..], b"other"].map(|key| Entry::new(key, ValueRef::Str(text), Some(9), 0));
        let entries = [one.lend(), other.lend()].into_iter();
        let mut image = PageImage::of(PageId::FIRST, Lsn::new(1), entries);
        image.content.settle();
        let mut content = Vec::new();
        let Ok(()) = image.content.for_each_piece(|piece| {
            content.extend_from_slice(piece);
            Ok::<(), std::convert::Infallible>(())
        });
        content
    });
    assert!(of_chunks == of_one_piece);
}
