//! What an open does to the files of a log before its first new record.
//!
//! **Invariant:** no torn tail is left, and the last segment is synced.

use std::path::Path;
use std::sync::Arc;

use super::core::SegmentInfo;
use super::format::{RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES};
use super::note::NoteKeeper;
use super::reader::Reader;
use super::repair::repair_tail;
use super::runs::of_segment;
use super::segment::{self, OpenSegment, SegmentFile};
use super::{Lsn, WalError, WalOptions};
use crate::storage::Disk;

/// The segment to write to, all segments with it, when the last record was written, and the note of the log.
pub(super) fn open_segment(
    disk: &Arc<dyn Disk>,
    options: &WalOptions,
    next: Lsn,
) -> Result<(OpenSegment, Vec<SegmentFile>, u64, NoteKeeper), WalError> {
    let dir = &options.dir;
    repair_tail(disk, dir)?;
    let mut files = segment::list(disk.as_ref(), dir)?;
    let (end, last_wall_ms) = end_of(disk, options, &files)?;
    let notes = NoteKeeper::open(disk.as_ref(), options.note_dir.as_deref(), &files)?;
    if let Some(last) = files.last() {
        if end > next {
            return Err(WalError::Behind {
                next,
                last: end.before(),
            });
        }
        let segment = continue_segment(disk.as_ref(), dir, last)?;
        if end == next {
            match notes.tell(disk.as_ref(), last.first, next.before()) {
                // It tells of less than it could. A disk that is full shall not keep a server from starting.
                Err(error) if error.is_want_of_room() => tracing::warn!("the log's end is not noted: {error}"),
                told => told?,
            }
            return Ok((segment, files, last_wall_ms, notes));
        }
    }
    let segment = segment::create(disk.as_ref(), dir, next, notes.identity)?;
    notes.tell(disk.as_ref(), next, next.before())?;
    files.push(SegmentFile {
        first: next,
        path: segment.path.clone(),
    });
    Ok((segment, files, last_wall_ms, notes))
}

/// The LSN after the last record, and when that was written. A last segment without a record does not tell when: then
/// the one before it does. Zeros if there are no segments.
fn end_of(disk: &Arc<dyn Disk>, options: &WalOptions, files: &[SegmentFile]) -> Result<(Lsn, u64), WalError> {
    let Some(last) = files.last() else {
        return Ok((Lsn::ZERO, 0));
    };
    let mut reader = Reader::open(disk.clone(), &options.dir, last.first)?;
    let mut last_wall_ms = None;
    while let Some(record) = reader.next()? {
        last_wall_ms = Some(record.wall_ms);
    }
    let end = reader.next_lsn();
    for file in files.iter().rev().skip(1) {
        if last_wall_ms.is_some() {
            break;
        }
        // It may end before the last one begins, or in what a failure has left: the times are all that is wanted.
        let mut reader = Reader::open(disk.clone(), &options.dir, file.first)?;
        while let Ok(Some(record)) = reader.next() {
            last_wall_ms = Some(record.wall_ms);
        }
    }
    Ok((end, last_wall_ms.unwrap_or(0)))
}

/// Opens a whole segment for more. What a killed process left of it in the page cache only, its directory entry
/// included, becomes durable here.
fn continue_segment(disk: &dyn Disk, dir: &Path, segment: &SegmentFile) -> Result<OpenSegment, WalError> {
    let path = segment.path.clone();
    let mut file = disk.open_append(&path).map_err(WalError::io("open", &path))?;
    file.sync_data().map_err(WalError::io("sync", &path))?;
    disk.sync_dir(dir).map_err(WalError::io("sync", dir))?;
    let bytes = file.len().map_err(WalError::io("measure", &path))?;
    let salt = super::segment_reader::read_segment_header(disk, segment)?.salt;
    Ok(OpenSegment {
        file,
        path,
        salt,
        bytes,
    })
}

/// What is to be known of segments found at the open. The first record of the next segment tells, nearly, when
/// the last one of a segment was written; where there is no record yet it was the log's last, at `last_wall_ms`.
pub(super) fn describe(
    disk: &dyn Disk,
    files: &[SegmentFile],
    last_wall_ms: u64,
) -> Result<Vec<SegmentInfo>, WalError> {
    let mut infos: Vec<SegmentInfo> = Vec::with_capacity(files.len());
    let mut before: Option<&SegmentFile> = None;
    for file in files {
        let bytes = disk.len(&file.path).map_err(WalError::io("measure", &file.path))?;
        if let Some((before, held)) = infos.last_mut().zip(before) {
            let run = of_segment(disk, held, Some(file.first));
            before.last = Some(run.last);
            before.last_wall_ms = match run.last_wall_ms {
                0 => first_wall_ms(disk, file)?.unwrap_or(last_wall_ms),
                known => known,
            };
        }
        before = Some(file);
        infos.push(SegmentInfo {
            first: file.first,
            path: file.path.clone(),
            bytes,
            last: None,
            last_wall_ms: 0,
        });
    }
    Ok(infos)
}

/// Wall time of the first frame of a segment, if it has any.
fn first_wall_ms(disk: &dyn Disk, file: &SegmentFile) -> Result<Option<u64>, WalError> {
    let mut bytes = [0; RECORD_HEADER_BYTES];
    let at = SEGMENT_HEADER_BYTES as u64;
    let read = disk
        .read_at(&file.path, at, &mut bytes)
        .map_err(WalError::io("read", &file.path))?;
    Ok((read == bytes.len()).then(|| RecordHeader::decode(&bytes).wall_ms))
}
