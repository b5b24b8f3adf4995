use super::*;

const DIR: &str = "/d";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

fn disk(seed: u64) -> FaultDisk {
    let disk = FaultDisk::new(seed);
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk
}

#[test]
fn synced_bytes_and_entries_survive_every_crash() {
    for seed in 0..200 {
        let disk = disk(seed);
        let mut file = disk.create(&path("a")).unwrap();
        file.write_all(b"durable").unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new(DIR)).unwrap();
        file.write_all(&[7; 10_000]).unwrap();
        let after = disk.crash();
        let bytes = after.read(&path("a")).unwrap();
        assert!(bytes.starts_with(b"durable"), "seed {seed}");
        assert!(bytes.len() <= 7 + 10_000, "seed {seed}");
        assert!(file.write_all(b"x").is_err(), "a dead handle must not write");
        assert!(disk.list(Path::new(DIR)).is_err());
    }
}

#[test]
fn unsynced_entries_and_bytes_can_be_lost() {
    let (mut gone, mut kept, mut cut, mut zeroed, mut old) = (0, 0, 0, 0, 0);
    for seed in 0..200 {
        let disk = disk(seed);
        let mut file = disk.create(&path("a")).unwrap();
        file.write_all(&[7; 20_000]).unwrap();
        let after = disk.crash();
        match after.read(&path("a")) {
            Err(_) => gone += 1,
            Ok(bytes) => {
                kept += 1;
                cut += usize::from(bytes.len() < 20_000);
                zeroed += usize::from(bytes.windows(512).any(|run| run.iter().all(|byte| *byte == 0)));
                old += usize::from(bytes.iter().any(|byte| *byte != 0 && *byte != 7));
            }
        }
    }
    assert!(
        gone > 20 && kept > 20 && cut > 5 && zeroed > 5 && old > 5,
        "{gone} {kept} {cut} {zeroed} {old}"
    );
}

#[test]
fn rename_is_old_or_new_after_a_crash() {
    for seed in 0..100 {
        let disk = disk(seed);
        disk.put(path("m"), b"old");
        let mut file = disk.create(&path("tmp")).unwrap();
        file.write_all(b"new").unwrap();
        file.sync_data().unwrap();
        disk.rename(&path("tmp"), &path("m")).unwrap();
        let bytes = disk.crash().read(&path("m")).unwrap();
        assert!(bytes == b"old" || bytes == b"new", "seed {seed}");
    }
}

#[test]
fn faults_hit_what_they_name() {
    let disk = disk(1);
    let mut file = disk.create(&path("a")).unwrap();
    disk.fail_write(1);
    file.write_all(b"one").unwrap();
    assert_eq!(file.write_all(b"two").unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.fail_sync(0);
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    disk.fail_rename(0);
    assert!(disk.rename(&path("a"), &path("b")).is_err());
    disk.fail_sync_dir(0);
    assert!(disk.sync_dir(Path::new(DIR)).is_err());
    let len = file.len().unwrap();
    disk.limit_bytes(len + 2);
    assert!(file.write_all(b"xyz").is_err());
    assert_eq!(file.len().unwrap(), len + 2);
    disk.clear_faults();
    disk.stop_at(1);
    file.write_all(b"q").unwrap();
    assert!(file.sync_data().is_err());
    assert!(file.write_all(b"q").is_err());
    let killed = disk.kill();
    assert!(killed.read(&path("a")).unwrap().starts_with(b"one"));
}

#[test]
fn a_sync_takes_back_nothing_that_a_later_one_has_made_durable() {
    let disk = disk(1);
    let mut file = disk.create(&path("a")).unwrap();
    let zeroed = file.syncer().unwrap();
    zeroed.write_zeroes(0, 10_000).unwrap();
    disk.slow_sync(std::time::Duration::from_millis(100));
    let early = std::thread::spawn(move || zeroed.sync_data());
    std::thread::sleep(std::time::Duration::from_millis(30));
    disk.slow_sync(std::time::Duration::ZERO);
    disk.sync_dir(Path::new(DIR)).unwrap();
    file.write_all(b"record").unwrap();
    file.sync_data().unwrap();
    early.join().unwrap().unwrap();
    assert!(disk.crash().read(&path("a")).unwrap().starts_with(b"record"));
}
