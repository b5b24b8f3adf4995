//! One server with its named connections: a step is sent on one of them, and what comes on each is gathered.
//!
//! What came is known to be all by a PING whose answer stands behind it; inside MULTI by a WATCH, which is refused
//! there. A connection that cannot answer now (it wants no replies, or is blocked) is read for a moment, and again when
//! it can, or if the other server's has got something else. That one is blocked is known from `CLIENT LIST`, which a
//! connection asks that is gone when the step is over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::args;
use crate::support::{Args, Conn, Reply, Server, Value, text};

/// How long an end waits for what a connection that cannot answer a PING still gets.
const LAST_TIME_MAX: Duration = Duration::from_millis(100);
/// Nothing that a reply tells of is more than this.
const COUNT_MAX: i64 = 100;
/// How long a connection is read from that cannot answer.
const MOMENT: Duration = Duration::from_millis(120);
/// How long one may take to be blocked that is to be; some never are.
const BLOCK_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// A step of a scenario.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which connection; capital letters are those of the other protocol.
    pub name: char,
    /// Sent at once.
    pub commands: Vec<Args>,
    /// The last of them blocks.
    pub blocks: bool,
    /// The number of the difference that is meant, if one is.
    pub known: Option<String>,
}

impl Step {
    pub fn new(name: char, commands: Vec<Args>) -> Self {
        Self {
            name,
            commands,
            blocks: false,
            known: None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commands: Vec<String> = self.commands.iter().map(|args| text::join(args)).collect();
        let mark = if self.blocks { "~" } else { "" };
        write!(f, "{}{mark}: {}", self.name, commands.join(" ;; "))
    }
}

/// What came on a connection because of a step.
#[derive(Clone, Debug)]
pub enum Came {
    Reply(Reply),
    Closed,
}

/// What a step led to, by connection.
pub type Outcome = BTreeMap<char, Vec<Came>>;

/// A connection, and why it cannot answer a PING, if so.
struct Line {
    conn: Conn,
    /// Its number as a client.
    id: String,
    in_multi: bool,
    is_mute: bool,
    skips: bool,
    is_blocked: bool,
    /// A MULTI has been refused.
    lacks_multi: bool,
}

impl Line {
    /// Whether it can tell now that all has come.
    fn can_answer(&self) -> bool {
        !(self.skips || self.is_blocked || self.is_mute && self.in_multi)
    }

    /// What it is asked to know that all has come. Confirmations come though replies are switched off.
    fn probe(&self, token: &str) -> Vec<Args> {
        match (self.in_multi, self.is_mute) {
            (true, _) => vec![args!["WATCH", token]],
            (_, true) => vec![args!["SUBSCRIBE", token], args!["UNSUBSCRIBE", token]],
            _ => vec![args!["PING", token]],
        }
    }

    /// Whether that is the last answer to the probe.
    fn is_answer(&mut self, value: &Value, token: &str) -> bool {
        let text = value.text();
        if self.in_multi {
            // MULTI may have been refused, and what it was refused for may be over.
            self.lacks_multi |= text.starts_with("ERR Can't execute 'multi'");
            let is_refused = text.starts_with("ERR Can't execute 'watch'") || self.lacks_multi && text == "OK";
            self.in_multi &= !is_refused;
            return is_refused || text.starts_with("ERR WATCH inside MULTI");
        }
        if self.is_mute {
            // So may CLIENT REPLY.
            self.is_mute &= !text.starts_with("ERR Can't execute 'client|reply'");
            let items = value.items();
            return items.first() == Some(&Value::bulk("unsubscribe")) && items.get(1) == Some(&Value::bulk(token));
        }
        is_pong(value, token)
    }

    /// Reads for a moment what comes; it is read again when it can answer. Whether more may come: it is not closed.
    fn read_for_a_moment(&mut self, came: &mut Vec<Came>) -> bool {
        self.conn.stream().set_read_timeout(Some(MOMENT)).unwrap();
        let is_open = loop {
            match receive(&mut self.conn) {
                Some(Came::Reply(reply)) => came.push(Came::Reply(reply)),
                Some(Came::Closed) => break false,
                None => break true,
            }
        };
        self.conn.stream().set_read_timeout(Some(ANSWER_TIME_MAX)).unwrap();
        is_open
    }

    /// Follows what a command does to the connection.
    fn note(&mut self, args: &Args) {
        let word = |at: usize| {
            args.get(at)
                .map(|arg| String::from_utf8_lossy(arg).to_uppercase())
                .unwrap_or_default()
        };
        self.skips = false;
        match (word(0).as_str(), word(1).as_str(), word(2).as_str(), args.len()) {
            ("MULTI", _, _, 1) => (self.in_multi, self.lacks_multi) = (true, false),
            ("EXEC" | "DISCARD", _, _, 1) => self.in_multi = false,
            ("RESET", _, _, 1) => (self.in_multi, self.is_mute) = (false, false),
            ("CLIENT", "REPLY", "OFF", 3) if !self.in_multi => self.is_mute = true,
            ("CLIENT", "REPLY", "ON", 3) if !self.in_multi => self.is_mute = false,
            ("CLIENT", "REPLY", "SKIP", 3) if !self.in_multi => self.skips = true,
            _ => {}
        }
    }
}

/// See the module.
pub struct Side<'s> {
    server: &'s Server,
    protocol: u8,
    lines: BTreeMap<char, Line>,
    /// Numbers of clients with the names of their connections, those of closed ones included.
    ids: Vec<(char, String)>,
    pings: u64,
    taken: Vec<String>,
}

impl<'s> Side<'s> {
    pub fn new(server: &'s Server, protocol: u8) -> Self {
        // Clients' numbers are beyond all counts then: one is not taken for the other.
        while client_id(&mut server.connect()) < COUNT_MAX {}
        Self {
            server,
            protocol,
            lines: BTreeMap::new(),
            ids: Vec::new(),
            pings: 0,
            taken: Vec::new(),
        }
    }

    /// Takes a step; what came because of it.
    pub fn step(&mut self, step: &Step) -> Outcome {
        self.taken.push(step.to_string());
        let line = self.line(step.name);
        let mut request = Vec::new();
        for args in &step.commands {
            line.note(args);
        }
        let commands: Vec<Args> = step.commands.iter().map(|args| self.told_of_clients(args)).collect();
        for args in &commands {
            crate::support::conn::encode(args, &mut request);
        }
        let line = self.line(step.name);
        line.is_blocked |= step.blocks;
        // A connection that has been closed is found so below.
        let _ = line.conn.send_raw(&request);
        let mut outcome = Outcome::new();
        if step.blocks {
            self.await_blocked(step, &mut outcome);
        }
        // The one that acts first: what it does has happened when it has answered.
        self.gather(step.name, true, &mut outcome);
        let names: Vec<char> = self.lines.keys().copied().filter(|name| *name != step.name).collect();
        for name in names {
            self.gather(name, false, &mut outcome);
        }
        // What Redis sends at the end of its turn may stand behind an answer of the same turn.
        self.gather(step.name, false, &mut outcome);
        outcome
            .values_mut()
            .flatten()
            .for_each(|came| without_ids(came, step, &self.ids));
        outcome
    }

    /// Adds what has come late on those of the connections that a step has read for a moment only; whether more may come
    /// on one of them.
    pub fn read_again(&mut self, step: &Step, names: &BTreeSet<char>, outcome: &mut Outcome) -> bool {
        let mut may_come = false;
        for name in names {
            let Some(line) = self.lines.get_mut(name) else { continue };
            if line.can_answer() || !(line.is_blocked || *name == step.name) {
                continue;
            }
            let mut came = Vec::new();
            may_come |= line.read_for_a_moment(&mut came);
            came.iter_mut().for_each(|came| without_ids(came, step, &self.ids));
            if !came.is_empty() {
                outcome.entry(*name).or_default().extend(came);
            }
        }
        may_come
    }

    /// Reads what comes until the server says that the connection is blocked, unless all is answered or it is closed.
    fn await_blocked(&mut self, step: &Step, outcome: &mut Outcome) {
        let server = self.server;
        let line = self.line(step.name);
        let mut came = Vec::new();
        let mut asks = server.connect();
        let since = Instant::now();
        while since.elapsed() < BLOCK_TIME_MAX {
            let listed = asks.call(&["CLIENT", "LIST", "ID", &line.id]).text();
            let flags = listed.split(' ').find_map(|field| field.strip_prefix("flags="));
            let is_settled = flags.is_none_or(|flags| flags.contains('b'));
            // What it was told before that is on its way.
            line.read_for_a_moment(&mut came);
            if is_settled || came.len() >= step.commands.len() {
                break;
            }
        }
        // Without QUIT, which MONITOR would show. Gone from CLIENT LIST before anybody looks there.
        asks.stream().shutdown(Shutdown::Write).expect("shut down");
        asks.read_to_close().expect("closed");
        if !came.is_empty() {
            outcome.entry(step.name).or_default().extend(came);
        }
    }

    /// The arguments with `%id:a%`, `%addr:a%` and `%laddr:a%` replaced by what they are of connection `a`.
    fn told_of_clients(&mut self, args: &Args) -> Args {
        let mut told = |arg: &Vec<u8>| {
            let text = std::str::from_utf8(arg).ok()?;
            let (what, name) = text.strip_prefix('%')?.strip_suffix('%')?.split_once(':')?;
            let line = self.line(name.chars().next()?);
            let stream = line.conn.stream();
            let told = match what {
                "id" => line.id.clone(),
                "addr" => stream.local_addr().ok()?.to_string(),
                "laddr" => stream.peer_addr().ok()?.to_string(),
                _ => return None,
            };
            Some(told.into_bytes())
        };
        args.iter()
            .map(|arg| told(arg).unwrap_or_else(|| arg.clone()))
            .collect()
    }

    /// Adds what came on connections that could not be asked; whether more may come on one of them.
    pub fn end(&mut self, outcome: &mut Outcome) -> bool {
        self.lines.retain(|name, line| {
            if line.can_answer() {
                return true;
            }
            line.conn.stream().set_read_timeout(Some(LAST_TIME_MAX)).unwrap();
            while let Some(came) = receive(&mut line.conn) {
                let is_closed = matches!(came, Came::Closed);
                outcome.entry(*name).or_default().push(came);
                if is_closed {
                    return false;
                }
            }
            true
        });
        self.lines.values().any(|line| !line.can_answer())
    }

    fn line(&mut self, name: char) -> &mut Line {
        let (server, base, ids) = (self.server, self.protocol, &mut self.ids);
        self.lines.entry(name).or_insert_with(|| {
            let is_resp3 = (base == 3) != name.is_ascii_uppercase();
            let mut conn = if is_resp3 { server.connect3() } else { server.connect() };
            let id = client_id(&mut conn).to_string();
            ids.push((name, id.clone()));
            Line {
                conn,
                id,
                in_multi: false,
                is_mute: false,
                skips: false,
                is_blocked: false,
                lacks_multi: false,
            }
        })
    }

    /// `acts`: it is the one that acts, whose commands are to have run before the others are asked.
    fn gather(&mut self, name: char, acts: bool, outcome: &mut Outcome) {
        self.pings += 1;
        let token = format!("token-{}", self.pings);
        let Some(line) = self.lines.get_mut(&name) else {
            return;
        };
        let mut came = Vec::new();
        if !line.can_answer() {
            if line.is_blocked || acts {
                line.read_for_a_moment(&mut came);
            }
            if !came.is_empty() {
                outcome.entry(name).or_default().extend(came);
            }
            return;
        }
        for args in line.probe(&token) {
            let _ = line.conn.send(&args);
        }
        let was_mute = line.is_mute;
        let is_closed = loop {
            match receive(&mut line.conn) {
                Some(Came::Reply(reply)) if line.is_answer(&reply.value, &token) => break false,
                Some(Came::Reply(reply)) if was_mute && reply.value.items().get(1) == Some(&Value::bulk(&token)) => {
                    if !line.is_mute && reply.value.items()[0] == Value::bulk("unsubscribe") {
                        break false;
                    }
                }
                Some(Came::Reply(reply)) => came.push(Came::Reply(reply)),
                Some(Came::Closed) => break true,
                None => {
                    let state = (line.in_multi, line.is_mute, line.skips);
                    let program = self.server.program();
                    let steps = self.taken.join("\n");
                    panic!(
                        "{program:?}: {name} {state:?} does not answer, {} came\n{steps}",
                        came.len()
                    );
                }
            }
        };
        if is_closed {
            came.push(Came::Closed);
            self.lines.remove(&name);
        }
        if !came.is_empty() {
            outcome.entry(name).or_default().extend(came);
        }
    }
}

fn client_id(conn: &mut Conn) -> i64 {
    conn.call(&["CLIENT", "ID"]).int().expect("a number")
}

/// Puts names in the place of clients' numbers where a reply tells of redirection.
fn without_ids(came: &mut Came, step: &Step, ids: &[(char, String)]) {
    let Came::Reply(reply) = came else { return };
    let tells = |word: &[u8]| reply.raw.windows(word.len()).any(|bytes| bytes == word);
    let asks = step
        .commands
        .iter()
        .any(|args| args.iter().any(|arg| arg.eq_ignore_ascii_case(b"getredir")));
    if !asks && !tells(b"redir") {
        return;
    }
    let mut raw = String::from_utf8_lossy(&reply.raw).into_owned();
    for (name, id) in ids {
        raw = raw.replace(&format!(":{id}\r\n"), &format!(":{{{name}}}\r\n"));
        raw = raw.replace(&format!("redir={id} "), &format!("redir={{{name}}} "));
        name_ids(&mut reply.value, *name, id);
    }
    reply.raw = raw.into_bytes();
}

fn name_ids(value: &mut Value, name: char, id: &str) {
    let named = || format!("{{{name}}}");
    match value {
        Value::Int(n) if n.to_string() == id => *value = Value::bulk(named()),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            items.iter_mut().for_each(|item| name_ids(item, name, id));
        }
        Value::Map(pairs) => pairs.iter_mut().for_each(|(_, value)| name_ids(value, name, id)),
        Value::Bulk(text) | Value::Verbatim(text) => {
            let shown = String::from_utf8_lossy(text);
            let field = format!("redir={id} ");
            if shown.contains(&field) {
                *text = shown.replace(&field, &format!("redir={} ", named())).into_bytes();
            }
        }
        _ => {}
    }
}

/// The answer to the PING, which looks like a message where messages are all that one gets.
fn is_pong(value: &Value, token: &str) -> bool {
    let token = Value::bulk(token);
    *value == token || *value == Value::Array(vec![Value::bulk("pong"), token])
}

/// The next thing; `None`: nothing in time.
fn receive(conn: &mut Conn) -> Option<Came> {
    match conn.recv() {
        Ok(reply) => Some(Came::Reply(reply)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(_) => Some(Came::Closed),
    }
}
