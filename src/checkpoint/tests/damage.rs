//! Bit rot in a checkpoint is told with file and offset, never loaded and never stepped around.

use super::*;
use crate::checkpoint::files::catalog::{SnapshotId, page_file_name};
use crate::checkpoint::files::format::{PAGE_FILE_HEADER_BYTES, PAGE_HEADER_BYTES, VERSION_AT};
use crate::checkpoint::files::manifest::Manifest;

fn small() -> FaultDisk {
    let disk = FaultDisk::new(5);
    let mut server = Server::start_with(&disk, None);
    for i in 0..20 {
        server.set(&format!("key:{i}"), &format!("value {i}"));
    }
    server.checkpoints.checkpoint_blocking().unwrap();
    server.set("key:0", "newer");
    server.checkpoints.checkpoint_blocking().unwrap();
    server.checkpoints.stop();
    checkpoints_only(&disk)
}

/// Whether a byte is of a page that the newest checkpoint no longer needs.
fn is_superseded(manifest: &Manifest, name: &str, offset: u64) -> bool {
    let Some(file) = manifest.head.files.iter().position(|id| page_file_name(*id) == name) else {
        return false;
    };
    let rows = manifest.collections.iter().flat_map(|part| &part.pages);
    let mut in_file = rows.filter(|row| row.file as usize == file);
    let is_live = in_file.any(|row| (row.offset..row.offset + row.len + PAGE_HEADER_BYTES as u64).contains(&offset));
    !is_live && offset >= PAGE_FILE_HEADER_BYTES as u64
}

#[test]
fn every_flipped_byte_is_refused_with_its_file() {
    let disk = small();
    let newest = files(&disk, CHECKPOINTS);
    assert_eq!(newest.len(), 4, "keep_count 1, pages of two checkpoints: {newest:?}");
    let manifest = Manifest::read(&disk, &newest[1]).unwrap();
    for path in newest {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for offset in 0..disk.len(&path).unwrap() {
            if is_superseded(&manifest, &name, offset) {
                continue;
            }
            let mask = 1 << (offset % 8);
            disk.flip(&path, offset as usize, mask).unwrap();
            let error = read_back(&disk).err().map(|error| error.to_string());
            let error = error.unwrap_or_else(|| panic!("{name}: byte {offset} was not noticed"));
            assert!(
                error.contains(&name) && error.contains("at byte"),
                "byte {offset}: {error}"
            );
            disk.flip(&path, offset as usize, mask).unwrap();
        }
    }
    read_back(&disk).unwrap();
}

#[test]
fn a_shortened_or_missing_file_is_refused() {
    let disk = small();
    let newest = files(&disk, CHECKPOINTS);
    let manifest = Manifest::read(&disk, &newest[1]).unwrap();
    for path in newest {
        let name = path.file_name().unwrap().to_str().unwrap();
        let len = disk.len(&path).unwrap();
        // What is not needed any more may be at the end.
        let is_missed = |cut: &u64| (*cut..len).any(|offset| !is_superseded(&manifest, name, offset));
        for cut in [0, 1, 31, 40, len / 2, len - 1].into_iter().filter(is_missed) {
            let damaged = disk.fork();
            damaged.truncate(&path, cut).unwrap();
            let error = read_back(&damaged).err().unwrap().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
        }
    }
    let pages = files(&disk, CHECKPOINTS).pop().unwrap();
    assert!(pages.to_str().unwrap().ends_with(".lkp"));
    disk.remove(&pages).unwrap();
    let error = read_back(&disk).err().unwrap().to_string();
    assert!(error.contains(pages.to_str().unwrap()), "{error}");
}

#[test]
fn a_version_from_the_future_is_named() {
    let disk = small();
    let path = files(&disk, CHECKPOINTS).pop().unwrap();
    let mut bytes = disk.read(&path).unwrap();
    bytes[VERSION_AT] = 9;
    let crc = crc32c::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    disk.put(&path, &bytes);
    let error = read_back(&disk).err().unwrap().to_string();
    assert!(error.contains("format version 9 at byte 8"), "{error}");
}

/// A server whose newest checkpoint needs a page file of the one before, for small values and for one in parts.
fn of_two_checkpoints() -> (FaultDisk, Server, PathBuf) {
    let disk = FaultDisk::new(6);
    let mut server = Server::start(&disk);
    for i in 0..200 {
        server.set(&format!("key:{i}"), &format!("value {i}"));
    }
    server.set("big", &"part".repeat(100_000));
    server.checkpoints.checkpoint_blocking().unwrap();
    server.set("key:0", "newer");
    let second = server.checkpoints.checkpoint_blocking().unwrap();
    assert!(second.written_pages < second.pages, "{second:?}");
    let page_file = files(&disk, CHECKPOINTS)
        .into_iter()
        .find(|path| path.extension() == Some("lkp".as_ref()));
    (disk, server, page_file.unwrap())
}

/// What happened to the page file of [`of_two_checkpoints`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Removed,
    Cut,
    Replaced,
    WrittenTo,
    /// Bit rot, which only reading back tells of.
    Rotten,
}

impl Cause {
    fn happen(self, disk: &FaultDisk, path: &Path) {
        let mut bytes = disk.read(path).unwrap();
        match self {
            Self::Removed => disk.remove(path).unwrap(),
            Self::Cut => disk.truncate(path, bytes.len() as u64 - 1).unwrap(),
            Self::Replaced => {
                bytes.fill(0);
                disk.put(path, &bytes);
            }
            Self::WrittenTo => {
                let mut file = disk.open_append(path).unwrap();
                let half = bytes.split_off(bytes.len() / 2);
                file.truncate(bytes.len() as u64).unwrap();
                file.write_all(&vec![7; half.len()]).unwrap();
            }
            Self::Rotten => disk.flip(path, bytes.len() / 2, 1).unwrap(),
        }
    }
}

/// Takes a checkpoint and finds everything, on the disk too.
fn assert_heals(disk: &FaultDisk, server: &mut Server, cause: Cause) -> u64 {
    server.set("key:1", "newer");
    let done = server.checkpoints.checkpoint_blocking().unwrap();
    server.set("key:2", "newer");
    server.sync();
    let read = read_back(&disk.fork().kill()).unwrap_or_else(|error| panic!("{cause:?}: {error}"));
    assert!(dump(&read.registry) == server.dump(), "{cause:?}");
    done.written_pages
}

#[test]
fn a_page_file_lost_under_a_running_server_is_written_anew() {
    for cause in [Cause::Removed, Cause::Cut, Cause::Replaced, Cause::WrittenTo] {
        let (disk, mut server, page_file) = of_two_checkpoints();
        cause.happen(&disk, &page_file);
        let written = assert_heals(&disk, &mut server, cause);
        assert!(
            assert_heals(&disk, &mut server, cause) < written,
            "only once: {cause:?}"
        );
    }
}

#[test]
fn a_page_file_lost_before_the_first_checkpoint_of_a_server_is_written_anew() {
    for cause in [Cause::Removed, Cause::Cut, Cause::Replaced, Cause::WrittenTo] {
        let (disk, server, page_file) = of_two_checkpoints();
        drop(server);
        let disk = disk.kill();
        let mut server = Server::start(&disk);
        // Answered by the checkpointer's thread, which has looked at the files before.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(server.checkpoints.snapshots()).unwrap();
        cause.happen(&disk, &page_file);
        assert_heals(&disk, &mut server, cause);
    }
}

#[test]
fn damage_that_reading_back_has_found_is_written_anew() {
    let (disk, mut server, page_file) = of_two_checkpoints();
    Cause::Rotten.happen(&disk, &page_file);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let verify = |server: &Server| {
        let verified = runtime.block_on(server.checkpoints.verify_snapshot(SnapshotId::Latest));
        verified.unwrap().faults.len()
    };
    assert_eq!(verify(&server), 1);
    // Known for as long as no checkpoint has come about without it.
    disk.fail_rename(0);
    server.checkpoints.checkpoint_blocking().unwrap_err();
    let written = assert_heals(&disk, &mut server, Cause::Rotten);
    assert_eq!(verify(&server), 0);
    assert!(assert_heals(&disk, &mut server, Cause::Rotten) < written, "only once");
}
