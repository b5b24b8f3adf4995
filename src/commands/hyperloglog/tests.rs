//! Against values recorded from a Redis 7.0 server, and sparse against dense.

use super::debug;
use super::hll::*;
use crate::commands::support::random::Random;

/// FNV-1a, to record long values in few digits.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn union_of(values: &[&[u8]]) -> Result<Union, HllError> {
    let mut union = Union::default();
    values.iter().try_for_each(|value| union.add(value))?;
    Ok(union)
}

/// What PFMERGE makes of `destination`.
fn merge(destination: Option<&[u8]>, sources: &[&[u8]], sparse_bytes_max: usize) -> Result<Vec<u8>, HllError> {
    let values: Vec<&[u8]> = destination.iter().chain(sources).copied().collect();
    let mut merged = destination.map_or_else(empty, <[u8]>::to_vec);
    union_of(&values)?.store(&mut merged, sparse_bytes_max)?;
    Ok(merged)
}

fn filled(prefix: &str, count: u32) -> Vec<u8> {
    let mut bytes = empty();
    invalidate_cache(&mut bytes);
    for number in 0..count {
        add(
            &mut bytes,
            format!("{prefix}:{number}").as_bytes(),
            SPARSE_BYTES_MAX_DEFAULT,
        )
        .unwrap();
    }
    bytes
}

fn elements(count: u32) -> Vec<u8> {
    filled("element", count)
}

/// As the server counts: the count is stored.
fn counted(count: u32) -> Vec<u8> {
    let mut bytes = elements(count);
    let estimate = super::hll::count(&bytes).unwrap();
    set_cached_count(&mut bytes, estimate);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn recorded_values() {
    for (added, len, print, estimate) in [
        (0, 18, 0x524bc36d036c0579, 0),
        (1, 21, 0x5db2e01c33707b73, 1),
        (2, 24, 0xf025e8e2dad2663a, 2),
        (10, 48, 0x77f1dfb6ec0d7ad9, 10),
        (50, 158, 0xf91d1df8ba55eb4a, 50),
        (100, 285, 0x67b325af879902d0, 99),
        (500, 1050, 0x78db67250c4fc8c0, 502),
        (1000, 1897, 0xf28a9d93d3164c9, 997),
        (1500, 2722, 0xf838071971f93338, 1500),
        (2000, 12304, 0xcce1885576faad71, 2004),
        (10000, 12304, 0xf1d8d3e8afaeb877, 10017),
        (100_000, 12304, 0x8c615f2c02122d45, 100_039),
    ] {
        let bytes = elements(added);
        assert_eq!((bytes.len(), fingerprint(&bytes)), (len, print), "{added} elements");
        assert_eq!(count(&bytes), Ok(estimate), "{added} elements");
    }
    assert_eq!(hex(&elements(1)), "48594c4c0100000000000000000000806081805f7c");
    assert_eq!(
        hex(&elements(10)),
        "48594c4c010000000000000000000080448e80453b8441ed88441b80407c904501804ab38440728058dc80444f84424d"
    );
}

#[test]
fn recorded_merges_and_unions() {
    let merged = |destination: Option<&[u8]>, sources: &[&[u8]]| {
        let bytes = merge(destination, sources, SPARSE_BYTES_MAX_DEFAULT).unwrap();
        (bytes.len(), fingerprint(&bytes))
    };
    assert_eq!(merged(None, &[&counted(10), &counted(100)]), (285, 0x67b325af879902d0));
    assert_eq!(
        merged(None, &[&counted(1000), &counted(500)]),
        (1897, 0xf28a9d93d3164c9)
    );
    assert_eq!(
        merged(None, &[&counted(10), &counted(10000)]),
        (12304, 0xf1d8d3e8afaeb877)
    );
    assert_eq!(
        merged(Some(&filled("other", 1000)), &[&counted(500)]),
        (2742, 0x8bbef66f70bf1189)
    );
    let other = filled("other", 5000);
    let count_union = |values: &[&[u8]]| union_of(values).unwrap().count();
    assert_eq!(count_union(&[&other, &elements(1000)]), 6007);
    assert_eq!(count_union(&[&other, &elements(10_000)]), 14_934);
    assert_eq!(count_union(&[&elements(100), &elements(10)]), 99);
    assert_eq!(count_union(&[]), 0);
}

#[test]
fn recorded_runs() {
    assert_eq!(
        debug::decode(&elements(10)).as_deref(),
        Ok(
            "Z:1167 v:1,1 Z:1340 v:2,1 Z:494 v:3,1 Z:1052 v:1,1 Z:125 v:5,1 Z:1282 v:1,1 Z:2740 v:2,1 Z:115 v:1,1 \
            Z:6365 v:1,1 Z:1104 v:2,1 Z:590"
        )
    );
    assert_eq!(debug::decode(&elements(2000)), Err(HllError::NotSparse));
    assert_eq!(debug::encoding_name(&elements(10)), Ok("sparse"));
    assert_eq!(debug::encoding_name(&elements(2000)), Ok("dense"));
    assert_eq!(debug::register_values(&elements(10)).unwrap()[1167], 1);
}

#[test]
fn cached_count() {
    let mut bytes = empty();
    assert_eq!(super::hll::cached_count(&bytes), Some(0));
    assert_eq!(add(&mut bytes, b"a", SPARSE_BYTES_MAX_DEFAULT), Ok(true));
    assert_eq!(super::hll::cached_count(&bytes), None);
    set_cached_count(&mut bytes, 77);
    assert_eq!(add(&mut bytes, b"a", SPARSE_BYTES_MAX_DEFAULT), Ok(false));
    assert_eq!((super::hll::cached_count(&bytes), count(&bytes)), (Some(77), Ok(77)));
    assert_eq!(to_dense(&mut bytes), Ok(true));
    assert_eq!(to_dense(&mut bytes), Ok(false));
    assert_eq!(super::hll::cached_count(&bytes), Some(77));
    invalidate_cache(&mut bytes);
    assert_eq!(count(&bytes), Ok(1));
}

#[test]
fn refused_strings() {
    let dense = elements(2000);
    for bytes in [
        &b""[..],
        b"HYLL",
        b"hello world, this is text",
        &dense[..dense.len() - 1],
    ] {
        assert_eq!(check(bytes), Err(HllError::NotHll));
        assert_eq!(count(bytes), Err(HllError::NotHll));
    }
    let mut unknown = empty();
    unknown[4] = 2;
    assert_eq!(check(&unknown), Err(HllError::NotHll));
    let mut short = elements(10);
    short.truncate(30);
    assert_eq!(count(&short), Err(HllError::Corrupt));
    assert_eq!(to_dense(&mut short), Err(HllError::Corrupt));
    assert_eq!(merge(None, &[&short], 3000), Err(HllError::Corrupt));
    assert_eq!(
        HllError::NotHll.message(),
        "WRONGTYPE Key is not a valid HyperLogLog string value."
    );
    assert_eq!(HllError::Corrupt.message(), "INVALIDOBJ Corrupted HLL object detected");
}

#[test]
fn dense_patches_write_what_add_writes() {
    let mut bytes = elements(2000);
    for number in 2000..6000 {
        let element = format!("element:{number}").into_bytes();
        let patch = dense_patch(&bytes, &element);
        let mut patched = bytes.clone();
        if let Some(DensePatch {
            offset,
            bytes: new,
            len,
        }) = patch
        {
            patched[offset..offset + len].copy_from_slice(&new[..len]);
            patched[STALE_CACHE_OFFSET] |= 0x80;
        }
        assert_eq!(add(&mut bytes, &element, 3000), Ok(patch.is_some()));
        assert!(patched == bytes, "element {number}");
    }
}

#[test]
fn random_bytes_do_not_panic() {
    let mut random = Random::from_entropy();
    println!("seed {}", random.seed());
    for _ in 0..3000 {
        let mut bytes = elements([5, 300][random.index(2).unwrap()]);
        for _ in 0..random.index(6).unwrap() {
            let at = HEADER_BYTES + random.index(bytes.len() - HEADER_BYTES).unwrap();
            bytes[at] = random.next_u64() as u8;
        }
        bytes.truncate(random.between(0, bytes.len() as i64) as usize);
        for _ in 0..20 {
            let _ = add(&mut bytes, &random.next_u64().to_ne_bytes(), random.index(400).unwrap());
        }
        let _ = (
            count(&bytes),
            debug::decode(&bytes),
            merge(Some(&bytes), &[&bytes], 100),
            to_dense(&mut bytes),
        );
    }
}

#[test]
fn self_test_passes() {
    let mut random = Random::from_entropy();
    println!("seed {}", random.seed());
    debug::self_test(&mut random).unwrap();
}
