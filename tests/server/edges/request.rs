//! Requests made from the grammar of the commands: right in form, mostly, then bent.

use super::catalog::{Arg, Command};
use super::values::Values;
use crate::support::{Args, Rng};

/// Makes requests.
pub struct Maker {
    commands: Vec<Command>,
    tokens: Vec<String>,
    values: Values,
}

impl Maker {
    /// Of these commands.
    pub fn new(commands: Vec<Command>, values: Values) -> Self {
        let tokens = commands.iter().flat_map(|command| command.tokens.clone()).collect();
        Self {
            commands,
            tokens,
            values,
        }
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Any value.
    pub fn value(&self, rng: &mut Rng) -> Vec<u8> {
        self.values.any(rng)
    }

    /// A request for the command with this number.
    pub fn request(&self, number: usize, rng: &mut Rng) -> Args {
        let command = &self.commands[number % self.commands.len()];
        let mut request: Args = command.words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let name = request.len();
        command.args.iter().for_each(|arg| self.fill(arg, &mut request, rng));
        while rng.one_in(3) {
            self.bend(command, name, &mut request, rng);
        }
        request
    }

    fn fill(&self, arg: &Arg, request: &mut Args, rng: &mut Rng) {
        if arg.is_optional && !rng.one_in(3) {
            return;
        }
        let times = if arg.is_multiple { 1 + rng.below(3) } else { 1 };
        for _ in 0..times {
            request.extend(arg.token.as_ref().map(|token| token.as_bytes().to_vec()));
            match arg.kind.as_str() {
                "pure-token" => {}
                "oneof" => self.fill(rng.pick(&arg.parts), request, rng),
                "block" => arg.parts.iter().for_each(|part| self.fill(part, request, rng)),
                "key" => request.push(self.values.key(rng)),
                _ => request.push(self.values.named(&arg.name, rng)),
            }
        }
    }

    /// Changes something behind the name.
    fn bend(&self, command: &Command, name: usize, request: &mut Args, rng: &mut Rng) {
        let at = name + rng.below(request.len() - name + 1);
        let is_there = at < request.len();
        match rng.below(8) {
            0 | 1 if is_there => request[at] = self.values.any(rng),
            2 if is_there => drop(request.remove(at)),
            3 if is_there => request.insert(at, request[at].clone()),
            4 if is_there => request.swap(name, at),
            5 if !command.tokens.is_empty() => request.insert(at, rng.pick(&command.tokens).clone().into_bytes()),
            6 => request.insert(at, rng.pick(&self.tokens).clone().into_bytes()),
            7 if rng.one_in(20) => request.extend((0..200).map(|_| self.values.any(rng))),
            _ => request.insert(at, self.values.any(rng)),
        }
    }
}
