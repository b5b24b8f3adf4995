//! Scripts by their digests, functions by their names, and how one is run.

use super::api::Whose;
use super::host::{Host, Stop};
use super::library::Libraries;
use super::lua::{Ended, Interrupter, Kept, Kind, NO_MEMORY, Raise, Stack, State};
use super::sandbox;
use super::sha1::Sha1;
use super::to_reply::write_reply;
use crate::resp::{Proto, Reply, format_general};
use std::collections::HashMap;
use std::ffi::c_int;
use std::fmt;

/// What a [`Vm`] may do, and says of the server.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes that values of scripts may take.
    pub memory_bytes_max: usize,
    /// Redis's version that the server says it is like: `redis.REDIS_VERSION`.
    pub version: &'static str,
}

/// Source that is no script.
#[derive(Debug, PartialEq, Eq)]
pub struct CompileError {
    message: Vec<u8>,
}

impl CompileError {
    /// What is wrong with it, and where.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.message))
    }
}

impl std::error::Error for CompileError {}

/// How a script has ended; its reply is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has returned something, which may be an error reply.
    Returned,
    /// It has raised an error.
    Raised,
    /// There was no more memory for its values.
    OutOfMemory,
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee<'a> {
    /// A script.
    Script(Sha1),
    /// A function.
    Function {
        /// The name of its library.
        library: &'a [u8],
        /// Its own name.
        name: &'a [u8],
    },
}

impl fmt::Display for Callee<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(sha) => sha.fmt(f),
            Self::Function { name, .. } => f.write_str(&String::from_utf8_lossy(name)),
        }
    }
}

/// Lua, for the scripts of one thread, or for its functions.
#[derive(Debug)]
pub struct Vm {
    pub(super) state: State,
    pub(super) version: &'static str,
    scripts: HashMap<Sha1, Kept>,
    /// Made with the first one.
    pub(super) libraries: Option<Libraries>,
}

impl Vm {
    /// Lua with nothing in it but what each script finds.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::made_for(Whose::Scripts, settings)
    }

    /// Lua with nothing in it but what each function finds.
    #[must_use]
    pub fn for_functions(settings: Settings) -> Self {
        Self::made_for(Whose::Functions, settings)
    }

    fn made_for(whose: Whose, settings: Settings) -> Self {
        let state = State::new(settings.memory_bytes_max);
        sandbox::set_up(&state, whose, settings.version);
        Self {
            state,
            version: settings.version,
            scripts: HashMap::new(),
            libraries: None,
        }
    }

    /// Interrupts the scripts of this `Vm`, from any thread.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        self.state.interrupter().clone()
    }

    /// Bytes that values of scripts take.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.state.context().heap.used()
    }

    /// How many bytes values of scripts may take from now on.
    pub fn set_memory_bytes_max(&mut self, bytes: usize) {
        self.state.context().heap.set_limit(bytes);
    }

    /// Whether a script is compiled already.
    #[must_use]
    pub fn has(&self, sha: Sha1) -> bool {
        self.scripts.contains_key(&sha)
    }

    /// Compiles a script and keeps it under its digest. A first line that begins with `#` is no part of it, but counts.
    ///
    /// # Errors
    /// If it is not Lua.
    pub fn load(&mut self, sha: Sha1, body: &[u8]) -> Result<(), CompileError> {
        let state = &self.state;
        let kept = state.with_stack(|stack| {
            if state.compile(stack, without_shebang(body), c"@user_script") {
                Ok(stack.keep())
            } else {
                let message = stack.string(-1).unwrap_or_default().to_vec();
                Err(CompileError { message })
            }
        })?;
        if let Some(old) = self.scripts.insert(sha, kept) {
            self.state.let_go(old);
        }
        Ok(())
    }

    /// Forgets all scripts.
    pub fn forget_all(&mut self) {
        for (_, script) in self.scripts.drain() {
            self.state.let_go(script);
        }
        self.collect_garbage();
    }

    /// Frees what nothing reaches any more.
    pub fn collect_garbage(&mut self) {
        self.state.with_stack(|stack| stack.collect_garbage());
    }

    fn kept(&self, callee: Callee<'_>) -> Option<&Kept> {
        match callee {
            Callee::Script(sha) => self.scripts.get(&sha),
            Callee::Function { library, name } => self.libraries.as_ref()?.get(library, name),
        }
    }

    /// Runs what was loaded, and writes its reply. `None`: there is no such thing.
    ///
    /// # Errors
    /// If the host has stopped it; nothing is written.
    pub fn run(
        &mut self,
        callee: Callee<'_>,
        (keys, args): (&[&[u8]], &[&[u8]]),
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> Result<Option<Outcome>, Stop> {
        let Some(kept) = self.kept(callee) else {
            return Ok(None);
        };
        let state = &self.state;
        let context = state.context();
        context.proto.set(Proto::Resp2);
        context.json.borrow_mut().reset();
        let outcome = state.with_stack(|stack| {
            let arguments = push_given(state, stack, (callee, kept), (keys, args));
            let ended = state.run(stack, arguments, host);
            if context.is_stopped.get() {
                return Err(Stop);
            }
            let answered = context.with_host(host, || answer(stack, ended, callee, reply));
            // It may have been armed again meanwhile.
            state.disarm();
            answered
        });
        outcome.map(Some)
    }
}

/// Pushes what is called, with its arguments; how many. Scripts find theirs in globals.
fn push_given(
    state: &State,
    stack: &mut Stack<'_>,
    (callee, kept): (Callee<'_>, &Kept),
    (keys, args): (&[&[u8]], &[&[u8]]),
) -> c_int {
    if let Callee::Script(_) = callee {
        state.push_globals(stack);
        for (name, values) in [("KEYS", keys), ("ARGV", args)] {
            push_strings(stack, values);
            stack.set_field(1, name);
        }
        state.push_kept(stack, kept);
        return 0;
    }
    state.push_kept(stack, kept);
    push_strings(stack, keys);
    push_strings(stack, args);
    2
}

/// Writes what is on top of the stack.
///
/// # Errors
/// If the host stops it meanwhile; nothing is written.
fn answer(stack: &mut Stack<'_>, ended: Ended, callee: Callee<'_>, reply: &mut Reply) -> Result<Outcome, Stop> {
    let (mark, top) = (reply.mark(), stack.top());
    Ok(match ended {
        Ended::Returned => match write_reply(stack, reply) {
            Ok(()) => Outcome::Returned,
            Err(Raise::Stopped) => {
                reply.truncate(mark);
                return Err(Stop);
            }
            Err(_) => {
                reply.truncate(mark);
                // What was being written is still there.
                stack.pop(stack.top() - top);
                stack.push_string(NO_MEMORY);
                write_error(stack, callee, reply);
                Outcome::OutOfMemory
            }
        },
        Ended::Raised => {
            write_error(stack, callee, reply);
            Outcome::Raised
        }
        Ended::OutOfMemory => {
            write_error(stack, callee, reply);
            Outcome::OutOfMemory
        }
    })
}

fn push_strings(stack: &mut Stack<'_>, values: &[&[u8]]) {
    stack.push_table(i32::try_from(values.len()).unwrap_or(0), 0);
    for (at, value) in (1..).zip(values) {
        stack.push_string(value);
        stack.set_element(-2, at);
    }
}

/// The script without a first line that begins with `#!`; the end of that line stays, so that lines keep their numbers.
pub(super) fn without_shebang(body: &[u8]) -> &[u8] {
    if !body.starts_with(b"#!") {
        return body;
    }
    let end = memchr::memchr(b'\n', body).unwrap_or(body.len());
    body.get(end..).unwrap_or_default()
}

/// Writes the error on top of the stack, as Redis words it.
fn write_error(stack: &mut Stack<'_>, callee: Callee<'_>, reply: &mut Reply) {
    if stack.kind(-1) != Kind::Table {
        let text = stack.string(-1).unwrap_or(b"execution failure");
        let text = text.get(..100).unwrap_or(text);
        return reply.error_bytes(&[format!("ERR Error running script {callee}, ").as_bytes(), text].concat());
    }
    stack.get_field(-1, "err");
    let mut text = match stack.kind(-1) {
        Kind::String => stack.string(-1).unwrap_or_default().to_vec(),
        Kind::Number => format_general(stack.number(-1).unwrap_or_default(), 14).into_bytes(),
        _ => b"ERR unknown error".to_vec(),
    };
    let is_string = stack.get_field(-2, "source") == Kind::String;
    let source = stack.string(-1).unwrap_or_default().to_vec();
    if stack.get_field(-3, "line") == Kind::Number && is_string {
        let line = stack.number(-1).unwrap_or_default();
        text.extend_from_slice(format!(" script: {callee}, on ").as_bytes());
        text.extend_from_slice(&source);
        text.extend_from_slice(format!(":{line}.").as_bytes());
    }
    reply.error_bytes(&text);
}
