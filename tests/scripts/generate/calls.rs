//! Calls of commands on all types, their arguments literal or computed by the script.

use super::{DATABASES, Generator};
use crate::support::Args;

/// An argument.
#[derive(Clone, Debug)]
enum Arg {
    Literal(Vec<u8>),
    /// What Lua evaluates.
    Lua(String),
}

/// A command to be called.
#[derive(Clone, Debug)]
pub(super) struct Call {
    args: Vec<Arg>,
    /// The function that takes chance out of the reply, if one has to.
    normal: &'static str,
}

impl Call {
    fn new(words: &str) -> Self {
        Self {
            args: words
                .split(' ')
                .map(|word| Arg::Literal(word.as_bytes().to_vec()))
                .collect(),
            normal: "",
        }
    }

    fn arg(mut self, arg: Vec<u8>) -> Self {
        self.args.push(Arg::Literal(arg));
        self
    }

    fn text(self, arg: impl ToString) -> Self {
        self.arg(arg.to_string().into_bytes())
    }

    fn lua(mut self, arg: String) -> Self {
        self.args.push(Arg::Lua(arg));
        self
    }

    fn normal(mut self, normal: &'static str) -> Self {
        self.normal = normal;
        self
    }

    /// As an expression.
    pub(super) fn expression(&self, function: &str) -> String {
        let args: Vec<String> = self
            .args
            .iter()
            .map(|arg| match arg {
                Arg::Literal(bytes) => quoted(bytes),
                Arg::Lua(text) => text.clone(),
            })
            .collect();
        format!("{}({function}({}))", self.normal, args.join(", "))
    }

    /// As a command of a client.
    pub(super) fn literal(self) -> Args {
        let literals = self.args.into_iter().map(|arg| match arg {
            Arg::Literal(bytes) => bytes,
            Arg::Lua(text) => unreachable!("{text} outside of a script"),
        });
        literals.collect()
    }
}

/// A string of Lua.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("'");
    for &byte in bytes {
        match byte {
            b' '..=b'~' if !b"'\\".contains(&byte) => text.push(byte.into()),
            _ => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text + "'"
}

impl Generator {
    /// The name of a key: one of few, its first letter tells what it mostly holds.
    pub(super) fn key_name(&mut self) -> String {
        let letter = *self.rng.pick(b"klshzxbp");
        format!("{}{}", letter as char, self.rng.below(3))
    }

    fn name_of(&mut self, letter: char) -> String {
        match self.rng.below(25) {
            0 => self.key_name(),
            _ => format!("{letter}{}", self.rng.below(3)),
        }
    }

    /// A key of the script, or any other, as an expression.
    pub(super) fn key(&mut self) -> String {
        let name = self.key_name();
        self.key_or(&name)
    }

    fn key_or(&mut self, name: &str) -> String {
        match self.rng.below(5) {
            0..3 if self.keys > 0 => format!("KEYS[{}]", 1 + self.rng.below(self.keys)),
            3 if self.rng.one_in(3) => format!("'{}' .. #out % 3", &name[..1]),
            _ => format!("'{name}'"),
        }
    }

    fn with_key(&mut self, call: Call, letter: char) -> Call {
        let name = self.name_of(letter);
        match self.is_plain {
            true => call.text(name),
            // Mostly of the type that the command is for.
            false if self.rng.one_in(3) => {
                let key = self.key_or(&name);
                call.lua(key)
            }
            false => call.text(name),
        }
    }

    /// A command and its first key.
    fn on(&mut self, words: &str, letter: char) -> Call {
        self.with_key(Call::new(words), letter)
    }

    /// Bytes that mostly are text or numbers.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        match self.rng.below(12) {
            0 => Vec::new(),
            1 => b"\0\xff\r\n".to_vec(),
            2 => vec![b'y'; 50 + self.rng.below(80)],
            3 => b"1.5".to_vec(),
            4..7 => self.rng.range(-100, 1_000).to_string().into_bytes(),
            7 => b"9223372036854775807".to_vec(),
            _ => format!("m{}", self.rng.below(12)).into_bytes(),
        }
    }

    fn value(&mut self, call: Call) -> Call {
        if self.is_plain {
            let bytes = self.bytes();
            return call.arg(bytes);
        }
        match self.rng.below(9) {
            0 if self.args > 0 => {
                let at = 1 + self.rng.below(self.args);
                call.lua(format!("ARGV[{at}]"))
            }
            1 => call.lua("str(last)".to_owned()),
            2 => call.lua("#out".to_owned()),
            3 => call.lua("num(last) + 0.25".to_owned()),
            4 => call.lua("'m' .. #out % 9".to_owned()),
            _ => {
                let bytes = self.bytes();
                call.arg(bytes)
            }
        }
    }

    fn values(&mut self, mut call: Call) -> Call {
        for _ in 0..1 + self.rng.below(4) {
            call = self.value(call);
        }
        call
    }

    fn number(&mut self, call: Call) -> Call {
        match self.rng.below(12) {
            0 => self.value(call),
            1 if !self.is_plain => call.lua("num(last)".to_owned()),
            _ => {
                let number = self.rng.range(-8, 12);
                call.text(number)
            }
        }
    }

    /// Places in lists, and scores: Redis 8.2 takes huge places for others in short lists, and writes huge scores
    /// otherwise than 7.0.
    fn small(&mut self, call: Call) -> Call {
        let number = self.rng.range(-8, 12);
        call.text(number)
    }

    fn numbers(&mut self, call: Call) -> Call {
        let call = self.number(call);
        self.number(call)
    }

    fn maybe(&mut self, call: Call, words: &[&str]) -> Call {
        words.iter().fold(
            call,
            |call, word| if self.rng.one_in(4) { call.text(word) } else { call },
        )
    }

    /// Any command.
    pub(super) fn call(&mut self) -> Call {
        match self.rng.below(40) {
            0..8 => self.of_strings(),
            8..13 => self.of_keys(),
            13..18 => self.of_lists(),
            18..22 => self.of_sets(),
            22..27 => self.of_hashes(),
            27..32 => self.of_zsets(),
            32..35 => self.of_streams(),
            35..37 => self.of_bits(),
            _ => self.of_others(),
        }
    }

    fn of_strings(&mut self) -> Call {
        match self.rng.below(18) {
            0..3 => {
                let call = self.on("set", 'k');
                let call = self.value(call);
                let call = self.maybe(call, &["nx", "xx"]);
                let call = self.maybe(call, &["get"]);
                match self.rng.below(5) {
                    0 => call.text("ex").text(5_000 + self.rng.below(100_000)),
                    1 => call.text("keepttl"),
                    _ => call,
                }
            }
            3 | 4 => self.on("get", 'k'),
            5 => {
                let call = self.on("append", 'k');
                self.value(call)
            }
            6 => self.on("incr", 'k'),
            7 => {
                let call = self.on("incrby", 'k');
                self.number(call)
            }
            8 => self.on("incrbyfloat", 'k').text("0.5"),
            9 => {
                let call = self.on("getrange", 'k');
                self.numbers(call)
            }
            10 => {
                let call = self.on("setrange", 'k').text(self.rng.below(40));
                self.value(call)
            }
            11 => self.on("strlen", 'k'),
            12 => {
                let call = self.on("getset", 'k');
                self.value(call)
            }
            13 => self.on("getdel", 'k'),
            14 => {
                let call = self.on("mget", 'k');
                let call = self.with_key(call, 'k');
                self.with_key(call, 'l')
            }
            15 => {
                let name = *self.rng.pick(&["mset", "msetnx"]);
                let call = self.on(name, 'k');
                let call = self.value(call);
                let call = self.with_key(call, 'k');
                self.value(call)
            }
            16 => {
                let call = self.on("setnx", 'k');
                self.value(call)
            }
            _ => {
                let call = self.on("getex", 'k');
                self.maybe(call, &["persist"])
            }
        }
    }

    fn of_keys(&mut self) -> Call {
        let letter = *self.rng.pick(&['k', 'l', 's', 'h', 'z', 'x', 'b']);
        match self.rng.below(16) {
            0 | 1 => {
                let call = self.on("del", letter);
                self.with_key(call, 'k')
            }
            2 => self.on("unlink", letter),
            3 => {
                let call = self.on("exists", letter);
                self.with_key(call, 'k')
            }
            4 | 5 => {
                let seconds = 5_000 + self.rng.below(100_000);
                let call = self.on("expire", letter).text(seconds);
                self.maybe(call, &["nx"])
            }
            6 => self
                .on("pexpire", letter)
                .text(*self.rng.pick(&["0", "-1", "77000000", "x"])),
            7 => self.on("persist", letter),
            8 | 9 if !self.is_plain => {
                let name = *self.rng.pick(&["ttl", "pttl"]);
                self.on(name, letter).normal("sign")
            }
            10 => self.on("type", letter),
            11 => {
                let name = *self.rng.pick(&["rename", "renamenx"]);
                let call = self.on(name, letter);
                self.with_key(call, letter)
            }
            12 => {
                let call = self.on("copy", letter);
                let call = self.with_key(call, letter);
                self.maybe(call, &["replace"])
            }
            13 => self.on("move", letter).text(self.rng.below(DATABASES.into())),
            14 => Call::new("dbsize"),
            _ => self.on("touch", letter),
        }
    }

    fn of_lists(&mut self) -> Call {
        match self.rng.below(18) {
            0..4 => {
                let name = *self.rng.pick(&["lpush", "rpush", "rpushx"]);
                let call = self.on(name, 'l');
                self.values(call)
            }
            4..6 => {
                let call = self.on("lrange", 'l');
                self.numbers(call)
            }
            6 => self.on("llen", 'l'),
            7 => {
                let call = self.on("lindex", 'l');
                self.small(call)
            }
            8 => {
                let call = self.on("lset", 'l');
                let call = self.small(call);
                self.value(call)
            }
            9 => {
                let call = self.on("lrem", 'l');
                let call = self.number(call);
                self.value(call)
            }
            10 => {
                let call = self.on("ltrim", 'l');
                self.numbers(call)
            }
            11 | 12 => {
                let name = *self.rng.pick(&["lpop", "rpop"]);
                let call = self.on(name, 'l');
                if self.rng.one_in(2) { self.number(call) } else { call }
            }
            13 => {
                let call = self.on("lmove", 'l');
                self.with_key(call, 'l').text("left").text("right")
            }
            14 => {
                let call = self.on("linsert", 'l').text("before");
                let call = self.value(call);
                self.value(call)
            }
            15 => {
                let call = self.on("lmpop 2", 'l');
                self.with_key(call, 'l').text("left")
            }
            16 if !self.is_plain => {
                let name = *self.rng.pick(&["blpop", "brpop"]);
                self.on(name, 'l').text("0")
            }
            _ => {
                let call = self.on("lpos", 'l');
                self.value(call)
            }
        }
    }

    fn of_sets(&mut self) -> Call {
        match self.rng.below(14) {
            0..4 => {
                let call = self.on("sadd", 's');
                self.values(call)
            }
            4 => {
                let call = self.on("srem", 's');
                self.values(call)
            }
            5 => self.on("scard", 's'),
            6 => {
                let call = self.on("smismember", 's');
                self.values(call)
            }
            7 => self.on("smembers", 's').normal("sorted"),
            8 => {
                let call = self.on("smove", 's');
                let call = self.with_key(call, 's');
                self.value(call)
            }
            9 | 10 => {
                let name = *self.rng.pick(&["sdiff", "sinter", "sunion"]);
                let call = self.on(name, 's');
                self.with_key(call, 's').normal("sorted")
            }
            11 | 12 => {
                let name = *self.rng.pick(&["sdiffstore", "sinterstore", "sunionstore"]);
                let call = self.on(name, 's');
                let call = self.with_key(call, 's');
                self.with_key(call, 's')
            }
            _ if self.is_plain => self.on("scard", 's'),
            _ => self.on("spop", 's').text("100000").normal("sorted"),
        }
    }

    fn of_hashes(&mut self) -> Call {
        match self.rng.below(16) {
            0..4 => {
                let call = self.on("hset", 'h');
                let call = self.value(call);
                let call = self.value(call);
                let call = self.value(call);
                self.value(call)
            }
            4 => {
                let call = self.on("hdel", 'h');
                self.values(call)
            }
            5 | 6 => {
                let name = *self.rng.pick(&["hget", "hexists", "hstrlen"]);
                let call = self.on(name, 'h');
                self.value(call)
            }
            7 => {
                let call = self.on("hmget", 'h');
                self.values(call)
            }
            8 | 9 => self.on("hgetall", 'h').normal("paired"),
            10 => {
                let name = *self.rng.pick(&["hkeys", "hvals"]);
                self.on(name, 'h').normal("sorted")
            }
            11 => self.on("hlen", 'h'),
            12 | 13 => {
                let call = self.on("hincrby", 'h');
                let call = self.value(call);
                self.number(call)
            }
            14 => {
                let call = self.on("hincrbyfloat", 'h');
                self.value(call).text("0.25")
            }
            _ => {
                let call = self.on("hsetnx", 'h');
                let call = self.value(call);
                self.value(call)
            }
        }
    }

    fn of_zsets(&mut self) -> Call {
        match self.rng.below(18) {
            0..4 => {
                let call = self.on("zadd", 'z');
                let call = self.maybe(call, &["gt", "ch"]);
                let call = self.small(call);
                let call = self.value(call);
                let call = self.small(call);
                self.value(call)
            }
            4 => {
                let call = self.on("zincrby", 'z');
                let call = self.small(call);
                self.value(call)
            }
            5 => {
                let call = self.on("zrem", 'z');
                self.values(call)
            }
            6 => {
                let name = *self.rng.pick(&["zscore", "zrank", "zrevrank"]);
                let call = self.on(name, 'z');
                self.value(call)
            }
            7 => {
                let call = self.on("zmscore", 'z');
                self.values(call)
            }
            8 => {
                let call = self.on("zcount", 'z');
                self.numbers(call)
            }
            9..12 => {
                let call = self.on("zrange", 'z');
                let call = self.numbers(call);
                self.maybe(call, &["byscore", "rev", "withscores"])
            }
            12 => {
                let name = *self.rng.pick(&["zpopmin", "zpopmax"]);
                self.on(name, 'z')
            }
            13 => {
                let name = *self.rng.pick(&["zunionstore", "zinterstore", "zdiffstore"]);
                let call = self.on(name, 'z').text("2");
                let call = self.with_key(call, 'z');
                self.with_key(call, 'z')
            }
            14 => {
                let name = *self.rng.pick(&["zremrangebyrank", "zremrangebyscore"]);
                let call = self.on(name, 'z');
                self.numbers(call)
            }
            15 if !self.is_plain => self.on("bzpopmin", 'z').text("0"),
            16 => {
                let call = self.on("zinter 2", 'z');
                let call = self.with_key(call, 'z');
                self.maybe(call, &["withscores"])
            }
            _ => self.on("zcard", 'z'),
        }
    }

    fn of_streams(&mut self) -> Call {
        match self.rng.below(12) {
            0..4 => {
                let id = format!("{}-{}", 1 + self.rng.below(50), self.rng.below(9));
                let call = self.on("xadd", 'x').text(id);
                let call = self.value(call);
                self.value(call)
            }
            4 => self.on("xlen", 'x'),
            5 => self.on("xrange", 'x').text("-").text("+").text("count").text("5"),
            6 => {
                let id = format!("{}-{}", 1 + self.rng.below(50), self.rng.below(9));
                if self.rng.one_in(2) {
                    return self.on("xdel", 'x').text(id);
                }
                let call = self.on("xdelex", 'x');
                self.maybe(call, &["keepref", "delref", "acked"])
                    .text("ids")
                    .text("1")
                    .text(id)
            }
            7 => {
                let call = self.on("xtrim", 'x').text("maxlen").text(self.rng.below(12));
                self.maybe(call, &["keepref", "delref", "acked"])
            }
            8 if !self.is_plain => self.on("xread block 0 count 3 streams", 'x').text("0"),
            9 => self.on("xgroup create", 'x').text("g").text("0").text("mkstream"),
            10 => self.on("xreadgroup group g c count 2 streams", 'x').text(">"),
            _ => {
                let id = format!("{}-{}", 1 + self.rng.below(50), self.rng.below(9));
                if self.rng.one_in(2) {
                    return self.on("xack", 'x').text("g").text(id);
                }
                let call = self.on("xackdel", 'x').text("g");
                self.maybe(call, &["keepref", "delref", "acked"])
                    .text("ids")
                    .text("1")
                    .text(id)
            }
        }
    }

    fn of_bits(&mut self) -> Call {
        match self.rng.below(9) {
            0..3 => self.on("setbit", 'b').text(self.rng.below(200)).text(self.rng.below(2)),
            3 => self.on("getbit", 'b').text(self.rng.below(200)),
            4 => self.on("bitcount", 'b'),
            5 => self.on("bitpos", 'b').text(self.rng.below(2)),
            6 => {
                let name = *self.rng.pick(&["bitop and", "bitop or", "bitop xor"]);
                let call = self.on(name, 'b');
                let call = self.with_key(call, 'b');
                self.with_key(call, 'b')
            }
            7 => self
                .on("bitfield", 'b')
                .text("incrby")
                .text("u8")
                .text("#1")
                .text("100")
                .text("get")
                .text("i5")
                .text("3"),
            _ => {
                let name = *self.rng.pick(&["pfadd", "pfcount"]);
                let call = self.on(name, 'p');
                if name == "pfadd" { self.values(call) } else { call }
            }
        }
    }

    fn of_others(&mut self) -> Call {
        match self.rng.below(10) {
            0 => Call::new("ping"),
            1 => {
                let call = Call::new("echo");
                self.value(call)
            }
            2 => {
                let call = Call::new("publish c");
                self.value(call)
            }
            3 if self.rng.one_in(20) => Call::new("flushdb"),
            4 if self.rng.one_in(5) => Call::new("swapdb 1 2"),
            5 => self.on("nosuch", 'k'),
            6 => self.on("get a", 'k'),
            7 if !self.is_plain => {
                Call::new(
                    self.rng
                        .pick::<&str>(&["multi", "watch k", "eval x 0", "config get x", "client id"]),
                )
            }
            _ => self.on("object encoding nosuch", 'k'),
        }
    }
}
