//! Arbitrary bytes as a WAL segment: the reader may refuse them, it may not panic or run on.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use lokikv::storage::Disk;
use lokikv::storage::fault::FaultDisk;
use lokikv::wal::{Lsn, Reader, repair_damage, repair_tail, segment_name};

const DIR: &str = "/wal";

fn read_to_end(disk: &Arc<dyn Disk>) {
    let Ok(mut reader) = Reader::open(disk.clone(), Path::new(DIR), Lsn::FIRST) else {
        return;
    };
    let mut next = Lsn::FIRST;
    while let Ok(Some(record)) = reader.next() {
        assert_eq!(record.lsn, next);
        next = next.next();
    }
}

/// The first byte chooses: the rest as a whole file, or behind a valid header of salt 0.
fn segment(data: &[u8]) -> Vec<u8> {
    let Some((choice, rest)) = data.split_first() else {
        return Vec::new();
    };
    if choice % 2 == 0 {
        return rest.to_vec();
    }
    let mut bytes = b"LOKIWAL\n".to_vec();
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(1u64.to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    // CRC32C, bit by bit: the target does not depend on the crate that is under test.
    let mut crc = !0u32;
    for byte in &bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    bytes.extend((!crc).to_le_bytes());
    bytes.extend(rest);
    bytes
}

fuzz_target!(|data: &[u8]| {
    let disk = FaultDisk::new(0);
    disk.put(Path::new(DIR).join(segment_name(Lsn::FIRST)), &segment(data));
    let disk: Arc<dyn Disk> = Arc::new(disk);
    read_to_end(&disk);
    let _ = repair_tail(&disk, Path::new(DIR));
    let _ = repair_damage(&disk, Path::new(DIR));
    read_to_end(&disk);
});
