//! Arguments of a command, read from its syntax line (`key value [NX | XX] [EX seconds | KEEPTTL] [field [field
//! ...]]`).
//!
//! Upper-case words are tokens, others values; `[…]` is optional, `<…>` groups, `|` separates alternatives, and `...`
//! repeats what stands before it.
//!
//! **Invariant:** any text gives some result; a syntax line that is not well-formed is found by the test over all
//! specs.

/// One argument as COMMAND DOCS shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Argument {
    /// Name.
    pub name: String,
    /// `key`, `integer`, `string`, `pure-token`, `oneof`, `block` …
    pub kind: &'static str,
    /// The literal word before the value, or the whole of a pure token.
    pub token: Option<String>,
    /// May be left out.
    pub is_optional: bool,
    /// May be given several times.
    pub is_multiple: bool,
    /// Of several, each has its token again.
    pub repeats_token: bool,
    /// Number of this key argument among the command's.
    pub key_index: usize,
    /// Members of a `oneof` or a `block`.
    pub parts: Vec<Argument>,
}

impl Argument {
    /// Flags as COMMAND DOCS names them.
    pub fn flags(&self) -> Vec<&'static str> {
        [
            (self.is_optional, "optional"),
            (self.is_multiple, "multiple"),
            (self.repeats_token, "multiple_token"),
        ]
        .into_iter()
        .filter_map(|(set, name)| set.then_some(name))
        .collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open(char),
    Close,
    Bar,
    More,
}

/// The arguments that `syntax` describes.
pub fn parse(syntax: &str) -> Vec<Argument> {
    let mut tokens = tokenize(syntax).into_iter().peekable();
    let mut arguments = alternatives(&mut tokens);
    number_keys(&mut arguments, &mut 0);
    arguments
}

fn tokenize(syntax: &str) -> Vec<Token> {
    let spaced = ['[', ']', '<', '>', '|'].iter().fold(syntax.to_owned(), |text, mark| {
        text.replace(*mark, &format!(" {mark} "))
    });
    let token = |word: &str| match word {
        "[" => Token::Open('['),
        "<" => Token::Open('<'),
        "]" | ">" => Token::Close,
        "|" => Token::Bar,
        "..." => Token::More,
        word => Token::Word(word.trim_matches('"').to_owned()),
    };
    spaced.split_whitespace().map(token).collect()
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<Token>>;

/// Reads up to the closing bracket; with bars between, the result is one `oneof`.
fn alternatives(tokens: &mut Tokens) -> Vec<Argument> {
    let mut choices = Vec::new();
    let mut current = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Close => break,
            Token::Bar => choices.push(joined(std::mem::take(&mut current))),
            Token::More => repeat(&mut current),
            Token::Open(bracket) => {
                let mut argument = joined(alternatives(tokens));
                argument.is_optional = bracket == '[';
                absorb(&mut current, argument);
            }
            Token::Word(word) => current.push(word_argument(word, tokens)),
        }
    }
    if choices.is_empty() {
        return current;
    }
    choices.push(joined(current));
    vec![Argument {
        name: group_name(&choices, "_or_"),
        kind: "oneof",
        parts: choices,
        ..Argument::default()
    }]
}

/// A word, or a token with the value after it.
fn word_argument(word: String, tokens: &mut Tokens) -> Argument {
    if !is_token(&word) {
        return Argument {
            kind: kind_of(&word),
            name: word,
            ..Argument::default()
        };
    }
    let value = tokens.next_if(|next| matches!(next, Token::Word(value) if !is_token(value)));
    match value {
        Some(Token::Word(value)) => Argument {
            kind: kind_of(&value),
            name: value,
            token: Some(word),
            ..Argument::default()
        },
        _ => Argument {
            name: word.to_lowercase(),
            kind: "pure-token",
            token: Some(word),
            ..Argument::default()
        },
    }
}

/// Several arguments as one.
fn joined(mut arguments: Vec<Argument>) -> Argument {
    match arguments.len() {
        1 => arguments.pop().unwrap_or_default(),
        _ => Argument {
            name: group_name(&arguments, "_"),
            kind: "block",
            parts: arguments,
            ..Argument::default()
        },
    }
}

fn group_name(parts: &[Argument], joint: &str) -> String {
    parts
        .iter()
        .map(|part| part.name.as_str())
        .collect::<Vec<_>>()
        .join(joint)
}

/// `key [key ...]` is one argument that may come several times, and `TOKEN <a | b>` one with a token.
fn absorb(current: &mut Vec<Argument>, argument: Argument) {
    if let Some(last) = current.last_mut() {
        let unit = |argument: &Argument| Argument {
            is_optional: false,
            is_multiple: false,
            repeats_token: false,
            ..argument.clone()
        };
        if argument.is_multiple && argument.kind != "block" && unit(last) == unit(&argument) {
            last.is_multiple = true;
            last.repeats_token = last.token.is_some();
            return;
        }
        if !argument.is_optional && last.kind == "pure-token" && argument.token.is_none() {
            let token = last.token.take();
            *last = Argument { token, ..argument };
            return;
        }
        // `key value [key value ...]`: the block stands for what came before it, too.
        if argument.is_multiple && argument.kind == "block" {
            let at = current.len().saturating_sub(argument.parts.len());
            if current.get(at..) == Some(argument.parts.as_slice()) {
                current.truncate(at);
                current.push(Argument {
                    is_optional: false,
                    ..argument
                });
                return;
            }
        }
    }
    current.push(argument);
}

/// `...` after several words repeats all of them, which are in a bracket of their own.
fn repeat(current: &mut Vec<Argument>) {
    let mut argument = joined(std::mem::take(current));
    argument.is_multiple = true;
    current.push(argument);
}

fn is_token(word: &str) -> bool {
    !word.chars().any(|letter| letter.is_ascii_lowercase())
}

fn kind_of(name: &str) -> &'static str {
    match name {
        "key" | "numkey" | "newkey" | "source" | "destination" | "destkey" | "sourcekey" | "key1" | "key2" => "key",
        "pattern" => "pattern",
        "unix-time-seconds" | "unix-time-milliseconds" => "unix-time",
        "seconds" | "milliseconds" | "count" | "cursor" | "offset" | "index" | "index1" | "index2" | "start"
        | "end" | "stop" | "bit" | "numkeys" | "decrement" | "timeout" | "db" | "destination-db" | "client-id"
        | "ttl" | "protover" | "version" | "min-match-len" | "len" | "replicas" | "numreplicas" | "timestamp" => {
            "integer"
        }
        "increment-float" => "double",
        _ => "string",
    }
}

fn number_keys(arguments: &mut [Argument], next: &mut usize) {
    for argument in arguments {
        if argument.kind == "key" {
            argument.key_index = *next;
            *next += 1;
        }
        number_keys(&mut argument.parts, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::table;

    /// redis-cli reads all of COMMAND DOCS at its start, and takes groups without members or names badly.
    fn assert_whole(argument: &Argument, of: &str) {
        assert!(!argument.name.is_empty(), "an argument of {of} has no name");
        let is_group = matches!(argument.kind, "oneof" | "block");
        assert_eq!(is_group, !argument.parts.is_empty(), "{} of {of}", argument.name);
        argument.parts.iter().for_each(|part| assert_whole(part, of));
    }

    #[test]
    fn every_group_of_every_command_has_members_and_a_name() {
        for command in table().all() {
            for argument in parse(command.spec.syntax) {
                assert_whole(&argument, &command.full_name());
            }
        }
    }

    /// An argument in one line: `name:kind(token)flags{parts}`.
    fn short(argument: &Argument) -> String {
        let mut text = format!("{}:{}", argument.name, argument.kind);
        if let Some(token) = &argument.token {
            text.push_str(&format!("({token})"));
        }
        for flag in argument.flags() {
            text.push_str(&format!("+{flag}"));
        }
        if !argument.parts.is_empty() {
            text.push_str(&format!("{{{}}}", all(&argument.parts)));
        }
        text
    }

    fn all(arguments: &[Argument]) -> String {
        arguments.iter().map(short).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn reads_the_notation() {
        for (syntax, expected) in [
            ("", ""),
            ("key", "key:key"),
            ("key [key ...]", "key:key+multiple"),
            (
                "key value [key value ...]",
                "key_value:block+multiple{key:key value:string}",
            ),
            ("[message]", "message:string+optional"),
            ("[SAMPLES count]", "count:integer(SAMPLES)+optional"),
            ("<ON | OFF>", "on_or_off:oneof{on:pure-token(ON) off:pure-token(OFF)}"),
            (
                "key [NX | XX] [GET]",
                "key:key nx_or_xx:oneof+optional{nx:pure-token(NX) xx:pure-token(XX)} get:pure-token(GET)+optional",
            ),
            (
                "[TYPE <NORMAL | MASTER>]",
                "normal_or_master:oneof(TYPE)+optional{normal:pure-token(NORMAL) master:pure-token(MASTER)}",
            ),
            (
                "[AUTH username password]",
                "username_password:block+optional{username:string(AUTH) password:string}",
            ),
            (
                "[PREFIX prefix [PREFIX prefix ...]]",
                "prefix:string(PREFIX)+optional+multiple+multiple_token",
            ),
        ] {
            assert_eq!(all(&parse(syntax)), expected, "{syntax}");
        }
    }

    #[test]
    fn every_syntax_line_is_balanced_and_understood() {
        for command in table().all() {
            let mut depth = 0;
            for token in tokenize(command.spec.syntax) {
                depth += match token {
                    Token::Open(_) => 1,
                    Token::Close => -1,
                    _ => 0,
                };
                assert!(depth >= 0, "{}", command.full_name());
            }
            assert_eq!(depth, 0, "{}", command.full_name());
            let takes_more = command.spec.arity.unsigned_abs() > 1 + u32::from(command.parent.is_some());
            let is_container = !command.spec.subcommands.is_empty();
            assert!(
                !takes_more || is_container || !parse(command.spec.syntax).is_empty(),
                "{} has arguments and no syntax",
                command.full_name()
            );
        }
    }
}
