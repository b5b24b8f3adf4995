//! Encodings that are read and never written; values that cannot be.

use super::samples::{old_payloads, payload, short};
use crate::rdb::{RestoreError, restore};

#[test]
fn every_old_encoding_is_read() {
    for (payload, object) in old_payloads() {
        assert_eq!(restore(&payload).unwrap(), object, "{}", payload.escape_ascii());
    }
}

#[test]
fn values_that_cannot_be_are_errors() {
    let far = [&b"\x01\x81"[..], &[0xff; 8], b"\x01a\x011"].concat();
    for (kind, value) in [
        // Containers of nothing.
        (1, b"\0".to_vec()),
        (2, b"\0".to_vec()),
        (4, b"\0".to_vec()),
        (5, b"\0".to_vec()),
        (11, short(b"\x02\0\0\0\0\0\0\0")),
        (14, b"\0".to_vec()),
        (16, short(b"\x07\0\0\0\0\0\xff")),
        (18, b"\x01\x02\x07\x07\0\0\0\0\0\xff".to_vec()),
        // Scores that are not numbers.
        (3, b"\x01\x01a\xfd".to_vec()),
        (3, b"\x01\x01a\x03nan".to_vec()),
        (5, [&b"\x01\x01a"[..], &f64::NAN.to_le_bytes()].concat()),
        // Half a pair, a node of no known kind, times beyond all bounds, unknown types.
        (16, short(b"\x0a\0\0\0\x01\0\x81a\x02\xff")),
        (18, b"\x01\x03\x01a".to_vec()),
        (22, far),
        (8, b"\x01a".to_vec()),
        (26, b"\x01a".to_vec()),
        (255, b"".to_vec()),
    ] {
        let result = restore(&payload(kind, &value, 10));
        assert!(
            matches!(result, Err(RestoreError::Value(_))),
            "{kind} {}: {result:?}",
            value.escape_ascii()
        );
    }
}

#[test]
fn a_value_of_a_module_is_told_by_the_modules_name() {
    let Err(RestoreError::Value(error)) = restore(&payload(7, b"\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\0", 10)) else {
        panic!("read")
    };
    assert!(error.to_string().contains("module type \"ReJSON-RL\""), "{error}");
}
