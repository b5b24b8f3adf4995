//! Tests of the whole log, on the fault disk.

mod crash;
mod damage;
mod failure;
mod feed;
mod mutated;
mod normal;
mod runs;
mod straying;
mod trim;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::storage::Disk;
use crate::storage::fault::FaultDisk;

const DIR: &str = "/data/wal";

fn options(fsync: Fsync) -> WalOptions {
    WalOptions {
        fsync,
        ..WalOptions::new(DIR)
    }
}

/// With segments that are full at so many bytes.
fn segments_of(segment_bytes: u64, fsync: Fsync) -> WalOptions {
    WalOptions {
        segment_bytes,
        ..options(fsync)
    }
}

fn open(disk: &FaultDisk, options: WalOptions, next: Lsn) -> Result<Wal, WalError> {
    Wal::open(Arc::new(disk.clone()), options, next)
}

fn shared(disk: &FaultDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// What a test reads back of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    lsn: Lsn,
    payload: Vec<u8>,
    batch_end: bool,
}

fn read_from(disk: &FaultDisk, from: Lsn) -> Result<(Vec<Read>, Option<Tail>), WalError> {
    let mut reader = Reader::open(shared(disk), Path::new(DIR), from)?;
    let mut records = Vec::new();
    while let Some(Record {
        lsn,
        payload,
        batch_end,
        ..
    }) = reader.next()?
    {
        records.push(Read {
            lsn,
            payload: payload.to_vec(),
            batch_end,
        });
    }
    Ok((records, reader.tail().cloned()))
}

fn read_all(disk: &FaultDisk) -> Result<(Vec<Read>, Option<Tail>), WalError> {
    read_from(disk, Lsn::FIRST)
}

/// The payload that tests give to record `lsn`: its length and bytes follow from the LSN.
fn payload(lsn: Lsn) -> Vec<u8> {
    let len = (lsn.get().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) as usize;
    (0..len)
        .map(|at| (lsn.get() as u8).wrapping_mul(31).wrapping_add(at as u8) | 1)
        .collect()
}

fn append(log: &mut WorkerLog) -> Lsn {
    let lsn = log.begin();
    log.write(&payload(lsn));
    log.commit(1_000 + lsn.get());
    lsn
}

fn assert_prefix(records: &[Read], from: Lsn) {
    for (record, number) in records.iter().zip(from.get()..) {
        let lsn = Lsn::new(number);
        assert_eq!(record.lsn, lsn);
        assert_eq!(record.payload, payload(lsn), "payload of {lsn}");
    }
}

fn segment_path(first: Lsn) -> PathBuf {
    Path::new(DIR).join(segment_name(first))
}

/// A log of `count` records, closed.
fn written(seed: u64, count: u64, segment_bytes: u64) -> FaultDisk {
    let disk = FaultDisk::new(seed);
    let wal = open(
        &disk,
        WalOptions {
            segment_bytes,
            ..options(Fsync::Always)
        },
        Lsn::FIRST,
    )
    .unwrap();
    let mut log = wal.log();
    for _ in 0..count {
        append(&mut log);
        log.submit();
    }
    wal.close().unwrap();
    disk
}
