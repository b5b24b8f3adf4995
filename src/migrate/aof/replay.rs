//! Runs the commands of append-only files, by a session without a connection.
//!
//! **Invariants**
//! - A command that fails ends the import: servers log what has worked.
//! - Databases are those of the import: a command that names one does not reach others.

use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use tokio::runtime::{Builder, Runtime};

use super::clock::Clock;
use super::error::CommandsError;
use super::reader::{CommandReader, Next};
use crate::client::ClientHandle;
use crate::engine::worker::unix_ms;
use crate::migrate::offline::Offline;
use crate::migrate::targets::{Existing, Targets};
use crate::migrate::{MigrateError, Outcome};
use crate::pubsub::Subscriber;
use crate::resp::{Args, Batch, ParserLimits, RequestParser, parse_i64};
use crate::session::{Ran, Session};

/// So many commands are a turn of the worker.
const TURN_COMMANDS: u64 = 128;
/// So much is shown of a failure.
const SHOWN_BYTES_MAX: usize = 200;
const CLIENT_ID: u64 = 1;

/// See the module.
pub struct Replay<'a> {
    offline: &'a Offline,
    session: Session,
    /// Commands that wait make timers, which need one.
    runtime: Runtime,
    clock: Clock,
    /// The file's database that is selected.
    selected: Option<u64>,
    commands: u64,
    is_log: bool,
}

impl<'a> Replay<'a> {
    /// Nothing has run. `is_log`: commands are expected.
    pub fn new(offline: &'a Offline, is_log: bool) -> Outcome<Self> {
        let cx = &offline.cx;
        let (addr, laddr) = (String::new(), String::new());
        let handle = ClientHandle::new(CLIENT_ID, addr, laddr, (-1, false), Waker::noop().clone(), unix_ms());
        let handle = Arc::new(handle);
        cx.server.clients.add(Arc::clone(&handle));
        let subscriber = Subscriber::new(Rc::clone(&cx.desk), CLIENT_ID as usize);
        let mut replay = Self {
            offline,
            session: Session::new(handle, cx.server.acl.default_user(), subscriber),
            runtime: Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(MigrateError::Thread)?,
            clock: Clock::new(),
            selected: None,
            commands: 0,
            is_log: false,
        };
        if is_log {
            replay.expect_commands();
        }
        Ok(replay)
    }

    /// Commands are to come: from now on nothing expires before they have run.
    pub fn expect_commands(&mut self) {
        self.is_log = true;
        self.pretend(self.clock.standing_ms());
    }

    /// Whether commands are expected.
    pub fn is_log(&self) -> bool {
        self.is_log
    }

    /// How many have run.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// It is the present again.
    pub fn end(&mut self) {
        self.session.end(&self.offline.cx);
        self.offline.cx.worker.borrow_mut().pretend_time(None);
    }

    fn pretend(&self, at_ms: u64) {
        self.offline.cx.worker.borrow_mut().pretend_time(Some(at_ms));
    }

    /// Runs the commands of a file; where it is torn, if it is: that far they have run. `progress` is told the place.
    ///
    /// # Errors
    /// A command cannot be run, or the file is damaged.
    pub fn run_file<R: Read>(
        &mut self,
        targets: &mut Targets<'_>,
        mut reader: CommandReader<R>,
        mut progress: impl FnMut(u64),
    ) -> Outcome<Option<u64>> {
        self.selected = None;
        // Where the transaction that is open begins.
        let mut transaction = None;
        loop {
            match reader.read_next()? {
                Next::Command => {}
                Next::Time(second) => {
                    self.clock.tell(second);
                    continue;
                }
                Next::End if transaction.is_none() => return Ok(None),
                Next::End | Next::Torn => return self.torn(transaction.unwrap_or(reader.begins())),
            }
            let done = self.command(targets, &reader);
            done.map_err(|why| why.of_command(reader.begins(), reader.command().at(0)))?;
            let is_open = self.session.client().multi.is_some();
            transaction = is_open.then(|| transaction.unwrap_or(reader.begins()));
            self.commands += 1;
            if self.commands.is_multiple_of(TURN_COMMANDS) {
                progress(reader.begins());
            }
        }
    }

    fn torn(&mut self, at: u64) -> Outcome<Option<u64>> {
        if self.session.client().multi.is_some() {
            self.say(&[b"DISCARD".to_vec()])?;
        }
        Ok(Some(at))
    }

    fn command<R: Read>(&mut self, targets: &mut Targets<'_>, reader: &CommandReader<R>) -> Outcome<()> {
        if targets.existing == Existing::Merge {
            return Err(CommandsError::Merged.into());
        }
        let args = reader.command();
        let is = |name: &[u8]| args.at(0).eq_ignore_ascii_case(name);
        if is(b"SELECT") {
            return self.select(targets, database(args, 1)?);
        }
        if self.selected.is_none() {
            self.select(targets, 0)?;
        }
        if is(b"FLUSHALL") {
            return self.flush_all(targets);
        }
        if is(b"MOVE") {
            targets.prepare_for_commands(database(args, 2)?)?;
        } else if is(b"SWAPDB") {
            targets.prepare_for_commands(database(args, 1)?)?;
            targets.prepare_for_commands(database(args, 2)?)?;
        } else if is(b"COPY")
            && let Some(at) = args.skip(3).iter().position(|arg| arg.eq_ignore_ascii_case(b"DB"))
        {
            targets.prepare_for_commands(database(args, at + 4)?)?;
        }
        let at_ms = self.clock.of_command(args, self.session.client().multi.is_some());
        let (batch, bytes) = reader.as_batch();
        self.run(batch, bytes, at_ms)
    }

    fn select(&mut self, targets: &mut Targets<'_>, db: u64) -> Outcome<()> {
        targets.prepare_for_commands(db)?;
        self.say(&targets.selecting(db))?;
        self.selected = Some(db);
        Ok(())
    }

    /// Empties what the import has filled so far, and nothing else.
    fn flush_all(&mut self, targets: &mut Targets<'_>) -> Outcome<()> {
        let selected = self.selected.unwrap_or_default();
        for db in targets.databases() {
            self.select(targets, db)?;
            self.say(&[b"FLUSHDB".to_vec()])?;
        }
        self.select(targets, selected)
    }

    /// Runs a request that is not in the file.
    fn say(&mut self, words: &[Vec<u8>]) -> Outcome<()> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend(format!("${}\r\n", word.len()).into_bytes());
            bytes.extend_from_slice(word);
            bytes.extend(b"\r\n");
        }
        let mut batch = Batch::new();
        let filled = RequestParser::new(ParserLimits::default()).fill(&bytes, &mut batch, 1);
        filled.map_err(|why| CommandsError::BadCommand(0, why))?;
        self.run(&batch, &bytes, self.clock.standing_ms())
    }

    fn run(&mut self, batch: &Batch, bytes: &[u8], at_ms: u64) -> Outcome<()> {
        let cx = &self.offline.cx;
        self.pretend(at_ms);
        if self.commands.is_multiple_of(TURN_COMMANDS) {
            cx.worker.borrow_mut().take_dependencies();
            cx.end_turn(true, false);
            cx.collections.refresh(&cx.server.engine);
            cx.begin_turn();
        }
        let errors = cx.counters.errors.get();
        let ran = {
            let _entered = self.runtime.enter();
            self.session.run(cx, batch, bytes, 0, None)
        };
        if !matches!(ran, Ran::All | Ran::Full { .. }) {
            return Err(CommandsError::NotRun("it does not end, or ends the connection".to_owned()).into());
        }
        let has_failed = cx.counters.errors.get() != errors;
        let failure = has_failed.then(|| self.failure()).flatten();
        self.session.reply().clear();
        failure.map_or(Ok(()), |text| Err(CommandsError::NotRun(text).into()))
    }

    /// What a reply says that has an error in it: itself, or one of those of a transaction.
    fn failure(&mut self) -> Option<String> {
        let reply = self.session.reply().to_vec();
        let lines = reply.split(|byte| *byte == b'\n');
        let is_single = reply.first() != Some(&b'*');
        let line = lines
            .take(if is_single { 1 } else { usize::MAX })
            .find(|line| line.starts_with(b"-"))?;
        let line = line.get(1..).unwrap_or_default().trim_ascii_end();
        let shown = line.get(..SHOWN_BYTES_MAX).unwrap_or(line);
        Some(String::from_utf8_lossy(shown).into_owned())
    }
}

/// The number of a database among a command's arguments.
fn database(args: Args<'_>, at: usize) -> Outcome<u64> {
    let number = args.get(at).and_then(parse_i64);
    let number = number.and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| CommandsError::NotRun("that is no database".to_owned()).into())
}
