//! Mutated segments: the reader and the repairs may refuse them, they may not panic or run on, and what they leave is a
//! log. `LOKIKV_MUTATIONS` says how many are tried, `LOKIKV_SEED` repeats a run.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The two segments of a log, as they were written.
fn segments() -> Vec<(PathBuf, Vec<u8>)> {
    let disk = written(3, 60, 2500);
    let names = shared(&disk).list(Path::new(DIR)).unwrap();
    let files = names.iter().map(|name| Path::new(DIR).join(name));
    files
        .map(|path| (path.clone(), shared(&disk).read(&path).unwrap()))
        .collect()
}

fn somewhere(rng: &mut SmallRng, bytes: &[u8]) -> usize {
    rng.random_range(0..bytes.len().max(1))
}

/// Changes bytes as a disk, a file system or a careless hand might.
fn mutate(rng: &mut SmallRng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = somewhere(rng, bytes);
    let len = rng.random_range(0..200).min(bytes.len() - at);
    match rng.random_range(0..8) {
        0 => bytes.truncate(at),
        1 => bytes[at..at + len].fill(0),
        2 => drop(bytes.drain(at..at + len)),
        3 => {
            let copy = bytes[at..at + len].to_vec();
            let to = somewhere(rng, bytes);
            bytes.splice(to..to, copy);
        }
        4 => {
            let from = somewhere(rng, other);
            bytes.splice(at..at + len, other[from..].iter().copied().take(len));
        }
        // A length, in front of its record or not.
        5 => {
            let word = rng.random::<u32>() >> rng.random_range(0..32);
            for (byte, new) in bytes[at..].iter_mut().zip(word.to_le_bytes()) {
                *byte = new;
            }
        }
        6 => bytes.extend((0..len).map(|_| rng.random::<u8>())),
        _ => bytes[at] ^= 1 << rng.random_range(0..8),
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

/// Reads as far as it goes; what comes out is in order.
fn read_to_end(disk: &FaultDisk) -> Option<Lsn> {
    let mut reader = Reader::open(shared(disk), Path::new(DIR), Lsn::FIRST).ok()?;
    let mut next = Lsn::FIRST;
    while let Ok(Some(record)) = reader.next() {
        assert_eq!(record.lsn, next);
        assert_eq!(record.payload, payload(next), "a record that was not written");
        next = next.next();
    }
    Some(next)
}

#[test]
fn mutated_segments_are_read_refused_or_repaired() {
    let seed = env("LOKIKV_SEED").unwrap_or_else(rand::random);
    println!("LOKIKV_SEED={seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let whole = segments();
    assert!(whole.len() >= 2);
    for _ in 0..env("LOKIKV_MUTATIONS").unwrap_or(1500) {
        let disk = FaultDisk::new(0);
        let victim = rng.random_range(0..whole.len());
        for (at, (path, bytes)) in whole.iter().enumerate() {
            let mut bytes = bytes.clone();
            if at == victim {
                let (_, other) = &whole[(at + 1) % whole.len()];
                (0..rng.random_range(1..4)).for_each(|_| mutate(&mut rng, &mut bytes, other));
            }
            disk.put(path, &bytes);
        }
        let before = read_to_end(&disk);
        let _ = repair_tail(&shared(&disk), Path::new(DIR));
        assert_eq!(read_to_end(&disk), before, "a torn tail holds no record");
        if let Ok(Some(repair)) = repair_damage(&shared(&disk), Path::new(DIR)) {
            assert_eq!(before, Some(repair.next_lsn), "only what is behind the damage goes");
            // What is left may end torn, as after any cut; then it can be opened again.
            let _ = repair_tail(&shared(&disk), Path::new(DIR));
            let wal = open(&disk, options(Fsync::Always), repair.next_lsn).unwrap();
            wal.close().unwrap();
        }
    }
}
