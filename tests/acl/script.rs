//! Steps that are text: `name: COMMAND …` on the connection of that name, which is made when it is first named. Capital
//! letters are connections over RESP3.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use crate::support::{Args, Conn, Server, Value, text};

/// How long a connection that has to be closed may take for it.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(30);

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    pub line: usize,
    pub name: char,
    pub what: What,
    /// What has to be answered, where the step says so.
    pub wanted: Option<String>,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum What {
    Call(Args),
    /// The connection has to be closed by the server.
    Closes,
}

/// A series of steps on servers that nobody has used.
#[derive(Debug)]
pub struct Scenario {
    pub title: String,
    pub steps: Vec<Step>,
}

/// Reads scenarios: headings `== what`, steps, and remarks behind `#`. Behind ` => ` stands what is to be answered,
/// behind `name!` nothing: that connection is closed.
pub fn parse(content: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (line, text) in (1..).zip(content.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Some(title) = text.strip_prefix("==") {
            scenarios.push(Scenario {
                title: title.trim().to_owned(),
                steps: Vec::new(),
            });
            continue;
        }
        let step = step(line, text).unwrap_or_else(|why| panic!("line {line}: {why}"));
        scenarios.last_mut().expect("a heading").steps.push(step);
    }
    scenarios
}

fn step(line: usize, text: &str) -> Result<Step, String> {
    let name = text.chars().next().ok_or("no name")?;
    let rest = &text[name.len_utf8()..];
    if rest == "!" {
        return Ok(Step {
            line,
            name,
            what: What::Closes,
            wanted: None,
        });
    }
    let rest = rest.strip_prefix(':').ok_or("no colon behind the name")?;
    let (command, wanted) = match rest.split_once(" => ") {
        Some((command, wanted)) => (command, Some(wanted.trim().to_owned())),
        None => (rest, None),
    };
    Ok(Step {
        line,
        name,
        what: What::Call(text::split(command)?),
        wanted,
    })
}

/// The connections to one server.
pub struct Side<'s> {
    server: &'s Server,
    conns: BTreeMap<char, Conn>,
    protocol: u8,
}

impl<'s> Side<'s> {
    /// `protocol` is that of connections with small letters.
    pub fn new(server: &'s Server, protocol: u8) -> Self {
        Self {
            server,
            conns: BTreeMap::new(),
            protocol,
        }
    }

    /// Takes a step: what is answered, as text.
    pub fn take(&mut self, step: &Step) -> Result<Value, String> {
        let is_3 = step.name.is_uppercase() != (self.protocol == 3);
        let server = self.server;
        let conn = self.conns.entry(step.name).or_insert_with(|| {
            let mut conn = server.connect();
            if is_3 {
                // Refused where nobody is let in without a password.
                conn.call(&["HELLO", "3"]);
            }
            conn
        });
        match &step.what {
            What::Call(args) => {
                let answer = conn.try_call(args);
                answer.map_err(|error| {
                    if is_end(error.kind()) {
                        "closed".to_owned()
                    } else {
                        error.to_string()
                    }
                })
            }
            What::Closes => {
                conn.stream().set_read_timeout(Some(CLOSE_TIME_MAX)).unwrap();
                let rest = conn.read_to_close();
                self.conns.remove(&step.name);
                rest.map(|_| Value::ok())
                    .map_err(|error| format!("it stays open: {error}"))
            }
        }
    }
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
