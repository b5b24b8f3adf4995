//! Every shape of entry, read back and changed.

use super::*;
use crate::page::Mark;
use crate::page::relocation::{Moved, Relocation};
use crate::page::value::INLINE_BYTES_MAX;

fn text(bytes: &[u8]) -> ValueRef<'_> {
    ValueRef::Str(StrRef::Inline(bytes))
}

fn bytes(entry: &Entry) -> Vec<u8> {
    entry.value().as_str().unwrap().contiguous().into_owned()
}

#[test]
fn an_expiry_moves_in_place_only_where_there_is_one() {
    let mut timed = Entry::new(b"key", text(b"value"), Some(7), 1);
    assert!(timed.try_set_expiry(Some(9)));
    assert_eq!((timed.expire_at_ms(), bytes(&timed)), (Some(9), b"value".to_vec()));
    assert!(!timed.try_set_expiry(None));
    assert_eq!(timed.expire_at_ms(), Some(9));
    let mut lasting = Entry::new(b"key", text(b"value"), None, 1);
    assert!(lasting.try_set_expiry(None) && !lasting.try_set_expiry(Some(9)));
    assert_eq!((lasting.expire_at_ms(), bytes(&lasting)), (None, b"value".to_vec()));
}

#[test]
fn every_shape_reads_back() {
    for key_len in [0, 1, 16, 254, 255, 256, 70_000] {
        for value_len in [0, 1, 32, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 100_000] {
            for expire in [None, Some(0), Some(u64::MAX)] {
                let (key, value) = (vec![b'k'; key_len], vec![b'v'; value_len]);
                let entry = Entry::new(&key, text(&value), expire, 7);
                assert_eq!(entry.key(), key);
                assert_eq!(bytes(&entry), value);
                assert_eq!(entry.expire_at_ms(), expire);
                assert_eq!(entry.access(), Access::from(7));
            }
        }
    }
}

#[test]
fn a_short_pair_costs_56_bytes() {
    assert_eq!(Entry::new(&[b'k'; 16], text(&[b'v'; 32]), None, 0).heap_bytes(), 56);
}

#[test]
fn overwrites_only_what_fits_exactly() {
    let mut entry = Entry::new(b"key", text(b"12345"), None, 0);
    assert!(entry.try_overwrite(text(b"54"), None));
    assert_eq!(bytes(&entry), b"54");
    assert!(!entry.try_overwrite(text(b"123456"), None));
    assert!(!entry.try_overwrite(text(b"54"), Some(1)));
    assert_eq!(bytes(&entry), b"54");
}

#[test]
fn containers_are_packed_while_small_and_shared_when_big() {
    use crate::page::packed::pack;
    let (small, long) = (pack([&b"a"[..], b"1"]), vec![b'x'; 5000]);
    let entry = Entry::new(b"key", ValueRef::Packed(Kind::Hash, Packed::new(&small)), Some(9), 0);
    assert!(matches!(entry.value(), ValueRef::Packed(Kind::Hash, packed) if packed.bytes() == small));
    assert_eq!(entry.heap_bytes(), (8 + 8 + 3 + small.len()).next_multiple_of(8));
    let large = pack([&b"a"[..], &long]);
    let mut entry = Entry::new(b"key", ValueRef::Packed(Kind::Hash, Packed::new(&large)), None, 0);
    assert!(matches!(entry.value(), ValueRef::Big(Big::Hash(_))));
    assert!(entry.heap_bytes() > 5000 && entry.big_mut().is_some());
    assert!(entry.shared_mut().is_none() && entry.inline_mut().is_none());
    let copy = Entry::new(b"other", entry.value(), None, 0);
    drop(entry);
    assert!(matches!(copy.value(), ValueRef::Big(big) if big.pack() == large));
    assert!(!Entry::new(b"key", text(b"12345"), None, 0).try_overwrite(copy.value(), None));
}

#[test]
fn every_shape_can_be_relocated() {
    let shared = Shared::new(vec![1; 10_000]);
    let mut big = Big::unpack(Kind::Hash, Packed::new(&crate::page::packed::pack([&b"a"[..], b"1"])));
    big.adopt(Mark::APART);
    let long = vec![b'v'; 100_000];
    for key_len in [0, 1, 255, 40_000] {
        let key = vec![b'k'; key_len];
        for value in [
            text(b""),
            text(b"value"),
            text(&long),
            text(&long[..20_000]),
            ValueRef::Str(StrRef::Shared(&shared)),
            ValueRef::Big(&big),
        ] {
            for expire in [None, Some(9)] {
                let mut entry = Entry::new(&key, value, expire, 7);
                let (before, bytes) = (format!("{:?}", entry.value()), entry.heap_bytes());
                entry.relocate(&mut Relocation::new((0, 1), &mut Moved::default(), usize::MAX));
                assert_eq!(format!("{:?}", entry.value()), before);
                assert_eq!((entry.key(), entry.expire_at_ms()), (&key[..], expire));
                assert_eq!((entry.heap_bytes(), entry.access()), (bytes, Access::from(7)));
            }
        }
    }
    assert_eq!(Shared::strong_count(&shared), 1, "none is left behind");
}

#[test]
fn large_values_are_linked() {
    let shared = Shared::new(vec![1; 10_000]);
    let mut entry = Entry::new(b"key", ValueRef::Str(StrRef::Shared(&shared)), None, 0);
    assert_eq!(Shared::strong_count(&shared), 2);
    assert!(entry.inline_mut().is_none());
    assert_eq!(entry.shared_mut().map(|shared| shared.len()), Some(10_000));
    drop(entry);
    assert_eq!(Shared::strong_count(&shared), 1);
}

#[test]
fn a_large_string_becomes_chunks_in_its_entry() {
    for expire in [None, Some(7)] {
        let shared = Shared::new(vec![1; 200_000]);
        let mut entry = Entry::new(b"key", ValueRef::Str(StrRef::Shared(&shared)), expire, 3);
        let in_one_piece = entry.heap_bytes();
        entry.chunk(BigText::on);
        assert_eq!((Shared::strong_count(&shared), bytes(&entry)), (2, vec![1; 200_000]));
        assert_eq!(
            (entry.key(), entry.expire_at_ms(), entry.access()),
            (&b"key"[..], expire, Access::from(3))
        );
        assert!(entry.shared_mut().is_none() && entry.inline_mut().is_none() && entry.big_mut().is_none());
        let text = entry.text_mut().map(|text| text.heap_bytes());
        let of_shared = shared::heap_bytes(&shared);
        assert_eq!(
            Some(entry.heap_bytes() - in_one_piece + of_shared),
            text.map(|bytes| bytes + size_of::<BigText>())
        );
        assert!(entry.is_sole_owner());
        let copy = Entry::new(b"other", entry.value(), None, 0);
        assert!(!entry.is_sole_owner());
        assert!(!Entry::new(b"key", text_of_five(), None, 0).try_overwrite(copy.value(), None));
        entry.text_mut().unwrap().write(70_000, b"x", Mark::APART);
        assert_eq!(bytes(&copy), vec![1; 200_000]);
        drop((entry, copy));
        assert_eq!(Shared::strong_count(&shared), 1);
        let mut short = Entry::new(b"key", text_of_five(), expire, 3);
        short.chunk(BigText::on);
        assert!(short.text_mut().is_none());
    }
}

fn text_of_five() -> ValueRef<'static> {
    text(b"12345")
}
