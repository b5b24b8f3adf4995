//! `lokikv backup` of a running server, and `lokikv restore` from it: every moment in it, and no other.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::await_that;
use crate::support::server::{copy_all, die_with_parent};
use crate::support::{Server, Value, now_ms};

/// Small segments, and checkpoints on command only.
const SETTINGS: [&str; 4] = [
    "wal.segment_bytes=65536",
    "checkpoint.interval_s=0",
    "checkpoint.wal_bytes_max=0",
    "checkpoint.keep_count=2",
];

fn lokikv(flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args(flags).output().expect("run lokikv")
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn succeeds(flags: &[&str]) -> String {
    let output = lokikv(flags);
    assert!(output.status.success(), "{flags:?}: {}", said(&output));
    said(&output)
}

fn fails(flags: &[&str], why: &str) {
    let output = lokikv(flags);
    assert!(!output.status.success(), "{flags:?} works: {}", said(&output));
    assert!(said(&output).contains(why), "{flags:?}: {}", said(&output));
}

/// A directory of backups that is not there yet.
struct Place {
    home: TempDir,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("lokikv-test-").tempdir();
        Self {
            home: home.expect("a temporary directory"),
        }
    }

    fn path(&self) -> String {
        self.home.path().join("backups").display().to_string()
    }

    fn take(&self, server: &Server, more: &[&str]) -> String {
        let (url, to) = (url(server), self.path());
        succeeds(&[&["backup", "--from", &url, "--to", &to], more].concat())
    }

    fn list(&self) -> Vec<Json> {
        let text = succeeds(&["backup", "--list", &self.path(), "--json"]);
        let lines = text.lines().map(serde_json::from_str::<Json>);
        lines
            .map(|line| line.expect("JSON"))
            .filter(|line| line["document"] == "backup")
            .collect()
    }

    /// The folders of whole backups, oldest first.
    fn dirs(&self) -> Vec<PathBuf> {
        let list = self.list();
        let names = list.iter().map(|one| one["name"].as_str().expect("a name"));
        names.map(|name| Path::new(&self.path()).join(name)).collect()
    }
}

fn url(server: &Server) -> String {
    format!("redis://127.0.0.1:{}", server.port())
}

/// Starts a server over what `from` has of a moment, and looks at it.
fn restored<R>(from: &str, to: Option<&str>, look: impl FnOnce(&Server) -> R) -> R {
    let mut server = Server::lokikv_stopped(&SETTINGS);
    std::fs::remove_dir_all(server.data_dir()).expect("remove");
    let into = server.data_dir().display().to_string();
    let mut flags = vec!["restore", "--from", from, "--into", &into];
    flags.extend(to.iter().flat_map(|to| ["--to", to]));
    succeeds(&flags);
    server.restart();
    look(&server)
}

fn number(server: &Server) -> i64 {
    let text = server.connect().call(&["GET", "n"]).text();
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

fn filler() -> String {
    "x".repeat(500)
}

/// Keys in pages, checkpoints that share page files, several segments.
fn filled(settings: &[&str]) -> Server {
    let server = Server::lokikv(&[&SETTINGS, settings].concat());
    let mut conn = server.connect();
    for round in 0..3 {
        for key in 0..150 {
            conn.call(&["SET", &format!("key:{round}:{key}"), &filler()]);
        }
        assert_eq!(conn.call(&["CHECKPOINT"]), Value::ok());
    }
    for key in 0..300 {
        conn.call(&["SET", &format!("later:{key}"), &filler()]);
    }
    server
}

/// Runs `body` while a client counts `n` up. The LSN of the record that makes it 0.
fn beside_a_writer<R>(server: &Server, body: impl FnOnce() -> R) -> (i64, R) {
    let stop = AtomicBool::new(false);
    let mut conn = server.connect();
    conn.call(&["SET", "n", "0"]);
    let zero = conn.wal_info("last-lsn");
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                conn.call(&["INCR", "n"]);
            }
        });
        await_that("it counts", || number(server) > 0);
        let done = body();
        let so_far = number(server);
        await_that("it goes on", || number(server) > so_far);
        stop.store(true, Ordering::Relaxed);
        done
    });
    (zero, done)
}

#[test]
fn every_moment_of_a_backup_beside_a_writer_can_be_restored() {
    let server = filled(&["wal.keep_age_s=3600"]);
    let place = Place::new();
    let (zero, (then_ms, told)) = beside_a_writer(&server, || {
        let mut conn = server.connect();
        conn.call(&["CHECKPOINT"]);
        let then_ms = now_ms();
        await_that("the moment is over", || now_ms() > then_ms);
        let so_far = number(&server);
        // The first one may have been on its way.
        await_that("it goes on", || number(&server) >= so_far + 2);
        (then_ms, place.take(&server, &[]))
    });
    let list = place.list();
    let lsn = |name: &str| list[0][name].as_i64().expect("an LSN");
    let (from, to) = (lsn("from-lsn"), lsn("to-lsn"));
    assert!(from < zero && zero < to, "{told}");
    assert!(number(&server) + zero > to, "the writer went on");
    let backups = place.path();
    for wanted in [zero, (zero + to) / 2, to] {
        let words = format!("lsn {wanted}");
        assert_eq!(restored(&backups, Some(&words), number), wanted - zero, "{words}");
    }
    // The last moment, and as an older one a checkpoint's.
    restored(&backups, None, |server| {
        assert_eq!(number(server), to - zero);
        let mut conn = server.connect();
        assert_eq!(conn.call(&["DBSIZE"]), Value::Int(751));
        assert_eq!(conn.wal_info("last-lsn"), to);
    });
    let keys = restored(&backups, Some("lsn 301"), |server| server.connect().call(&["DBSIZE"]));
    assert_eq!(keys, Value::Int(300));
    let then = restored(&backups, Some(&then_ms.to_string()), number);
    assert!(0 < then && then < to - zero, "{then}");
    let beyond = format!("lsn {}", to + 1);
    let into = place.home.path().join("into").display().to_string();
    fails(
        &["restore", "--from", &backups, "--into", &into, "--to", &beyond],
        "is in no backup",
    );
    let late = (now_ms() + 1000).to_string();
    fails(
        &["restore", "--from", &backups, "--into", &into, "--to", &late],
        "is in no backup",
    );
    fails(&["restore", "--from", &backups, "--in-place"], "use --into");
    succeeds(&["backup", "--verify", &backups]);
}

/// The files of a backup, and what each is in the file system.
fn inodes(dir: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for folder in ["checkpoint", "wal"] {
        for entry in std::fs::read_dir(dir.join(folder)).expect("list") {
            let path = entry.expect("an entry").path();
            let name = format!("{folder}/{}", path.file_name().expect("a name").display());
            found.insert(name, std::fs::metadata(&path).expect("metadata").ino());
        }
    }
    found
}

#[test]
fn what_the_last_backup_has_is_not_copied_again_and_old_ones_go() {
    let server = filled(&[]);
    let place = Place::new();
    place.take(&server, &["--copy"]);
    place.take(&server, &["--copy"]);
    let dirs = place.dirs();
    let (first, second) = (inodes(&dirs[0]), inodes(&dirs[1]));
    let shared = second
        .iter()
        .filter(|(name, inode)| first.get(*name) == Some(inode))
        .count();
    // The control file and the note are its own.
    assert_eq!(shared + 2, second.len(), "{first:?} {second:?}");
    let new_bytes = |at: usize| place.list()[at]["new-bytes"].as_u64().expect("bytes");
    assert!(new_bytes(0) > 10 * new_bytes(1), "{:?}", place.list());
    server.connect().call(&["SET", "n", "7"]);
    let told = place.take(&server, &["--keep", "2"]);
    assert_eq!(
        told.lines().filter(|line| line.starts_with("removed: ")).count(),
        1,
        "{told}"
    );
    assert!(!dirs[0].exists() && dirs[1].exists());
    succeeds(&["backup", "--verify", &place.path()]);
    let before = dirs[1].display().to_string();
    assert_eq!(
        restored(&before, None, |server| server.connect().call(&["EXISTS", "n"])),
        Value::Int(0)
    );
    assert_eq!(restored(&place.path(), None, number), 7);
    // Linked files are the server's own.
    let (own, linked) = (inodes(&server.data_dir()), inodes(&place.dirs()[1]));
    assert!(
        linked
            .values()
            .any(|inode| !second.values().any(|known| known == inode))
    );
    assert!(own.len() >= 3);
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("read");
    bytes[at] ^= 1;
    std::fs::remove_file(path).expect("remove");
    std::fs::write(path, bytes).expect("write");
}

#[test]
fn a_flipped_byte_in_any_kind_of_file_is_found_before_it_is_used() {
    let server = filled(&[]);
    let place = Place::new();
    place.take(&server, &["--copy"]);
    let whole = place.dirs().remove(0);
    let mut kinds: BTreeMap<String, String> = BTreeMap::new();
    for name in inodes(&whole).into_keys() {
        let kind: String = name.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        // Of segments the first, which is not the last.
        kinds.entry(kind).or_insert(name);
    }
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    let last = inodes(&whole).into_keys().last().expect("a segment");
    let names = kinds.into_values().chain([last, "backup.lkb".to_owned()]);
    for name in names {
        let copy = place.home.path().join("damaged");
        copy_all(&whole, &copy);
        let bytes = std::fs::metadata(copy.join(&name)).expect("metadata").len() as usize;
        for at in [bytes / 2, bytes - 1] {
            flip(&copy.join(&name), at);
            let (copy, into) = (copy.display().to_string(), place.home.path().join("into"));
            fails(&["backup", "--verify", &copy], &name);
            let words = into.display().to_string();
            fails(&["restore", "--from", &copy, "--into", &words], &name);
            assert!(!into.exists(), "{name}");
            flip(Path::new(&copy).join(&name).as_path(), at);
        }
        succeeds(&["backup", "--verify", &copy.display().to_string()]);
        std::fs::remove_file(copy.join(&name)).expect("remove");
        let code = lokikv(&["backup", "--verify", &copy.display().to_string()]);
        assert!(!code.status.success(), "{name} is missing");
        std::fs::remove_dir_all(&copy).expect("remove");
    }
    // What is added is not taken for a part of it.
    std::fs::copy(
        whole.join("wal").join(segment(&whole)),
        whole.join("wal/wal-00000000000000099999.log"),
    )
    .expect("copy");
    fails(&["backup", "--verify", &place.path()], "does not belong to the backup");
}

fn segment(backup: &Path) -> String {
    let names = inodes(backup).into_keys();
    let mut segments = names.filter_map(|name| name.strip_prefix("wal/").map(str::to_owned));
    segments.next().expect("a segment")
}

#[test]
fn the_next_backup_does_not_rely_on_damaged_files() {
    let server = filled(&[]);
    let place = Place::new();
    place.take(&server, &["--copy"]);
    let first = place.dirs().remove(0);
    let pages = inodes(&first)
        .into_keys()
        .find(|name| name.contains("pages-"))
        .expect("pages");
    flip(&first.join(&pages), 100);
    let told = place.take(&server, &["--copy"]);
    assert!(told.contains("it is damaged") && told.contains(&pages), "{told}");
    fails(&["backup", "--verify", &place.path()], &pages);
    let second = place.dirs().remove(1).display().to_string();
    succeeds(&["backup", "--verify", &second]);
    // A manifest that cannot be read is in nobody's way, and is not passed over where it might matter.
    flip(&first.join("backup.lkb"), 50);
    let told = place.take(&server, &["--keep", "1"]);
    assert!(told.contains("backup.lkb") && first.exists(), "{told}");
    let into = place.home.path().join("into").display().to_string();
    let newest = PathBuf::from(told.split_once(": ").expect("a path").0);
    flip(&newest.join("backup.lkb"), 50);
    let why = newest.join("backup.lkb").display().to_string();
    fails(&["restore", "--from", &place.path(), "--into", &into], &why);
}

#[test]
fn backups_their_server_and_what_is_restored_keep_apart() {
    let server = filled(&[]);
    let place = Place::new();
    let (data, url) = (server.data_dir(), url(&server));
    let link = place.home.path().join("link");
    std::os::unix::fs::symlink(&data, &link).expect("link");
    let inner = ["", "backups", "checkpoint", "wal", "wal/new/backups"].map(|inner| data.join(inner));
    for dir in inner.into_iter().chain([link.join("backups")]) {
        let to = dir.display().to_string();
        fails(
            &["backup", "--from", &url, "--to", &to],
            "where the server has its data",
        );
    }
    assert!(!data.join("backups").exists() && !data.join("wal/new").exists());
    assert!(
        server
            .connect()
            .call(&["INFO", "lokikv"])
            .text()
            .contains("checkpoint_holds:0\r\n")
    );
    place.take(&server, &[]);
    let backup = place.dirs().remove(0);
    let before = inodes(&backup);
    for inner in ["", "new", "wal/new", "checkpoint"] {
        let dir = backup.join(inner).display().to_string();
        let refused = "which stays as it is";
        fails(&["restore", "--from", &place.path(), "--into", &dir], refused);
        fails(&["backup", "--from", &url, "--to", &dir], refused);
    }
    // A restored directory of such a name would be taken for what is left of a backup.
    let named = Path::new(&place.path())
        .join("backup-20991231T235959Z")
        .display()
        .to_string();
    fails(
        &["restore", "--from", &place.path(), "--into", &named],
        "is within the backup",
    );
    assert_eq!(inodes(&backup), before);
    assert!(!backup.join("new").exists() && !backup.join("LOCK").exists());
    succeeds(&["backup", "--verify", &place.path()]);
}

/// Changes what a manifest tells, in the way of a program that is wrong: with its checksum.
fn tell_otherwise(backup: &Path, change: impl Fn(&mut Json)) {
    use sha2::Digest as _;
    let path = backup.join("backup.lkb");
    let text = std::fs::read_to_string(&path).expect("read");
    let mut manifest: Json = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    change(&mut manifest);
    let text = manifest.to_string();
    let digest: String = sha2::Sha256::digest(&text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    std::fs::write(&path, format!("{text}\n{digest}\n")).expect("write");
}

#[test]
fn numbers_of_a_manifest_are_those_of_its_files() {
    let server = filled(&[]);
    let place = Place::new();
    place.take(&server, &["--copy"]);
    let whole = place.dirs().remove(0);
    let copy = place.home.path().join("other");
    let less = |number: &mut Json| *number = (number.as_u64().expect("a number") - 1).into();
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Json));
    let changes: [Change<'_>; 8] = [
        ("", &|_| {}),
        ("the log is to reach", &|manifest| less(&mut manifest["lsn"])),
        ("its checkpoints", &|manifest| {
            less(&mut manifest["checkpoints"][0]["lsn"])
        }),
        ("its checkpoints", &|manifest| {
            less(&mut manifest["checkpoints"][1]["wall_ms"])
        }),
        ("its checkpoints", &|manifest| {
            manifest["checkpoints"] = Json::Array(Vec::new())
        }),
        ("its log begins", &|manifest| less(&mut manifest["log"]["first"])),
        ("its log begins", &|manifest| manifest["log"] = Json::Null),
        ("of another data set", &|manifest| {
            manifest["data_set"] = "0".repeat(32).into()
        }),
    ];
    for (why, change) in changes {
        copy_all(&whole, &copy);
        tell_otherwise(&copy, change);
        let from = copy.display().to_string();
        let into = place.home.path().join("into").display().to_string();
        if why.is_empty() {
            succeeds(&["backup", "--verify", &from]);
        } else {
            fails(&["backup", "--verify", &from], why);
            fails(&["restore", "--from", &from, "--into", &into], why);
            assert!(!Path::new(&into).exists(), "{why}");
        }
        std::fs::remove_dir_all(&copy).expect("remove");
    }
}

fn begun(server: &Server, place: &Place) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args([
        "backup",
        "--from",
        &url(server),
        "--to",
        &place.path(),
        "--retry-s",
        "1",
    ]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    die_with_parent(&mut command);
    command.spawn().expect("start a backup")
}

/// How long a backup takes, about.
fn time_of_one(server: &Server, place: &Place) -> Duration {
    let begun = std::time::Instant::now();
    place.take(server, &["--copy"]);
    begun.elapsed()
}

#[test]
fn a_killed_backup_leaves_a_whole_one_or_none() {
    let server = filled(&[]);
    let place = Place::new();
    let mut time = time_of_one(&server, &place);
    let mut cut_short = 0;
    for step in 0..40 {
        if step >= 8 && cut_short > 0 {
            break;
        }
        if step > 0 && step % 8 == 0 {
            // The first one may have been slow: earlier moments.
            time /= 3;
        }
        let before = place.list().len();
        let mut child = begun(&server, &place);
        std::thread::sleep(time * (step % 8) / 8);
        child.kill().expect("kill");
        child.wait().expect("wait");
        let text = succeeds(&["backup", "--list", &place.path()]);
        cut_short += text.lines().filter(|line| line.starts_with("unfinished")).count();
        assert!((before..=before + 1).contains(&place.list().len()), "{text}");
        succeeds(&["backup", "--verify", &place.path()]);
    }
    assert!(cut_short > 0, "never killed within");
    server.connect().call(&["SET", "n", "9"]);
    place.take(&server, &["--keep", "1"]);
    assert_eq!(restored(&place.path(), None, number), 9);
    let names = std::fs::read_dir(place.path()).expect("list").count();
    assert_eq!(names, 2, "the backup and the lock");
}

#[test]
fn a_backup_whose_server_is_killed_is_whole_or_there_is_none() {
    let mut server = filled(&["wal.fsync=always"]);
    let place = Place::new();
    let time = time_of_one(&server, &place);
    for step in 0..4 {
        let value = step.to_string();
        server.connect().call(&["SET", "n", &value]);
        let before = place.list().len();
        let mut child = begun(&server, &place);
        std::thread::sleep(time * step / 4);
        server.kill9();
        let is_done = child.wait().expect("wait").success();
        assert_eq!(place.list().len(), before + usize::from(is_done));
        succeeds(&["backup", "--verify", &place.path()]);
        if is_done {
            assert_eq!(restored(&place.path(), None, number), i64::from(step));
        }
        server.restart();
    }
}

#[test]
fn nothing_is_removed_while_a_hold_lasts() {
    let server = filled(&[]);
    let mut conn = server.connect();
    let kept = |conn: &mut crate::support::Conn| conn.call(&["CHECKPOINT", "LIST"]).items().len();
    let told = conn.call(&["CHECKPOINT", "HOLD", "h", "60000"]);
    assert_eq!(
        told.field("lsn").and_then(|lsn| lsn.int()),
        Some(conn.wal_info("stable-lsn"))
    );
    let dir = told.field("wal-dir").expect("a folder").text();
    assert_eq!(Path::new(&dir), server.data_dir().join("wal"));
    let oldest = conn.wal_info("oldest-lsn");
    let oldest_id = conn.call(&["CHECKPOINT", "LIST"]).items()[0].items()[1]
        .int()
        .expect("an id")
        .to_string();
    for _ in 0..3 {
        conn.call(&["SET", "n", "1"]);
        conn.call(&["CHECKPOINT"]);
    }
    assert_eq!((conn.wal_info("oldest-lsn"), kept(&mut conn)), (oldest, 5));
    assert!(conn.call(&["INFO", "lokikv"]).text().contains("checkpoint_holds:1\r\n"));
    let refused = conn.call(&["CHECKPOINT", "DELETE", &oldest_id]).text();
    assert!(refused.contains("a backup is being taken"), "{refused}");
    assert_eq!(conn.call(&["CHECKPOINT", "RENEW", "h", "60000"]), Value::Int(1));
    assert_eq!(conn.call(&["CHECKPOINT", "RENEW", "other", "60000"]), Value::Int(0));
    assert_eq!(conn.call(&["CHECKPOINT", "RELEASE", "h"]), Value::Int(1));
    assert_eq!(conn.call(&["CHECKPOINT", "RELEASE", "h"]), Value::Int(0));
    conn.call(&["CHECKPOINT"]);
    assert!(conn.wal_info("oldest-lsn") > oldest && kept(&mut conn) == 2);
    // It ends by itself.
    conn.call(&["CHECKPOINT", "HOLD", "h", "1"]);
    std::thread::sleep(Duration::from_millis(5));
    conn.call(&["SET", "n", "1"]);
    conn.call(&["CHECKPOINT"]);
    assert_eq!(kept(&mut conn), 2);
    let long = "n".repeat(65);
    for (name, time) in [
        ("h", "0"),
        ("h", "3600001"),
        ("h", "x"),
        ("", "5"),
        (long.as_str(), "5"),
    ] {
        let refused = conn.call(&["CHECKPOINT", "HOLD", name, time]);
        assert!(refused.is_error(), "{name} {time}: {refused}");
    }
}

#[test]
fn who_may_take_one_and_of_which_directory() {
    let server = filled(&[]);
    let mut conn = server.connect();
    assert_eq!(conn.call(&["CONFIG", "SET", "requirepass", "secret"]), Value::ok());
    let rights = "+checkpoint|hold +checkpoint|renew +checkpoint|release +info";
    let mut words = vec!["ACL", "SETUSER", "backup", "on", ">pass"];
    words.extend(rights.split(' '));
    assert_eq!(conn.call(&words), Value::ok());
    conn.call(&["SET", "n", "5"]);
    let place = Place::new();
    let (to, port) = (place.path(), server.port());
    let url = |login: &str| format!("redis://{login}127.0.0.1:{port}");
    fails(&["backup", "--from", &url(""), "--to", &to], "NOAUTH");
    fails(&["backup", "--from", &url(":wrong@"), "--to", &to], "WRONGPASS");
    let from = url("backup:pass@");
    succeeds(&["backup", "--from", &from, "--to", &to]);
    assert_eq!(restored(&to, None, number), 5);
    assert!(!said(&lokikv(&["backup", "--list", &to])).contains("pass"));
    // Mounted elsewhere, and another server's.
    let data = server.data_dir().display().to_string();
    succeeds(&["backup", "--from", &from, "--to", &to, "--data-dir", &data]);
    let other = filled(&[]);
    let data = other.data_dir().display().to_string();
    fails(
        &["backup", "--from", &from, "--to", &to, "--data-dir", &data],
        "it is another server's directory",
    );
    // Another server's backups in the same directory are no base, and stay apart.
    other.connect().call(&["SET", "n", "6"]);
    place.take(&other, &[]);
    assert_eq!(restored(&to, None, number), 6);
    assert_eq!(place.list().len(), 3);
    fails(&["backup", "--verify", &data], "there is no whole backup");
    fails(&["restore", "--from", &data, "--into", "/nowhere"], "is no backup");
    fails(&["backup", "--from", "redis://127.0.0.1:1", "--to", &to], "connecting");
}

/// What is in a folder and below it: paths, and the length of each file.
fn tree(dir: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("list") {
        let path = entry.expect("an entry").path();
        let metadata = std::fs::symlink_metadata(&path).expect("metadata");
        if metadata.is_dir() {
            found.extend(tree(&path));
        }
        found.insert(path, metadata.len());
    }
    found
}

#[test]
fn only_what_a_backup_has_left_is_removed() {
    let mut other = filled(&[]);
    other.kill9();
    let victim = other.data_dir();
    let server = Server::lokikv(&SETTINGS);
    server.connect().call(&["SET", "n", "1"]);
    let place = Place::new();
    place.take(&server, &[]);
    let at = |name: &str| Path::new(&place.path()).join(name);
    // A link to a data directory, one that was moved or restored to there, and something of somebody.
    let (linked, moved, made) = (
        at("backup-20200101T000000Z"),
        at("backup-20200102T000000Z"),
        at("backup-20200103T000000Z"),
    );
    std::os::unix::fs::symlink(&victim, &linked).expect("a link");
    copy_all(&victim, &moved);
    std::fs::create_dir_all(made.join("wal")).expect("a folder");
    std::fs::write(made.join("wal/letter"), "mine").expect("a letter");
    let before = [&victim, &moved, &made].map(|dir| tree(dir));
    let told = place.take(&server, &["--keep", "1"]);
    assert_eq!([&victim, &moved, &made].map(|dir| tree(dir)), before, "{told}");
    for dir in [&linked, &moved, &made] {
        let note = format!(
            "{}: it has a backup's name and is none: it is left alone",
            dir.display()
        );
        assert!(told.contains(&note), "{told}");
    }
    let list = succeeds(&["backup", "--list", &place.path()]);
    assert_eq!(
        list.lines().filter(|line| line.starts_with("foreign")).count(),
        3,
        "{list}"
    );
    assert_eq!(place.list().len(), 1, "{list}");
    other.restart();
    assert_eq!(other.connect().call(&["DBSIZE"]), Value::Int(750));
    // A backup that a server was started on has more in it than a backup.
    let old = place.dirs().remove(0);
    std::fs::write(old.join("wal/wal-00000000000000099999.log"), "more").expect("write");
    let told = place.take(&server, &["--keep", "1"]);
    assert!(
        told.contains("an old backup cannot be removed")
            && told.contains("wal-00000000000000099999.log")
            && old.exists(),
        "{told}"
    );
}

#[test]
fn a_file_that_the_last_backup_lacks_is_told_and_copied_anew() {
    let server = filled(&[]);
    let place = Place::new();
    place.take(&server, &["--copy"]);
    let first = place.dirs().remove(0);
    let pages = inodes(&first)
        .into_keys()
        .find(|name| name.contains("pages-"))
        .expect("pages");
    std::fs::remove_file(first.join(&pages)).expect("remove");
    let told = place.take(&server, &["--copy"]);
    assert!(
        told.contains(&format!("{pages}: it is damaged: it is missing")),
        "{told}"
    );
    succeeds(&["backup", "--verify", &place.dirs()[1].display().to_string()]);
}

#[test]
fn an_older_damaged_backup_does_not_stop_a_restore() {
    let server = Server::lokikv(&SETTINGS);
    let place = Place::new();
    for n in ["1", "2"] {
        server.connect().call(&["SET", "n", n]);
        place.take(&server, &[]);
    }
    flip(&place.dirs()[0].join("backup.lkb"), 50);
    assert_eq!(restored(&place.path(), None, number), 2);
    let into = place.home.path().join("into").display().to_string();
    let told = succeeds(&["restore", "--from", &place.path(), "--into", &into]);
    assert!(told.contains("note: ") && told.contains("backup.lkb"), "{told}");
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let server = Server::lokikv(&SETTINGS);
    let place = Place::new();
    let (from, to) = (url(&server), place.path());
    let of_database = format!("{from}/5");
    fails(
        &["backup", "--from", &of_database, "--to", &to],
        "a backup is of the whole server, not of one database",
    );
    fails(
        &["backup", "--from", &from, "--to", &to, "--data-dir", "/nowhere"],
        "/nowhere/checkpoint/control.lkc: there is no such file",
    );
}

#[test]
fn standard_output_that_is_full_or_closed_ends_nothing() {
    let server = Server::lokikv(&SETTINGS);
    server.connect().call(&["SET", "n", "1"]);
    let place = Place::new();
    place.take(&server, &[]);
    let (from, backups) = (url(&server), place.path());
    let run = |flags: &[&str], out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
        let output = command.args(flags).stdout(out).output().expect("run lokikv");
        (output.status.code(), said(&output))
    };
    for round in 0..2 {
        let into = place.home.path().join(format!("into{round}")).display().to_string();
        for flags in [
            &["backup", "--verify", &backups][..],
            &["backup", "--list", &backups],
            &["backup", "--from", &from, "--to", &backups],
            &["restore", "--from", &backups, "--into", &into],
            &["verify", &into],
        ] {
            if round == 0 {
                let full = std::fs::File::options().write(true).open("/dev/full");
                let (code, told) = run(flags, full.expect("/dev/full").into());
                assert!(
                    code == Some(1) && told.contains("cannot write: "),
                    "{flags:?}: {code:?} {told}"
                );
            } else {
                let (reader, writer) = std::io::pipe().expect("a pipe");
                drop(reader);
                assert_eq!(run(flags, writer.into()), (Some(0), String::new()), "{flags:?}");
            }
        }
        assert!(Path::new(&into).is_dir());
    }
    assert_eq!(place.list().len(), 3);
}

#[test]
fn a_lock_that_is_a_link_is_not_written_through() {
    let server = Server::lokikv(&SETTINGS);
    let place = Place::new();
    let victim = place.home.path().join("victim");
    std::fs::write(&victim, "mine").expect("write");
    std::fs::create_dir(place.path()).expect("a folder");
    std::os::unix::fs::symlink(&victim, Path::new(&place.path()).join("LOCK")).expect("a link");
    fails(
        &["backup", "--from", &url(&server), "--to", &place.path()],
        "LOCK in it is a symbolic link",
    );
    assert_eq!(std::fs::read_to_string(&victim).expect("read"), "mine");
}

#[test]
fn backups_of_other_servers_are_neither_counted_nor_removed() {
    let servers = [1, 2].map(|_| Server::lokikv(&SETTINGS));
    let place = Place::new();
    for server in &servers {
        server.connect().call(&["SET", "n", "1"]);
        place.take(server, &[]);
    }
    let dirs = place.dirs();
    place.take(&servers[1], &["--keep", "1"]);
    assert!(dirs[0].exists() && !dirs[1].exists());
    let told = place.take(&servers[0], &["--keep", "2"]);
    assert!(!told.contains("removed: ") && place.list().len() == 3, "{told}");
}

#[test]
fn without_a_log_a_backup_is_a_checkpoint_taken_for_it() {
    let server = filled(&["wal.enabled=false"]);
    server.connect().call(&["SET", "n", "3"]);
    server.connect().call(&["CHECKPOINT"]);
    std::thread::sleep(Duration::from_millis(5));
    server.connect().call(&["SET", "n", "4"]);
    let place = Place::new();
    place.take(&server, &[]);
    succeeds(&["backup", "--verify", &place.path()]);
    let backups = place.path();
    assert_eq!(restored(&backups, None, number), 4);
    // A checkpoint's own time is a moment of it, as `--verify` shows it, and no other is.
    let told = succeeds(&["backup", "--verify", &backups]);
    let times: Vec<&str> = told
        .split(['(', ')'])
        .filter(|part| moment_ms(part).is_some())
        .collect();
    let [.., before, last] = times[..] else {
        panic!("{told}");
    };
    assert_eq!(restored(&backups, Some(before), number), 3);
    assert_eq!(restored(&backups, Some(last), number), 4);
    let between = (moment_ms(before).expect("a time") + 1).to_string();
    let into = place.home.path().join("into").display().to_string();
    fails(
        &["restore", "--from", &backups, "--into", &into, "--to", &between],
        "is in no backup",
    );
}

/// The Unix milliseconds of a time, if it is one.
fn moment_ms(text: &str) -> Option<u64> {
    match lokikv::recovery::moment::parse(text) {
        Some(lokikv::recovery::Until::Time(at_ms)) => Some(at_ms),
        _ => None,
    }
}

#[test]
fn without_a_checkpoint_a_backup_is_the_log() {
    let server = Server::lokikv(&SETTINGS);
    server.connect().call(&["SET", "n", "4"]);
    let place = Place::new();
    place.take(&server, &[]);
    assert_eq!(place.list()[0]["from-lsn"], 1);
    assert_eq!(restored(&place.path(), None, number), 4);
}
