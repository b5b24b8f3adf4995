//! Damaged payloads and files: errors or other values, never a panic, and never more memory than the bytes allow.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::samples::{objects, payloads};
use crate::page::thresholds::DEFAULT;
use crate::rdb::{Object, Reader, RestoreError, Version, Writer, convert, dump, restore};

const MUTANTS: usize = 40_000;

/// Changes a few bytes, cuts, repeats or inserts a piece.
fn mutate(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..8) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes.insert(at, rng.next_u32() as u8),
            2 => {
                bytes.remove(at);
                bytes.push(0);
            }
            3 => bytes[at] = 0xff,
            4 => bytes[at] = 0x81,
            5 => {
                let piece = bytes[at..(at + 9).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => bytes[at] ^= 1 << rng.random_range(0..8),
            _ => bytes[at] = rng.next_u32() as u8,
        }
    }
}

#[test]
fn mutated_payloads_give_errors_or_values_that_can_be_dumped() {
    let mut rng = StdRng::seed_from_u64(7);
    let payloads: Vec<Vec<u8>> = payloads()
        .into_iter()
        .filter(|payload| payload.len() < 20_000)
        .collect();
    let (mut refused, mut kept) = (0, 0);
    for n in 0..MUTANTS {
        let mut payload = payloads[n % payloads.len()].clone();
        mutate(&mut rng, &mut payload);
        // Without a footer that matches, hardly any would be looked at.
        payload.truncate(payload.len().saturating_sub(10).max(1));
        payload.extend([12_u16, 80][n % 2].to_le_bytes());
        payload.extend(super::super::checksum::of(&payload).to_le_bytes());
        match restore(&payload) {
            Err(RestoreError::Value(_)) => refused += 1,
            Err(RestoreError::Footer) => panic!("the footer is right"),
            Ok(object) => {
                assert!(restore(&dump(&object)).is_ok());
                kept += u32::from(keep(object));
            }
        }
    }
    assert!(refused > MUTANTS / 2 && kept > 1_000, "{refused} {kept}");
}

/// Whether the engine takes it; what it has taken can be written again.
fn keep(object: Object) -> bool {
    let Ok(Some(stored)) = convert::stored(object, &DEFAULT, 0) else {
        return false;
    };
    let again = convert::object_of(stored.value(), 0).unwrap().unwrap();
    restore(&dump(&again)).is_ok()
}

#[test]
fn mutated_files_end_in_an_error() {
    let mut rng = StdRng::seed_from_u64(8);
    let mut writer = Writer::new(Vec::new(), Version::MESSAGES).unwrap();
    for (n, object) in objects().iter().filter(|object| dump(object).len() < 3_000).enumerate() {
        writer.database(n as u64, 1, 0).unwrap();
        writer.entry(b"key", Some(5), object).unwrap();
    }
    let file = writer.finish().unwrap();
    let mut accepted = 0;
    for _ in 0..3_000 {
        let mut mutant = file.clone();
        mutate(&mut rng, &mut mutant);
        accepted += u32::from(read_all(&mutant) && mutant != file);
    }
    // A checksum of zero counts as none; it takes more luck than there is here.
    assert_eq!(accepted, 0);
}

fn read_all(file: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(file) else {
        return false;
    };
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
