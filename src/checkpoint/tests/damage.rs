//! Bit rot in a checkpoint is told with file and offset, never loaded and never stepped around.

use super::*;
use crate::checkpoint::files::catalog::page_file_name;
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
    for path in files(&disk, CHECKPOINTS) {
        let len = disk.len(&path).unwrap();
        for cut in [0, 1, 31, 40, len / 2, len - 1] {
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

#[test]
fn a_page_file_lost_under_a_running_server_is_written_anew() {
    for is_cut in [false, true] {
        let (disk, mut server, page_file) = of_two_checkpoints();
        match is_cut {
            true => disk.truncate(&page_file, disk.len(&page_file).unwrap() - 1).unwrap(),
            false => disk.remove(&page_file).unwrap(),
        }
        server.set("key:1", "newer");
        server.checkpoints.checkpoint_blocking().unwrap();
        server.set("key:2", "newer");
        server.sync();
        let expected = server.dump();
        let read = read_back(&disk.fork().kill()).unwrap_or_else(|error| panic!("cut: {is_cut}: {error}"));
        assert!(dump(&read.registry) == expected, "cut: {is_cut}");
    }
}
