//! All commands: one table per family, put together here.

use std::sync::OnceLock;

use super::spec::Spec;

/// Families, each sorted by name.
const FAMILIES: &[&[Spec]] = &[
    super::bitmap::COMMANDS,
    super::collections::COMMANDS,
    super::connection::COMMANDS,
    super::generic::COMMANDS,
    super::geo::COMMANDS,
    super::hash::COMMANDS,
    super::hyperloglog::COMMANDS,
    super::ordered::COMMANDS,
    super::list::COMMANDS,
    super::server::COMMANDS,
    super::stream::COMMANDS,
    super::set::COMMANDS,
    super::string::COMMANDS,
    super::transactions::COMMANDS,
    super::wal::COMMANDS,
    super::zset::COMMANDS,
];

/// A command with its number, which counts and latencies are kept under.
#[derive(Clone, Copy)]
pub struct Command {
    /// Position among all commands; subcommands follow their containers.
    pub id: u16,
    /// What is known of it.
    pub spec: &'static Spec,
    /// The container, of a subcommand.
    pub parent: Option<&'static Spec>,
}

impl Command {
    /// `get`, or `config|set` for a subcommand.
    pub fn full_name(&self) -> String {
        match self.parent {
            Some(parent) => format!("{}|{}", parent.name, self.spec.name),
            None => self.spec.name.to_owned(),
        }
    }
}

struct Table {
    commands: Vec<Command>,
    /// Commands by length of name and first letter, where few are left to compare.
    by_shape: Vec<Vec<Command>>,
}

const NAME_BYTES_MAX: usize = 32;
const LETTERS: usize = 32;

fn shape(name: &[u8]) -> Option<usize> {
    let first = name.first()?;
    (name.len() <= NAME_BYTES_MAX).then(|| name.len() * LETTERS + usize::from(first & 31))
}

fn build() -> Table {
    let mut table = Table {
        commands: Vec::new(),
        by_shape: vec![Vec::new(); (NAME_BYTES_MAX + 1) * LETTERS],
    };
    for spec in FAMILIES.iter().flat_map(|family| family.iter()) {
        let command = Command {
            id: table.commands.len() as u16,
            spec,
            parent: None,
        };
        table.commands.push(command);
        if let Some(slot) = shape(spec.name.as_bytes()).and_then(|shape| table.by_shape.get_mut(shape)) {
            slot.push(command);
        }
        for subcommand in spec.subcommands {
            let id = table.commands.len() as u16;
            table.commands.push(Command {
                id,
                spec: subcommand,
                parent: Some(spec),
            });
        }
    }
    table
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(build)
}

/// All commands and subcommands, in the order of their numbers.
pub fn all() -> &'static [Command] {
    &table().commands
}

/// Commands without subcommands.
pub fn top_level() -> impl Iterator<Item = &'static Command> {
    all().iter().filter(|command| command.parent.is_none())
}

/// Finds a command by name, in any case.
#[inline]
pub fn lookup(name: &[u8]) -> Option<Command> {
    let candidates = table().by_shape.get(shape(name)?)?;
    candidates
        .iter()
        .find(|command| command.spec.name.as_bytes().eq_ignore_ascii_case(name))
        .copied()
}

/// Finds a subcommand by name, in any case.
pub fn lookup_subcommand(container: Command, name: &[u8]) -> Option<Command> {
    let at = container
        .spec
        .subcommands
        .iter()
        .position(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))?;
    all().get(usize::from(container.id) + 1 + at).copied()
}

const fn less(one: &str, other: &str) -> bool {
    let (mut a, mut b) = (one.as_bytes(), other.as_bytes());
    loop {
        match (a, b) {
            ([], []) | ([_, ..], []) => return false,
            ([], [_, ..]) => return true,
            ([x, rest_a @ ..], [y, rest_b @ ..]) => {
                if *x != *y {
                    return *x < *y;
                }
                (a, b) = (rest_a, rest_b);
            }
        }
    }
}

/// Fails the build when a family is not sorted by name.
pub const fn assert_sorted(family: &[Spec]) {
    let mut rest = family;
    while let [first, tail @ ..] = rest {
        if let [second, ..] = tail {
            assert!(less(first.name, second.name), "a command family is not sorted by name");
        }
        rest = tail;
    }
}
