//! The table of redis-compat.md: every command that Redis 8.2 or Valkey 9.1 has, and ours, and how far it is supported.
//!
//! **Invariant:** what is supported comes from the specs. `peers.txt` names the peers' commands, as a differential test
//! finds them; a command that is added here moves from `no` to `yes` by itself.

use std::fmt::Write as _;

use super::spec::{Command, Group, Spec, Support};
use super::table::table as commands;

/// Line before the table in redis-compat.md.
pub const BEGIN: &str = "<!-- table: begin -->";
/// Line after it.
pub const END: &str = "<!-- table: end -->";

/// Name, group and the peers that have it, a line for each command or subcommand.
const PEERS: &str = include_str!("peers.txt");
/// What our own commands say of when they came.
const OWN: &str = "0.1.0";

/// Chapters in their order: group and title.
const CHAPTERS: &[(&str, &str)] = &[
    ("string", "Strings"),
    ("bitmap", "Bitmaps"),
    ("hyperloglog", "HyperLogLog"),
    ("generic", "Keys of any type"),
    ("connection", "Connection"),
    ("transactions", "Transactions"),
    ("server", "Server"),
    ("list", "Lists"),
    ("set", "Sets"),
    ("sorted-set", "Sorted sets"),
    ("hash", "Hashes"),
    ("stream", "Streams"),
    ("geo", "Geo"),
    ("module", "Vector sets"),
    ("pubsub", "Publish and subscribe"),
    ("scripting", "Scripts and functions"),
    ("cluster", "Cluster"),
    ("collection", "Collections (our own)"),
];

/// A command as the peers have it.
struct Peer {
    name: &'static str,
    group: &'static str,
    redis: bool,
    valkey: bool,
}

fn peers() -> impl Iterator<Item = Peer> {
    PEERS.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, group) = (words.next()?, words.next()?);
        let has = |peer| words.clone().any(|word| word == peer);
        Some(Peer {
            name,
            group,
            redis: has("redis"),
            valkey: has("valkey"),
        })
    })
}

/// A line of the table.
struct Row {
    /// In lower case, with a bar before a subcommand.
    name: String,
    peer: Option<Peer>,
    spec: Option<&'static Spec>,
}

impl Row {
    fn group(&self) -> &'static str {
        let own = || self.spec.map_or("", |spec| spec.group.name());
        self.peer.as_ref().map_or_else(own, |peer| peer.group)
    }

    /// `Redis 8.4`, where neither peer has it yet.
    fn newer(&self) -> String {
        match (&self.peer, self.spec) {
            (None, Some(spec)) if spec.since != OWN && spec.group != Group::Collection => {
                let version = spec.since.rsplit_once('.').map_or(spec.since, |(version, _)| version);
                format!("Redis {version}")
            }
            _ => String::new(),
        }
    }

    fn write(&self, text: &mut String) {
        let (word, remark) = match self.spec.map(|spec| spec.support) {
            Some(Support::Full) => ("yes", ""),
            Some(Support::Partial(remark)) => ("partial", remark),
            None => ("no", ""),
        };
        let has = |picked: fn(&Peer) -> bool| {
            if self.peer.as_ref().is_some_and(picked) {
                "yes"
            } else {
                ""
            }
        };
        let (redis, valkey) = (has(|peer| peer.redis), has(|peer| peer.valkey));
        let name = self.name.replace('|', " ").to_uppercase();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {name} | {redis} | {valkey} | {} | {word} | {remark} |",
            self.newer()
        );
    }
}

/// All rows, sorted by name. Containers themselves are none.
fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = commands()
        .all()
        .iter()
        .filter(|command| is_row(command))
        .map(|command| Row {
            name: command.full_name().to_ascii_lowercase(),
            peer: None,
            spec: Some(command.spec),
        })
        .collect();
    for peer in peers() {
        match rows.iter_mut().find(|row| row.name == peer.name) {
            Some(row) => row.peer = Some(peer),
            None => rows.push(Row {
                name: peer.name.to_owned(),
                peer: Some(peer),
                spec: None,
            }),
        }
    }
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    rows
}

fn is_row(command: &Command) -> bool {
    !matches!(command.spec.handler, super::Handler::Container)
}

/// The table in Markdown, chapter by chapter.
pub fn table() -> String {
    let mut text = String::new();
    let rows = rows();
    for (group, title) in CHAPTERS {
        let mut of_group = rows.iter().filter(|row| row.group() == *group).peekable();
        if of_group.peek().is_none() {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "### {title}\n\n| Command | Redis 8.2 | Valkey 9.1 | Newer | Supported | Remark |\n|---|---|---|---|---|---|\n"
        );
        of_group.for_each(|row| row.write(&mut text));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_there_once() {
        let table = table();
        for row in rows() {
            let begin = format!("\n| {} | ", row.name.replace('|', " ").to_uppercase());
            assert_eq!(table.matches(&begin).count(), 1, "{begin}");
        }
    }

    #[test]
    fn compat_document_holds_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/redis-compat.md");
        let document = std::fs::read_to_string(path).unwrap();
        let (before, rest) = document.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let wanted = format!("{before}{BEGIN}\n\n{}{END}{after}", table());
        if std::env::var_os("UPDATE_COMPAT").is_some() {
            std::fs::write(path, wanted).unwrap();
        } else {
            assert!(
                document == wanted,
                "redis-compat.md is out of date; regenerate it with: UPDATE_COMPAT=1 cargo test compat"
            );
        }
    }
}
