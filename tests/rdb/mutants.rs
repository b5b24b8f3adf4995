//! Files that the peers wrote, damaged in many ways, are imported: that gives errors, or data that can be written
//! again, never a crash, nor a hang, nor much memory. `LOKIKV_MUTANTS=10000` makes it as many.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lokikv::config::{Config, Loaded};
use lokikv::migrate::{Existing, ExportOptions, ImportOptions, Into, Observer, Offline, export, import};
use lokikv::storage::{Disk, RealDisk};

use crate::families::fill_more;
use crate::fill::fill;
use crate::place::{Place, names};
use crate::support::{Conn, Rng, Server, Value, env_number, seed};

/// No damaged file takes longer: the whole ones take a hundredth of it.
const TIME_MAX: Duration = Duration::from_secs(20);
/// All of them together may not need more at any moment than this above what was needed before.
const BYTES_MAX: u64 = 1 << 30;

struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _: &str, _: u64, _: u64) {}
    fn note(&mut self, _: &str) {}
}

/// What a peer has written: files by their names in one folder, and the one to be imported (`""`: the folder).
struct Sample {
    files: Vec<(String, Vec<u8>)>,
    import: &'static str,
    is_log: bool,
}

fn filled(server: &Server, with_more: bool) -> Conn {
    let mut conn = server.connect();
    fill(&mut conn);
    if with_more {
        fill_more(&mut conn);
    }
    let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    assert!(!conn.call(&["FUNCTION", "LOAD", library]).is_error());
    conn
}

fn samples() -> Vec<Sample> {
    let starts: [fn(&[&str]) -> Server; 3] = [Server::redis, Server::redis8, Server::valkey];
    let mut samples = Vec::new();
    for (which, start) in starts.into_iter().enumerate() {
        for compression in ["yes", "no"] {
            let server = start(&["--rdbcompression", compression]);
            let mut conn = filled(&server, which > 0);
            assert_eq!(conn.call(&["SAVE"]), Value::ok());
            let file = fs::read(server.data_dir().join("dump.rdb")).expect("what was saved");
            samples.push(Sample {
                files: vec![("dump.rdb".to_owned(), file)],
                import: "dump.rdb",
                is_log: false,
            });
        }
        let mut server = start(&["--appendonly", "yes", "--appendfsync", "always"]);
        let mut conn = filled(&server, which > 0);
        assert!(!conn.call(&["BGREWRITEAOF"]).is_error());
        while !conn
            .call(&["INFO", "persistence"])
            .text()
            .contains("aof_rewrite_in_progress:0")
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        fill_again(&mut conn);
        server.kill9();
        let dir = server.data_dir().join("appendonlydir");
        let read = |name: &String| (name.clone(), fs::read(dir.join(name)).expect("a part"));
        samples.push(Sample {
            files: names(&dir).iter().map(read).collect(),
            import: "",
            is_log: true,
        });
    }
    samples
}

/// More commands behind the beginning.
fn fill_again(conn: &mut Conn) {
    let commands: Vec<_> = (0..200)
        .map(|n| crate::args!["RPUSH", format!("again:{}", n % 7), n.to_string(), "x".repeat(n)])
        .collect();
    let replies = conn.pipeline(&commands).expect("run");
    assert!(replies.iter().all(|reply| !reply.is_error()));
}

/// Changes some bytes, cuts, repeats or moves a piece, or makes a length of it.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..1 + rng.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.below(bytes.len());
        match rng.below(9) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.next() as u8),
            2 => drop(bytes.remove(at)),
            3 => bytes[at] = 0xff,
            // Lengths of four and eight bytes follow these.
            4 => bytes[at] = [0x80, 0x81][rng.below(2)],
            5 => {
                let end = (at + 1 + rng.below(300)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            6 => bytes[at] ^= 1 << rng.below(8),
            7 => {
                let end = (at + 1 + rng.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => bytes[at] = rng.next() as u8,
        }
    }
}

/// The most memory that this process has needed.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a line");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

/// A data directory that is open.
struct Home {
    place: Place,
    offline: Offline,
    disk: Arc<dyn Disk>,
}

impl Home {
    fn new() -> Self {
        let place = Place::empty();
        fs::create_dir(place.path("data")).expect("a folder");
        let mut config = Config::default();
        config.storage.data_dir = place.path("data").display().to_string();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let offline = Offline::open(Loaded { config, file: None }, &disk, &mut Silent).expect("open");
        Self { place, offline, disk }
    }

    fn import(&self, file: PathBuf) -> bool {
        let options = ImportOptions {
            file,
            into: Into::Numbers,
            existing: Existing::Replace,
        };
        import(&self.offline, self.disk.as_ref(), &options, &mut Silent).is_ok()
    }

    fn export(&self) {
        let options = ExportOptions {
            file: self.place.path("out.rdb"),
            named: Vec::new(),
            skip_named: false,
            force: true,
            version: None,
            skip_functions: false,
        };
        export(&self.offline, self.disk.as_ref(), &options, &mut Silent).expect("what was taken can be written");
    }
}

fn write(sample: &Sample, dir: &Path) {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir(dir).expect("a folder");
    for (name, bytes) in &sample.files {
        fs::write(dir.join(name), bytes).expect("write");
    }
}

#[test]
fn damaged_files_of_the_peers_give_errors() {
    let samples = samples();
    let mut rng = Rng::new(seed());
    let mut home = Home::new();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let dir = folder.path().join("mutant");
    for sample in &samples {
        write(sample, &dir);
        assert!(home.import(dir.join(sample.import)), "the whole ones come in");
    }
    let before = peak_bytes();
    let (mut taken, mut refused, mut longest) = (0, 0, Duration::ZERO);
    for n in 0..env_number("LOKIKV_MUTANTS", 150) {
        let sample = &samples[n as usize % samples.len()];
        write(sample, &dir);
        let (name, bytes) = &sample.files[rng.below(sample.files.len())];
        let mut mutant = bytes.clone();
        // Of no checksum, a file's damage shows by itself alone.
        if !sample.is_log && rng.one_in(2) {
            let at = mutant.len() - 8;
            mutant[at..].fill(0);
        }
        mutate(&mut rng, &mut mutant);
        fs::write(dir.join(name), &mutant).expect("write");
        let begun = Instant::now();
        if home.import(dir.join(sample.import)) {
            taken += 1;
            home.export();
        } else {
            refused += 1;
        }
        longest = longest.max(begun.elapsed());
        assert!(
            begun.elapsed() < TIME_MAX,
            "mutant {n} of {name} took {:?}",
            begun.elapsed()
        );
        // What was half read would pile up.
        if n % 200 == 199 {
            home = Home::new();
        }
    }
    let more = peak_bytes().saturating_sub(before);
    println!(
        "mutants: {taken} taken, {refused} refused, the slowest took {longest:?}, {} MiB more",
        more >> 20
    );
    assert!(taken > 0 && refused > taken, "{taken} {refused}");
    assert!(more < BYTES_MAX, "{more} bytes more than before");
}
