//! Pages that merge: before a checkpoint, while it runs, and in the replay behind it.

use super::incremental::snapshot;
use super::*;

const KEYS: usize = 30_000;

fn key(number: usize) -> Vec<u8> {
    format!("key:{number:05}").into_bytes()
}

fn delete(server: &mut Server, numbers: impl Iterator<Item = usize>) {
    for number in numbers {
        let key = key(number);
        assert!(server.change(DatabaseId::DEFAULT, &key, |txn| txn.delete(&key)));
    }
}

fn pages(server: &Server) -> u64 {
    server.totals_of("default").pages
}

#[test]
fn pages_that_merge_leave_the_next_checkpoint_and_no_other() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start_with(&disk, Some(Fsync::No));
    server
        .settings
        .keep_count
        .store(10, std::sync::atomic::Ordering::Relaxed);
    for number in 0..KEYS {
        server.set(std::str::from_utf8(&key(number)).unwrap(), "v");
    }
    let full = server.checkpoints.checkpoint_blocking().unwrap();
    let (full_dump, full_pages) = (server.dump(), pages(&server));
    assert_eq!(full.pages, full_pages);
    // Some merge while a checkpoint saves them.
    let checkpoints = std::thread::scope(|scope| {
        let running = scope.spawn(|| server.checkpoints.checkpoint_blocking().unwrap());
        let engine = &server.engine;
        let mut worker = engine.worker().unwrap();
        for number in KEYS / 10..KEYS / 2 {
            let key = key(number);
            change(engine, &mut worker, DatabaseId::DEFAULT, &key, |txn| txn.delete(&key));
        }
        running.join().unwrap()
    });
    let during = snapshot(&disk, checkpoints.id);
    assert!((KEYS * 6 / 10..=KEYS).contains(&during["default"].1.len()));
    delete(&mut server, KEYS / 2..KEYS * 8 / 10);
    let sparse = server.checkpoints.checkpoint_blocking().unwrap();
    assert_eq!(snapshot(&disk, sparse.id), server.dump());
    assert_eq!(snapshot(&disk, full.id), full_dump);
    // The rest merge in the log alone.
    delete(&mut server, KEYS * 8 / 10..KEYS);
    let left = pages(&server);
    assert!(left * 3 < full_pages, "{left} pages of {full_pages}");
    server.sync();
    let before = server.dump();
    let disk = disk.crash();
    let server = Server::start_with(&disk, Some(Fsync::No));
    assert!(server.dump() == before);
    let left = pages(&server);
    assert!(left * 3 < full_pages, "{left} pages of {full_pages} after the replay");
    let last = server.checkpoints.checkpoint_blocking().unwrap();
    assert_eq!(last.pages, left);
    assert!(snapshot(&disk, last.id) == server.dump());
}
