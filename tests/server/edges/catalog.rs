//! What the server says of its commands: their names and the grammar of their arguments, by `COMMAND DOCS`.

use crate::support::{Conn, Value};

/// One argument of a command.
pub struct Arg {
    /// What it is called.
    pub name: String,
    /// `key`, `string`, `oneof`, …
    pub kind: String,
    /// The word before it, or which it is.
    pub token: Option<String>,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// Whether it may be repeated.
    pub is_multiple: bool,
    /// What it is made of.
    pub parts: Vec<Arg>,
}

/// A command or subcommand.
pub struct Command {
    /// Its name's words.
    pub words: Vec<String>,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// Every word that is an option of it.
    pub tokens: Vec<String>,
}

/// All commands of the server.
pub fn commands(conn: &mut Conn) -> Vec<Command> {
    let mut found = Vec::new();
    for (name, docs) in conn.call(&["COMMAND", "DOCS"]).pairs() {
        add(&name.text(), &docs, &mut found);
    }
    assert!(found.len() > 300, "only {} commands", found.len());
    found
}

fn add(name: &str, docs: &Value, found: &mut Vec<Command>) {
    let args: Vec<Arg> = items(docs, "arguments").iter().map(arg).collect();
    let mut tokens = Vec::new();
    args.iter().for_each(|arg| collect_tokens(arg, &mut tokens));
    found.push(Command {
        words: name.split('|').map(str::to_owned).collect(),
        args,
        tokens,
    });
    for (name, docs) in docs.field("subcommands").map(|subs| subs.pairs()).unwrap_or_default() {
        add(&name.text(), &docs, found);
    }
}

fn items(docs: &Value, field: &str) -> Vec<Value> {
    docs.field(field).map(|value| value.items()).unwrap_or_default()
}

fn arg(docs: &Value) -> Arg {
    let text = |field: &str| docs.field(field).map(|value| value.text());
    let flags: Vec<String> = items(docs, "flags").iter().map(Value::text).collect();
    let has = |flag: &str| flags.iter().any(|name| name == flag);
    Arg {
        name: text("name").unwrap_or_default(),
        kind: text("type").unwrap_or_default(),
        token: text("token"),
        is_optional: has("optional"),
        is_multiple: has("multiple"),
        parts: items(docs, "arguments").iter().map(arg).collect(),
    }
}

fn collect_tokens(arg: &Arg, tokens: &mut Vec<String>) {
    tokens.extend(arg.token.clone());
    arg.parts.iter().for_each(|part| collect_tokens(part, tokens));
}
