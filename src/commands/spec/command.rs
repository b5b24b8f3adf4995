//! A command with its number, and how commands are found by name.

use super::{Spec, flag};

/// A command with its number, which counts and latencies are kept under.
#[derive(Clone, Copy)]
pub struct Command {
    /// Position among all commands; subcommands follow their containers.
    pub id: u16,
    /// The only key's index, as [`Spec::single_key`] says; 0 = none.
    single_key: u16,
    /// All flags, those that follow from the handler included.
    pub flags: u32,
    /// What is known of it.
    pub spec: &'static Spec,
    /// The container, of a subcommand.
    pub parent: Option<&'static Spec>,
}

impl Command {
    /// The command of a spec.
    pub const fn new(id: u16, spec: &'static Spec, parent: Option<&'static Spec>) -> Self {
        let single_key = match spec.single_key() {
            Some(at) => at as u16,
            None => 0,
        };
        Self {
            id,
            single_key,
            flags: spec.all_flags(),
            spec,
            parent,
        }
    }

    /// The only key's index, if there is exactly one at a fixed place.
    #[inline]
    pub fn single_key(&self) -> Option<usize> {
        (self.single_key != 0).then_some(usize::from(self.single_key))
    }

    /// Whether any of `flags` is set.
    #[inline]
    pub const fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }

    /// Whether what it does to the connection, the server or collections as such can be taken back.
    pub const fn can_be_taken_back(&self) -> bool {
        self.has(flag::UNDOABLE) || !self.has(flag::NO_SCRIPT | flag::ADMIN)
    }

    /// `get`, or `config|set` for a subcommand.
    pub fn full_name(&self) -> String {
        match self.parent {
            Some(parent) => format!("{}|{}", parent.name, self.spec.name),
            None => self.spec.name.to_owned(),
        }
    }
}

/// All commands. Only `commands::table` knows which families there are; others are handed the table.
pub struct Table {
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

impl Table {
    /// The commands of these families.
    pub fn new(families: &[&'static [Spec]]) -> Self {
        let mut table = Self {
            commands: Vec::new(),
            by_shape: vec![Vec::new(); (NAME_BYTES_MAX + 1) * LETTERS],
        };
        families.iter().copied().flatten().for_each(|spec| table.add(spec));
        table
    }

    fn add(&mut self, spec: &'static Spec) {
        let command = Command::new(self.commands.len() as u16, spec, None);
        self.commands.push(command);
        if let Some(slot) = shape(spec.name.as_bytes()).and_then(|shape| self.by_shape.get_mut(shape)) {
            slot.push(command);
        }
        for subcommand in spec.subcommands {
            let id = self.commands.len() as u16;
            self.commands.push(Command::new(id, subcommand, Some(spec)));
        }
    }

    /// All commands and subcommands, in the order of their numbers.
    pub fn all(&self) -> &[Command] {
        &self.commands
    }

    /// Commands without subcommands.
    pub fn top_level(&self) -> impl Iterator<Item = &Command> {
        self.all().iter().filter(|command| command.parent.is_none())
    }

    /// Finds a command by name, in any case.
    #[inline]
    pub fn lookup(&self, name: &[u8]) -> Option<Command> {
        let candidates = self.by_shape.get(shape(name)?)?;
        candidates
            .iter()
            .find(|command| command.spec.name.as_bytes().eq_ignore_ascii_case(name))
            .copied()
    }

    /// Finds a subcommand by name, in any case.
    pub fn lookup_subcommand(&self, container: Command, name: &[u8]) -> Option<Command> {
        let at = container
            .spec
            .subcommands
            .iter()
            .position(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))?;
        self.all().get(usize::from(container.id) + 1 + at).copied()
    }
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
