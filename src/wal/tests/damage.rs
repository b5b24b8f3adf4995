//! Torn tails and damage, byte by byte.

use std::sync::atomic::Ordering;

use super::*;
use crate::wal::format::{RECORD_COVERED_BYTES, SegmentHeader};

/// Where the last record of a closed log begins and ends (the closing mark is behind it).
fn last_record(bytes: &[u8], last: Lsn) -> (usize, usize) {
    let len = RECORD_HEADER_BYTES + payload(last).len();
    let end = bytes.len() - RECORD_HEADER_BYTES;
    (end - len, end)
}

#[test]
fn cut_at_every_byte_of_the_last_record() {
    let disk = written(1, 10, 1 << 20);
    let whole = disk.read(&segment_path(Lsn::FIRST)).unwrap();
    let (start, end) = last_record(&whole, Lsn::new(10));
    for cut in start..whole.len() {
        let disk = FaultDisk::new(1);
        disk.put(segment_path(Lsn::FIRST), &whole[..cut]);
        let (records, tail) = read_all(&disk).unwrap();
        let kept = if cut >= end { 10 } else { 9 };
        assert_eq!(records.len(), kept, "cut at {cut}");
        assert_prefix(&records, Lsn::FIRST);
        let clean = if cut >= end { cut == end } else { cut == start };
        assert_eq!(tail.is_none(), clean, "cut at {cut}");
        let wal = open(&disk, options(Fsync::Always), Lsn::new(kept as u64 + 1)).unwrap();
        append(&mut wal.log());
        wal.close().unwrap();
        let disk = disk.crash();
        let (records, tail) = read_all(&disk).unwrap();
        assert_eq!((records.len(), tail), (kept + 1, None), "cut at {cut}");
        assert_prefix(&records, Lsn::FIRST);
    }
}

#[test]
fn every_flipped_byte_of_a_closed_log_is_noticed() {
    let disk = written(1, 20, 700);
    let files: Vec<_> = disk.list(Path::new(DIR)).unwrap();
    assert!(files.len() > 2);
    for (index, name) in files.iter().enumerate() {
        let path = Path::new(DIR).join(name);
        let len = disk.len(&path).unwrap() as usize;
        for at in 0..len {
            let mask = 1 << (at % 8);
            disk.flip(&path, at, mask).unwrap();
            let closing_mark = index + 1 == files.len() && at >= len - RECORD_HEADER_BYTES;
            match read_all(&disk) {
                Err(WalError::Damaged { file, .. } | WalError::UnknownVersion { file, .. }) => assert_eq!(file, path),
                Ok((records, Some(_))) if closing_mark => assert_eq!(records.len(), 20),
                other => panic!("byte {at} of {name:?}: {other:?}"),
            }
            disk.flip(&path, at, mask).unwrap();
        }
    }
    read_all(&disk).unwrap();
}

/// Where each record of the first segment begins, and whether a mark is there in its place.
fn frames(disk: &FaultDisk) -> Vec<(u64, Option<Lsn>)> {
    let mut walk = Walk::open(disk, &segment_path(Lsn::FIRST)).unwrap();
    let mut frames = Vec::new();
    while let Some(found) = walk.next().unwrap() {
        match found {
            Found::Record(record) => frames.push((record.offset, None)),
            Found::Mark { offset, lsn, .. } => frames.push((offset, Some(lsn))),
            Found::Fault { .. } => panic!("{found:?}"),
        }
    }
    frames
}

/// Waits for the writer to come that far.
fn await_written(wal: &Wal, number: u64) {
    while wal.written_lsn() < Lsn::new(number) {
        std::thread::yield_now();
    }
}

/// 20 records, written and not synced.
fn unmarked() -> FaultDisk {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    for _ in 0..20 {
        append(&mut log);
    }
    log.submit();
    await_written(&wal, 20);
    disk.kill()
}

#[test]
fn without_any_mark_a_flip_is_the_tail() {
    let disk = unmarked();
    let path = segment_path(Lsn::FIRST);
    let frames = frames(&disk);
    let len = disk.len(&path).unwrap() as usize;
    for at in SEGMENT_HEADER_BYTES..len {
        disk.flip(&path, at, 0xff).unwrap();
        let (records, tail) = read_all(&disk).unwrap_or_else(|error| panic!("byte {at}: {error}"));
        let whole = frames.iter().take_while(|(start, _)| *start <= at as u64).count() - 1;
        assert_eq!(records.len(), whole, "byte {at}");
        assert_prefix(&records, Lsn::FIRST);
        assert_eq!(tail.unwrap().offset, frames[whole].0, "byte {at}");
        disk.flip(&path, at, 0xff).unwrap();
    }
}

fn is_marked(disk: &FaultDisk, number: u64) -> bool {
    frames(disk).iter().any(|(_, mark)| *mark == Some(Lsn::new(number)))
}

/// What a power cut may leave of records that were not synced: any piece of any length is lost, later ones are there.
#[test]
fn any_hole_behind_the_last_mark_is_the_tail_and_before_it_damage() {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    for number in 1..=40 {
        append(&mut log);
        log.submit();
        if number == 20 {
            wal.sync_blocking(Lsn::new(20)).unwrap();
            // Whoever waits for a sync may go on before its mark is due.
            while !wal.core().mark_due.load(Ordering::SeqCst) && !is_marked(&disk, 20) {
                std::thread::yield_now();
            }
        }
    }
    await_written(&wal, 40);
    let disk = disk.kill();
    let path = segment_path(Lsn::FIRST);
    let bytes = disk.read(&path).unwrap();
    let frames = frames(&disk);
    let marked = frames.iter().find(|(_, mark)| *mark == Some(Lsn::new(20))).unwrap().0 as usize;
    for at in SEGMENT_HEADER_BYTES..bytes.len() {
        for (len, fill) in [(1, 0), (7, 0xa5), (63, 0), (512, 0), (512, 0x5a)] {
            let mut holed = bytes.clone();
            let end = (at + len).min(bytes.len());
            holed[at..end].fill(fill);
            // The mark itself may be what is lost.
            if holed == bytes || at < marked + RECORD_HEADER_BYTES && end > marked {
                continue;
            }
            disk.put(path.clone(), &holed);
            match read_all(&disk) {
                Err(WalError::Damaged { .. }) if at < marked => {}
                Ok((records, Some(_))) if at > marked => {
                    assert!((20..40).contains(&records.len()), "{len} bytes at {at}");
                    assert_prefix(&records, Lsn::FIRST);
                }
                other => panic!("{len} bytes at {at}, mark at {marked}: {other:?}"),
            }
        }
    }
}

#[test]
fn damage_is_not_repaired_unless_asked() {
    let disk = written(1, 40, 700);
    let names = disk.list(Path::new(DIR)).unwrap();
    let second = Path::new(DIR).join(&names[1]);
    disk.flip(&second, 150, 4).unwrap();
    let error = read_all(&disk).unwrap_err();
    assert!(error.to_string().contains("is damaged at byte"), "{error}");
    let repair = repair_damage(&shared(&disk), Path::new(DIR)).unwrap().unwrap();
    assert_eq!(repair.kept.len(), names.len() - 1);
    let disk = disk.crash();
    let (records, tail) = read_all(&disk).unwrap();
    assert_eq!((Lsn::new(records.len() as u64 + 1), tail), (repair.next_lsn, None));
    assert_prefix(&records, Lsn::FIRST);
    assert_eq!(repair_damage(&shared(&disk), Path::new(DIR)).unwrap(), None);
}

#[test]
fn damage_in_the_last_segment_stops_the_open() {
    let disk = written(1, 40, 1 << 20);
    disk.flip(&segment_path(Lsn::FIRST), 100, 1).unwrap();
    assert!(matches!(
        open(&disk, options(Fsync::No), Lsn::new(41)),
        Err(WalError::Damaged { .. })
    ));
    assert!(matches!(
        repair_tail(&shared(&disk), Path::new(DIR)),
        Err(WalError::Damaged { .. })
    ));
}

#[test]
fn a_missing_segment_is_noticed() {
    let disk = written(1, 40, 700);
    let names = disk.list(Path::new(DIR)).unwrap();
    disk.remove(&Path::new(DIR).join(&names[1])).unwrap();
    assert!(matches!(read_all(&disk), Err(WalError::Missing { .. })));
}

#[test]
fn a_torn_new_segment_is_removed() {
    for cut in 0..SEGMENT_HEADER_BYTES {
        let disk = written(1, 5, 1 << 20);
        let header = SegmentHeader {
            salt: 5,
            first_lsn: Lsn::new(6),
            identity: 7,
        }
        .encode();
        disk.put(segment_path(Lsn::new(6)), &header[..cut]);
        let (records, tail) = read_all(&disk).unwrap();
        assert_eq!((records.len(), tail.unwrap().offset), (5, 0));
        let wal = open(&disk, options(Fsync::Always), Lsn::new(6)).unwrap();
        append(&mut wal.log());
        wal.close().unwrap();
        assert_eq!(read_all(&disk).unwrap().0.len(), 6);
    }
}

#[test]
fn an_unknown_record_version_is_named() {
    let disk = FaultDisk::new(1);
    let mut bytes = SegmentHeader {
        salt: 5,
        first_lsn: Lsn::FIRST,
        identity: 0,
    }
    .encode()
    .to_vec();
    let mut record = vec![0; RECORD_HEADER_BYTES];
    record[..4].copy_from_slice(&(RECORD_COVERED_BYTES as u32).to_le_bytes());
    record[8] = 77;
    let crc = crc32c::crc32c_append(5, &record[8..]).to_le_bytes();
    record[4..8].copy_from_slice(&crc);
    bytes.extend(record);
    disk.put(segment_path(Lsn::FIRST), &bytes);
    assert!(matches!(
        read_all(&disk),
        Err(WalError::UnknownVersion {
            version: 77,
            offset: 32,
            ..
        })
    ));
}

#[test]
fn a_stored_segment_does_not_look_like_records() {
    let inner = written(1, 30, 1 << 20).read(&segment_path(Lsn::FIRST)).unwrap();
    let disk = FaultDisk::new(2);
    let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    log.begin();
    log.write(&inner);
    log.commit(1);
    log.submit();
    wal.sync_blocking(Lsn::FIRST).unwrap();
    let disk = disk.kill();
    let len = disk.len(&segment_path(Lsn::FIRST)).unwrap();
    let path = segment_path(Lsn::FIRST);
    disk.truncate(&path, len - 40).unwrap();
    let (records, tail) = read_all(&disk).unwrap();
    assert_eq!((records.len(), tail.is_some()), (0, true));
}

/// A mark is written by itself after the last sync of its segment: it may not be torn once another segment follows.
#[test]
fn a_mark_at_the_end_of_a_segment_is_synced_before_the_next_begins() {
    for seed in 0..12 {
        let disk = FaultDisk::new(seed);
        let options = segments_of(33, Fsync::Always);
        let wal = open(&disk, options, Lsn::FIRST).unwrap();
        let mut log = wal.log();
        append(&mut log);
        log.submit();
        wal.sync_blocking(Lsn::FIRST).unwrap();
        let path = segment_path(Lsn::FIRST);
        let marked = (SEGMENT_HEADER_BYTES + 2 * RECORD_HEADER_BYTES + payload(Lsn::FIRST).len()) as u64;
        while disk.len(&path).unwrap() < marked {
            std::thread::yield_now();
        }
        append(&mut log);
        log.submit();
        wal.sync_blocking(Lsn::new(2)).unwrap();
        let (records, _) = read_all(&disk.crash()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(records.len(), 2, "seed {seed}");
    }
}
