//! What is written reads back as it was.

use super::samples::objects;
use crate::rdb::{Object, RestoreError, Version, dump, restore};

#[test]
fn every_value_comes_back_from_its_payload() {
    for object in objects() {
        let payload = dump(&object);
        let mut back = restore(&payload).unwrap();
        if let (Object::Set(before), Object::Set(after)) = (&object, &mut back) {
            // An intset sorts.
            let sorted = |set: &crate::rdb::Elements| {
                let mut members: Vec<Vec<u8>> = set.iter().map(|member| member.bytes().into_owned()).collect();
                members.sort();
                members
            };
            assert_eq!(sorted(before), sorted(after));
        } else {
            assert_eq!(back, object);
        }
    }
}

#[test]
fn small_payloads_are_those_of_redis() {
    let string = |text: &[u8]| dump(&Object::String(text.to_vec()));
    // From the documentation of DUMP, except for version and checksum.
    assert_eq!(string(b"10")[..5], *b"\0\xc0\x0a\x0a\0");
    assert_eq!(string(b"hello")[..9], *b"\0\x05hello\x0a\0");
    assert_eq!(string(&[b'a'; 30])[..2], *b"\0\xc3");
}

#[test]
fn a_footer_that_does_not_match_is_told_from_a_bad_value() {
    let good = dump(&Object::String(b"value".to_vec()));
    let footer = |payload: &[u8]| matches!(restore(payload), Err(RestoreError::Footer));
    assert!(restore(&good).is_ok());
    for cut in 0..good.len() {
        assert!(footer(&good[..cut]), "{cut}");
    }
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x80;
        assert!(footer(&changed), "{at}");
    }
    let newer = super::samples::payload(0, b"\x01v", 14);
    assert!(footer(&newer));
    for bad in [&b"\x05v"[..], b"\x01vv", b""] {
        let payload = super::samples::payload(0, bad, Version::USUAL.number());
        assert!(matches!(restore(&payload), Err(RestoreError::Value(_))), "{bad:?}");
    }
}
