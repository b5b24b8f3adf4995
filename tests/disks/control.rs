//! The test's end of `tests/shim/disk.c`: a disk that fails, or is slow, while the server runs.
//!
//! **Invariant:** the layout is that of `struct control` there; the file is written through, the library has it mapped.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::NamedTempFile;

/// Kinds of operations, as bits.
pub const CREATE: u32 = 1;
pub const OPEN: u32 = 2;
pub const WRITE: u32 = 4;
pub const SYNC: u32 = 8;
pub const SYNC_DIR: u32 = 16;
pub const RENAME: u32 = 32;
pub const TRUNCATE: u32 = 64;
pub const UNLINK: u32 = 128;

/// How often a rule applies that is to apply until the test takes it back.
pub const ALWAYS: u32 = u32::MAX;

const ROOT_BYTES: usize = 512;
const SYNCS: u64 = 65_536;
const RULES: usize = 8;
const RULE_BYTES: usize = 128;
const PART_BYTES: usize = 100;
const BYTES_LEFT_AT: u64 = ROOT_BYTES as u64;
const SYNCS_AT: u64 = BYTES_LEFT_AT + 8;
const RULES_AT: u64 = SYNCS_AT + 8 + SYNCS * 16;
const CONTROL_BYTES: u64 = RULES_AT + (RULES * RULE_BYTES) as u64;

/// What happens to some operations on some paths.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub operations: u32,
    /// Paths that contain this.
    pub part: &'static str,
    /// `0`: none.
    pub error: i32,
    pub times: u32,
    pub delay: Duration,
    /// Applies only once the rule before it has.
    pub follows: bool,
}

/// A finished sync of the log, on the clock of `client::monotonic_ns`.
#[derive(Clone, Copy, Debug)]
pub struct Sync {
    pub begun_ns: u64,
    pub ended_ns: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Control {
    file: NamedTempFile,
    rules: Vec<Rule>,
}

impl Control {
    /// Nothing fails yet.
    pub fn new() -> Control {
        let file = NamedTempFile::new().expect("a temporary file");
        file.as_file().set_len(CONTROL_BYTES).expect("its length");
        let control = Control {
            file,
            rules: Vec::new(),
        };
        control.set_bytes_left(None);
        control
    }

    /// What the server's environment says from now on.
    pub fn env(&self) -> [(&'static str, String); 2] {
        let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        [("LD_PRELOAD", text(shim())), ("DISK_CONTROL", text(self.file.path()))]
    }

    /// Which paths it is about.
    pub fn set_root(&self, root: &Path) {
        let root = root.to_str().expect("a path in UTF-8");
        assert!(root.len() < ROOT_BYTES, "{root} is too long");
        self.put(0, root.as_bytes());
    }

    /// Puts these rules in force.
    pub fn set(&mut self, rules: &[Rule]) {
        assert!(self.rules.is_empty() && rules.len() <= RULES, "{rules:?}");
        for (at, rule) in rules.iter().enumerate() {
            assert!(rule.part.len() < PART_BYTES, "{} is too long", rule.part);
            let mut bytes = Vec::new();
            bytes.extend(rule.operations.to_ne_bytes());
            bytes.extend(rule.error.to_ne_bytes());
            bytes.extend(rule.times.to_ne_bytes());
            bytes.extend((rule.delay.as_millis() as u32).to_ne_bytes());
            bytes.extend(0_u64.to_ne_bytes());
            bytes.extend(u32::from(rule.follows).to_ne_bytes());
            bytes.extend(rule.part.as_bytes());
            bytes.resize(RULE_BYTES, 0);
            // The operations last: they put it in force.
            self.put(rule_at(at) + 4, &bytes[4..]);
            self.put(rule_at(at), &bytes[..4]);
        }
        self.rules = rules.to_vec();
    }

    /// The disk is well again; what is being delayed goes on.
    pub fn clear(&mut self) {
        self.put(RULES_AT, &[0; RULES * RULE_BYTES]);
        self.rules.clear();
    }

    /// How often the rule at this index has applied.
    pub fn hits(&self, at: usize) -> u64 {
        self.number(rule_at(at) + 16)
    }

    /// How many bytes can still be written; `None`: any.
    pub fn set_bytes_left(&self, bytes: Option<i64>) {
        self.put(BYTES_LEFT_AT, &bytes.unwrap_or(-1).to_ne_bytes());
    }

    /// The log's finished syncs so far.
    pub fn syncs(&self) -> Vec<Sync> {
        let count = self.number(SYNCS_AT);
        assert!(count <= SYNCS, "{count} syncs are too many to be noted");
        let sync = |at: u64| Sync {
            begun_ns: self.number(SYNCS_AT + 8 + at * 16),
            ended_ns: self.number(SYNCS_AT + 16 + at * 16),
        };
        (0..count).map(sync).filter(|sync| sync.ended_ns > 0).collect()
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.file
            .as_file()
            .write_all_at(bytes, at)
            .expect("write the control file");
    }

    fn number(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        let file: &File = self.file.as_file();
        file.read_exact_at(&mut bytes, at).expect("read the control file");
        u64::from_ne_bytes(bytes)
    }
}

fn rule_at(at: usize) -> u64 {
    RULES_AT + (at * RULE_BYTES) as u64
}

/// The library, built once for each run of the tests.
fn shim() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disk.so");
        // Another run may have it loaded: a new file takes its place.
        let new = library.with_extension(format!("{}.so", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/disk.c");
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
        let output = cc.arg(&new).arg(source).arg("-ldl").output();
        let output = output.unwrap_or_else(|error| panic!("these tests need a C compiler, cc: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(&new, &library).expect("rename the library");
        library
    })
}
