//! A random generator of scripts, and of what happens around them: the same for the same seed.
//!
//! **Invariants**: steps are made without looking at replies, so any part of a sequence can be run again by itself.
//! Nothing that a script answers depends on the clock or on chance: times to live are far away or over at once, and
//! told as signs only; what has no order is sorted by the script itself.

mod calls;
mod units;

use std::fmt;

use crate::args;
use crate::support::{Args, Rng, text};

/// Connections a sequence is spread over.
const CONNECTIONS: u8 = 3;
/// Databases that sequences use.
pub const DATABASES: u8 = 4;
/// How many scripts are kept in mind, to be run again.
const KEPT_MAX: usize = 12;

/// What may befall LokiKV amid a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It takes a checkpoint.
    Checkpoint,
    /// It is killed and started again.
    Crash,
}

/// A script, in parts that can be left out.
#[derive(Clone, Debug)]
pub struct Script {
    /// `#!lua …`, if there is one.
    first_line: String,
    pub units: Vec<String>,
    /// What is returned.
    last_line: String,
}

impl Script {
    pub fn body(&self) -> String {
        let Self {
            first_line,
            units,
            last_line,
        } = self;
        format!("{first_line}{}\n{}\n{last_line}", units::PRELUDE, units.join("\n"))
    }

    /// A library with a function of this body, and its name.
    pub fn library(&self) -> (String, String) {
        let Self { units, last_line, .. } = self;
        let number = units.len() % 3;
        let flags = if self.first_line.contains("no-writes") {
            "'no-writes'"
        } else {
            ""
        };
        let code = format!(
            "#!lua name=lib{number}\nredis.register_function{{function_name = 'f{number}', flags = {{{flags}}}, \
             callback = function(KEYS, ARGV) {}\n{}\n{last_line}\nend}}",
            units::PRELUDE,
            units.join("\n")
        );
        (code, format!("f{number}"))
    }
}

/// How a script is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Eval,
    EvalRo,
    /// `SCRIPT LOAD`, then `EVALSHA`.
    Loaded,
    LoadedRo,
    /// `FUNCTION LOAD REPLACE`, then `FCALL`.
    Function,
    FunctionRo,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum What {
    Plain(Args),
    /// With what comes behind the number of keys, and that number.
    Script(Form, Script, Args, usize),
}

/// One step of a sequence.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which connection.
    pub conn: u8,
    pub what: What,
    /// What befalls LokiKV before it.
    pub interruption: Option<Interruption>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interruption) = self.interruption {
            writeln!(f, "# {interruption:?}")?;
        }
        match &self.what {
            What::Plain(args) => writeln!(f, "@{} {}", self.conn, text::join(args)),
            What::Script(form, script, rest, keys) => {
                writeln!(f, "@{} {form:?} {keys} {}", self.conn, text::join(rest))?;
                let Script {
                    first_line,
                    units,
                    last_line,
                } = script;
                writeln!(f, "{first_line}{}\n{last_line}", units.join("\n"))
            }
        }
    }
}

/// What the generator remembers.
#[derive(Debug)]
pub struct Generator {
    rng: Rng,
    /// Which connections are inside MULTI.
    in_multi: [bool; CONNECTIONS as usize],
    kept: Vec<Script>,
    /// What is made is not part of a script: arguments are literal.
    is_plain: bool,
    /// How many keys and arguments the script that is made has.
    keys: usize,
    args: usize,
    has_interruptions: bool,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let has_interruptions = rng.one_in(3);
        Self {
            rng,
            in_multi: [false; CONNECTIONS as usize],
            kept: Vec::new(),
            is_plain: false,
            keys: 0,
            args: 0,
            has_interruptions,
        }
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        let interruption = (self.has_interruptions && self.rng.one_in(200))
            .then(|| *self.rng.pick(&[Interruption::Checkpoint, Interruption::Crash]));
        if interruption == Some(Interruption::Crash) {
            // Connections are new afterwards.
            self.in_multi = [false; CONNECTIONS as usize];
        }
        let conn = self.rng.below(CONNECTIONS.into());
        let what = match self.rng.below(20) {
            0 => What::Plain(self.transaction(conn)),
            1 | 2 => What::Plain(self.plain()),
            3 => What::Plain(self.about_scripts()),
            _ => self.script(),
        };
        Step {
            conn: conn as u8,
            what,
            interruption,
        }
    }

    fn transaction(&mut self, conn: usize) -> Args {
        let started = &mut self.in_multi[conn];
        let (args, starts) = match (*started, self.rng.below(8)) {
            (true, 0) => (args!["DISCARD"], false),
            (true, _) => (args!["EXEC"], false),
            (false, 0) => (args!["WATCH", "k0", "k1"], false),
            (false, 1) => (args!["UNWATCH"], false),
            (false, _) => (args!["MULTI"], true),
        };
        *started = starts;
        args
    }

    fn plain(&mut self) -> Args {
        self.is_plain = true;
        let call = self.call();
        self.is_plain = false;
        call.literal()
    }

    fn about_scripts(&mut self) -> Args {
        const UNKNOWN: &str = "ffffffffffffffffffffffffffffffffffffffff";
        match self.rng.below(7) {
            0 => args!["SCRIPT", "EXISTS", UNKNOWN, "x"],
            1 => args!["EVALSHA", UNKNOWN, "0"],
            2 => args!["EVAL", "return +", "0"],
            3 => args![
                "EVAL",
                "return {KEYS, ARGV}",
                *self.rng.pick(&["0", "1", "2", "-1", "x", "3"]),
                "a",
                "b"
            ],
            4 => args!["EVAL", "#!lua flags=nosuch\nreturn 1", "0"],
            5 => args!["SCRIPT", "KILL"],
            _ => args!["SELECT", self.rng.below(DATABASES.into()).to_string()],
        }
    }

    fn script(&mut self) -> What {
        self.keys = self.rng.below(5);
        self.args = self.rng.below(4);
        let script = if !self.kept.is_empty() && self.rng.one_in(4) {
            self.rng.pick(&self.kept).clone()
        } else {
            self.new_script()
        };
        let mut rest = Args::new();
        rest.extend((0..self.keys).map(|_| self.key_name().into_bytes()));
        rest.extend((0..self.args).map(|_| self.bytes()));
        let form = match self.rng.below(14) {
            0 => Form::EvalRo,
            1 => Form::LoadedRo,
            2 | 3 => Form::Loaded,
            4 | 5 => Form::Function,
            6 if self.rng.one_in(2) => Form::FunctionRo,
            _ => Form::Eval,
        };
        What::Script(form, script, rest, self.keys)
    }

    fn new_script(&mut self) -> Script {
        let first_line = match self.rng.below(20) {
            0 => "#!lua\n",
            1 => "#!lua flags=no-writes\n",
            2 => "#!lua flags=allow-oom,allow-cross-slot-keys\n",
            _ => "",
        };
        let units = (0..1 + self.rng.below(7)).map(|_| self.unit()).collect();
        let last_line = match self.rng.below(10) {
            0 => "return last",
            1 => "return cjson.encode(plain(out))",
            2 => "return #out",
            3 => "return cmsgpack.pack(plain(out))",
            _ => "return out",
        };
        let script = Script {
            first_line: first_line.to_owned(),
            units,
            last_line: last_line.to_owned(),
        };
        if self.kept.len() == KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push(script.clone());
        script
    }
}
