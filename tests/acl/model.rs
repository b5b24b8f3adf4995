//! Who may do what, as a model says that knows nothing of how the server keeps it: a user is the list of the rules that
//! it was given, which is searched from its end for the last one that says something of a call.

use crate::support::{Args, Rng};

/// A command of the model.
pub struct Command {
    /// Its name, and its subcommand's.
    pub words: &'static [&'static str],
    pub categories: &'static [&'static str],
    /// Categories of its container.
    pub of_container: &'static [&'static str],
    pub arguments: &'static [Argument],
}

/// An argument, and what is done with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    Word(&'static str),
    Number,
    Read,
    Write,
    ReadWrite,
    /// Only looked at, which needs no permission.
    Touch,
    Channel,
    /// Of a command whose first argument may be in a rule.
    First,
}

use Argument::{Channel, First, Number, Read, ReadWrite, Touch, Word, Write};

const fn command(
    words: &'static [&'static str],
    categories: &'static [&'static str],
    arguments: &'static [Argument],
) -> Command {
    Command {
        words,
        categories,
        of_container: &[],
        arguments,
    }
}

/// The commands that are tried; their categories are Redis's.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    command(&["get"], &["read", "string", "fast"], &[Read]),
    command(&["set"], &["write", "string", "slow"], &[Write, Word("v")]),
    command(&["getset"], &["write", "string", "fast"], &[ReadWrite, Word("v")]),
    command(&["getdel"], &["write", "string", "fast"], &[ReadWrite]),
    command(&["append"], &["write", "string", "fast"], &[Write, Word("v")]),
    command(&["strlen"], &["read", "string", "fast"], &[Touch]),
    command(&["incr"], &["write", "string", "fast"], &[ReadWrite]),
    command(&["mget"], &["read", "string", "fast"], &[Read, Read, Read]),
    command(&["mset"], &["write", "string", "slow"], &[Write, Word("1"), Write, Word("2")]),
    command(&["del"], &["keyspace", "write", "slow"], &[Write, Write]),
    command(&["exists"], &["keyspace", "read", "fast"], &[Touch]),
    command(&["type"], &["keyspace", "read", "fast"], &[Touch]),
    command(&["expire"], &["keyspace", "write", "fast"], &[Write, Number]),
    command(&["copy"], &["keyspace", "write", "slow"], &[Read, Write]),
    command(&["lpush"], &["write", "list", "fast"], &[Write, Word("v")]),
    command(&["lrange"], &["read", "list", "slow"], &[Read, Number, Number]),
    command(&["lmove"], &["write", "list", "slow"], &[ReadWrite, Write, Word("left"), Word("left")]),
    command(&["sadd"], &["write", "set", "fast"], &[Write, Word("v")]),
    command(&["sinter"], &["read", "set", "slow"], &[Read, Read]),
    command(&["sinterstore"], &["write", "set", "slow"], &[Write, Read, Read]),
    command(&["zadd"], &["write", "sortedset", "fast"], &[Write, Number, Word("m")]),
    command(&["zrange"], &["read", "sortedset", "slow"], &[Read, Number, Number]),
    command(&["hset"], &["write", "hash", "fast"], &[Write, Word("f"), Word("v")]),
    command(&["hget"], &["read", "hash", "fast"], &[Read, Word("f")]),
    command(&["pfadd"], &["write", "hyperloglog", "fast"], &[Write, Word("v")]),
    command(&["publish"], &["pubsub", "fast"], &[Channel, Word("m")]),
    command(&["echo"], &["connection", "fast"], &[First]),
    command(&["dbsize"], &["keyspace", "read", "fast"], &[]),
    command(&["time"], &["fast"], &[]),
    Command { words: &["object", "encoding"], categories: &["keyspace", "read", "slow"], of_container: &["slow"], arguments: &[Touch] },
    Command { words: &["object", "refcount"], categories: &["keyspace", "read", "slow"], of_container: &["slow"], arguments: &[Touch] },
    Command { words: &["memory", "usage"], categories: &["read", "slow"], of_container: &["slow"], arguments: &[Touch] },
];

const CATEGORIES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "hyperloglog",
    "pubsub",
    "fast",
    "slow",
    "connection",
];
const KEYS: &[&str] = &["a", "a1", "a2", "ab", "b", "b1", "c", "*", "a*", "A1", ""];
const KEY_PATTERNS: &[&str] = &[
    "*", "a*", "b*", "a?", "a1", "*1", "[ab]1", "[^a]*", "\\**", "c", "?", "",
];
const CHANNELS: &[&str] = &["x", "x1", "y", "*"];
const CHANNEL_PATTERNS: &[&str] = &["x*", "y", "?", "x1", "\\*"];
const FIRSTS: &[&str] = &["one", "two", "THREE"];

/// A rule, as it is written.
#[derive(Clone, Debug)]
pub struct Rules(pub Vec<String>);

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    pub root: Rules,
    pub selectors: Vec<Rules>,
}

/// What is asked.
#[derive(Clone)]
pub struct Call {
    pub command: usize,
    pub args: Args,
}

/// What a call is denied for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    Command,
    Key,
    Channel,
}

impl Rules {
    /// Some at random.
    pub fn random(rng: &mut Rng, len_max: usize) -> Self {
        Self((0..=rng.below(len_max)).map(|_| rule(rng)).collect())
    }

    /// Whether a call's command is allowed: the last rule that is about it says so.
    fn allows_command(&self, command: &Command, args: &Args) -> bool {
        let full = command.words.join("|");
        let container = command.words[0];
        for rule in self.0.iter().rev() {
            let (allows, name) = match rule.to_ascii_lowercase() {
                rule if rule == "allcommands" => return true,
                rule if rule == "nocommands" => return false,
                rule => match (rule.strip_prefix('+'), rule.strip_prefix('-')) {
                    (Some(name), _) => (true, name.to_owned()),
                    (_, Some(name)) => (false, name.to_owned()),
                    _ => continue,
                },
            };
            let is_about = match name.strip_prefix('@') {
                Some("all") => true,
                Some(category) => command.categories.contains(&category) || command.of_container.contains(&category),
                None => name == full || name == container,
            };
            if is_about {
                return allows;
            }
            // A first argument adds to what is allowed without it.
            if let Some((of, first)) = name.split_once('|')
                && command.words.len() == 1
                && of == container
                && args
                    .get(1)
                    .is_some_and(|arg| arg.eq_ignore_ascii_case(first.as_bytes()))
            {
                return true;
            }
        }
        false
    }

    /// What is given of a key: reading, writing.
    fn allows_key(&self, key: &[u8], read: bool, write: bool) -> bool {
        for rule in self.0.iter().rev() {
            match rule.as_str() {
                "allkeys" | "~*" => return true,
                "resetkeys" => return false,
                _ => {}
            }
            let Some((head, pattern)) = rule.split_once('~') else {
                continue;
            };
            let (gives_read, gives_write) = match head.to_ascii_uppercase().as_str() {
                "" | "%RW" | "%WR" => (true, true),
                "%R" => (true, false),
                "%W" => (false, true),
                _ => continue,
            };
            // Permissions of one pattern add up.
            let same = |other: &String, letter: char| {
                other.split_once('~').is_some_and(|(head, other)| {
                    other == pattern && (head.is_empty() || head.to_ascii_uppercase().contains(letter))
                })
            };
            let since_reset = self.since(&["allkeys", "resetkeys", "~*"]);
            let gives = |letter: char, own: bool| own || since_reset.iter().any(|other| same(other, letter));
            if since_reset.contains(rule)
                && matches(pattern.as_bytes(), key)
                && (gives('R', gives_read) || !read)
                && (gives('W', gives_write) || !write)
            {
                return true;
            }
        }
        false
    }

    fn allows_channel(&self, channel: &[u8]) -> bool {
        for rule in self.0.iter().rev() {
            match rule.as_str() {
                "allchannels" | "&*" => return true,
                "resetchannels" => return false,
                _ => {}
            }
            if rule
                .strip_prefix('&')
                .is_some_and(|pattern| matches(pattern.as_bytes(), channel))
            {
                return true;
            }
        }
        false
    }

    /// The rules behind the last of these.
    fn since(&self, resets: &[&str]) -> &[String] {
        let last = self.0.iter().rposition(|rule| resets.contains(&rule.as_str()));
        &self.0[last.map_or(0, |last| last + 1)..]
    }

    fn judge(&self, call: &Call) -> Result<(), Denied> {
        let command = &COMMANDS[call.command];
        if !self.allows_command(command, &call.args) {
            return Err(Denied::Command);
        }
        for (at, argument) in command.arguments.iter().enumerate() {
            let given = &call.args[command.words.len() + at];
            let allowed = match argument {
                Read => self.allows_key(given, true, false),
                Write => self.allows_key(given, false, true),
                ReadWrite => self.allows_key(given, true, true),
                Touch => self.allows_key(given, false, false),
                Channel if !self.allows_channel(given) => return Err(Denied::Channel),
                _ => true,
            };
            if !allowed {
                return Err(Denied::Key);
            }
        }
        Ok(())
    }
}

fn rule(rng: &mut Rng) -> String {
    let pick = |rng: &mut Rng, from: &[&'static str]| *rng.pick(from);
    match rng.below(22) {
        0 => "+@all".to_owned(),
        1 => "-@all".to_owned(),
        2 => pick(rng, &["allcommands", "nocommands"]).to_owned(),
        3..=6 => format!("{}@{}", pick(rng, &["+", "-"]), pick(rng, CATEGORIES)),
        7..=10 => {
            let command = &COMMANDS[rng.below(COMMANDS.len())];
            let name = if rng.one_in(2) {
                command.words.join("|")
            } else {
                command.words[0].to_owned()
            };
            let name = if rng.one_in(4) { name.to_ascii_uppercase() } else { name };
            format!("{}{name}", pick(rng, &["+", "+", "-"]))
        }
        11 => format!("+echo|{}", pick(rng, FIRSTS)),
        12 => pick(rng, &["allkeys", "resetkeys"]).to_owned(),
        13 => pick(rng, &["allchannels", "resetchannels", "resetchannels"]).to_owned(),
        14..=15 => format!("&{}", pick(rng, CHANNEL_PATTERNS)),
        _ => format!(
            "{}~{}",
            pick(rng, &["", "", "%R", "%W", "%RW", "%wr"]),
            pick(rng, KEY_PATTERNS)
        ),
    }
}

impl User {
    pub fn random(rng: &mut Rng) -> Self {
        let selectors = if rng.one_in(2) { 0 } else { 1 + rng.below(2) };
        Self {
            root: sensible(Rules::random(rng, 12)),
            selectors: (0..selectors).map(|_| sensible(Rules::random(rng, 6))).collect(),
        }
    }

    /// The rules of ACL SETUSER that make it.
    pub fn words(&self) -> Vec<String> {
        let mut words = self.root.0.clone();
        words.extend(self.selectors.iter().map(|rules| format!("({})", rules.0.join(" "))));
        words
    }

    /// Whether it may make a call, and what is told if not: a key or channel before a command.
    pub fn judge(&self, call: &Call) -> Result<(), Denied> {
        let mut worst = Denied::Command;
        for rules in [&self.root].into_iter().chain(&self.selectors) {
            match rules.judge(call) {
                Ok(()) => return Ok(()),
                Err(Denied::Command) => {}
                Err(denied) => worst = denied,
            }
        }
        Err(worst)
    }
}

/// Without what the server refuses: patterns where all are allowed.
fn sensible(rules: Rules) -> Rules {
    let (mut all_keys, mut all_channels) = (false, false);
    let mut kept = Vec::new();
    for rule in rules.0 {
        match rule.as_str() {
            "allkeys" | "~*" => all_keys = true,
            "resetkeys" => all_keys = false,
            "allchannels" => all_channels = true,
            "resetchannels" => all_channels = false,
            _ if rule.contains('~') && all_keys || rule.starts_with('&') && all_channels => continue,
            _ => {}
        }
        kept.push(rule);
    }
    Rules(kept)
}

impl Call {
    pub fn random(rng: &mut Rng) -> Self {
        let at = rng.below(COMMANDS.len());
        let command = &COMMANDS[at];
        let mut args: Args = command.words.iter().map(|word| word.as_bytes().to_vec()).collect();
        for argument in command.arguments {
            let text = match argument {
                Word(word) => *word,
                Number => "1",
                Channel => *rng.pick(CHANNELS),
                First => *rng.pick(&["one", "Two", "three", "four"]),
                Read | Write | ReadWrite | Touch => *rng.pick(KEYS),
            };
            args.push(text.as_bytes().to_vec());
        }
        Self { command: at, args }
    }
}

/// Whether a text fits a pattern, by trying every way. In Redis the empty text fits the empty pattern only.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        pattern.is_empty()
    } else {
        rest_matches(pattern, text)
    }
}

fn rest_matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', ..], []) if pattern.iter().all(|byte| *byte == b'*') => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|from| rest_matches(rest, &text[from..])),
        ([b'?', rest @ ..], [_, tail @ ..]) => rest_matches(rest, tail),
        ([b'\\', byte, rest @ ..], [first, tail @ ..]) => byte == first && rest_matches(rest, tail),
        ([b'[', b'^', rest @ ..], [first, tail @ ..]) => {
            let end = rest.iter().position(|byte| *byte == b']').unwrap();
            !rest[..end].contains(first) && rest_matches(&rest[end + 1..], tail)
        }
        ([b'[', rest @ ..], [first, tail @ ..]) => {
            let end = rest.iter().position(|byte| *byte == b']').unwrap();
            rest[..end].contains(first) && rest_matches(&rest[end + 1..], tail)
        }
        ([byte, rest @ ..], [first, tail @ ..]) => byte == first && rest_matches(rest, tail),
        _ => false,
    }
}
