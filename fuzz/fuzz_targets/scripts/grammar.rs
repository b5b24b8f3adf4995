//! Makes scripts of bytes: statements, functions, coroutines, and calls of all that scripts find.

/// Functions of the library, those of Redis, and those that take commands.
const FUNCTIONS: &[&str] = &[
    "assert",
    "collectgarbage",
    "error",
    "gcinfo",
    "getfenv",
    "getmetatable",
    "ipairs",
    "load",
    "loadstring",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawset",
    "select",
    "setfenv",
    "setmetatable",
    "tonumber",
    "tostring",
    "type",
    "unpack",
    "xpcall",
    "coroutine.create",
    "coroutine.resume",
    "coroutine.running",
    "coroutine.status",
    "coroutine.wrap",
    "coroutine.yield",
    "math.floor",
    "math.fmod",
    "math.frexp",
    "math.ldexp",
    "math.max",
    "math.random",
    "math.randomseed",
    "string.byte",
    "string.char",
    "string.dump",
    "string.find",
    "string.format",
    "string.gmatch",
    "string.gsub",
    "string.len",
    "string.lower",
    "string.match",
    "string.rep",
    "string.reverse",
    "string.sub",
    "string.upper",
    "table.concat",
    "table.foreach",
    "table.foreachi",
    "table.getn",
    "table.insert",
    "table.maxn",
    "table.remove",
    "table.sort",
    "os.clock",
    "redis.error_reply",
    "redis.status_reply",
    "redis.sha1hex",
    "redis.log",
    "redis.setresp",
    "redis.set_repl",
    "redis.replicate_commands",
    "redis.breakpoint",
    "redis.debug",
    "redis.acl_check_cmd",
    "cjson.encode",
    "cjson.decode",
    "cjson.encode_sparse_array",
    "cjson.encode_max_depth",
    "cjson.decode_max_depth",
    "cjson.encode_number_precision",
    "cjson.encode_invalid_numbers",
    "cjson.decode_invalid_numbers",
    "cjson.encode_keep_buffer",
    "cjson.new",
    "cmsgpack.pack",
    "cmsgpack.unpack",
    "cmsgpack.unpack_one",
    "cmsgpack.unpack_limit",
    "struct.pack",
    "struct.unpack",
    "struct.size",
    "bit.tobit",
    "bit.tohex",
    "bit.bnot",
    "bit.band",
    "bit.bor",
    "bit.bxor",
    "bit.lshift",
    "bit.rshift",
    "bit.arshift",
    "bit.rol",
    "bit.ror",
    "bit.bswap",
];
const CALLS: &[&str] = &["redis.call", "redis.pcall", "server.call"];
/// Commands on keys of all types, and on more.
const COMMANDS: &[&str] = &[
    "'set', 's', V",
    "'get', 's'",
    "'append', 's', V",
    "'incr', 'n'",
    "'setrange', 's', 9000, V",
    "'del', K, K",
    "'rename', K, K",
    "'copy', K, K",
    "'pexpire', K, 1",
    "'pexpire', K, 0",
    "'persist', K",
    "'type', K",
    "'rpush', 'l', V, V",
    "'lpop', 'l', 2",
    "'lrange', 'l', 0, -1",
    "'lmove', 'l', 'k', 'left', 'left'",
    "'sadd', 't', V, V",
    "'spop', 't'",
    "'smembers', 't'",
    "'zadd', 'z', 1, V",
    "'zrange', 'z', 0, -1, 'withscores'",
    "'zpopmin', 'z'",
    "'hset', 'h', V, V",
    "'hgetall', 'h'",
    "'hpexpire', 'h', 1, 'fields', 1, 'f'",
    "'hdel', 'h', 'f'",
    "'xadd', 'x', '*', V, V",
    "'xrange', 'x', '-', '+'",
    "'xreadgroup', 'group', 'g', 'c', 'streams', 'x', '>'",
    "'xinfo', 'stream', 'x', 'full'",
    "'flushall'",
    "'flushdb'",
    "'swapdb', 0, 1",
    "'select', 1",
    "'select', 0",
    "'dbsize'",
    "'randomkey'",
    "'scan', 0",
    "'keys', '*'",
    "'publish', 'c', V",
    "'ping'",
    "'echo', V",
    "'time'",
    "'blpop', 'l', 0",
    "'eval', 'return 1', 0",
    "'multi'",
    "'subscribe', 'c'",
    "'nosuch', V",
    "'get'",
    "V, V",
    "'info'",
    "'client', 'id'",
    "'object', 'encoding', K",
    "'sort', 'l', 'alpha', 'store', 'k'",
    "'bitfield', 's', 'set', 'u8', 0, V",
    "'lcs', 's', 's'",
];
const KEYS: &[&str] = &["'s'", "'n'", "'l'", "'t'", "'z'", "'h'", "'x'", "'k'", "KEYS[1]"];
const VALUES: &[&str] = &[
    "nil",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "2",
    "255",
    "1e15",
    "2^31",
    "2^53",
    "-2^63",
    "1/0",
    "-1/0",
    "0/0",
    "0.1",
    "''",
    "'x'",
    "'a b'",
    "'%d'",
    "'%5.2s'",
    "'(a*)'",
    "'[^x]+'",
    "'>i4'",
    "'!8dlhs'",
    "'c0'",
    "'{\"a\":[1,null,-1e5]}'",
    "'\\0\\255'",
    "{}",
    "{1, 2, 3}",
    "{1, nil, 3}",
    "{a = 1, 2}",
    "{ok = 'fine'}",
    "{err = 'bad'}",
    "{double = 1.5}",
    "{map = {a = 1}}",
    "{set = {a = true}}",
    "{big_number = '12'}",
    "cjson.null",
    "KEYS",
    "ARGV",
    "ARGV[2]",
    "_G",
    "redis",
    "print",
    "string",
    "getmetatable('')",
    "function(...) return ... end",
    "('x'):rep(300)",
    "'\\130\\161a\\1'",
    "coroutine.create(print)",
];
const OPERATORS: &[&str] = &["+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", "and", "or"];
const VARIABLES: &[&str] = &["a", "b", "c"];
const DEPTH_MAX: usize = 5;
const STATEMENTS_MAX: usize = 12;

/// See the module.
pub struct Grammar<'d> {
    bytes: &'d [u8],
    /// Whether a script need not end by itself.
    may_be_endless: bool,
    depth: usize,
}

impl<'d> Grammar<'d> {
    pub fn new(bytes: &'d [u8], may_be_endless: bool) -> Self {
        Self {
            bytes,
            may_be_endless,
            depth: 0,
        }
    }

    /// What has not been used.
    pub fn rest(&self) -> &'d [u8] {
        self.bytes
    }

    pub fn script(&mut self) -> String {
        let body = self.block();
        let value = self.expression();
        format!("local a, b, c = 1, 'two', {{3}}\n{body}return {value}")
    }

    fn below(&mut self, n: usize) -> usize {
        let Some((&byte, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        usize::from(byte) % n
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }

    fn block(&mut self) -> String {
        self.depth += 1;
        let count = if self.depth > DEPTH_MAX || self.bytes.is_empty() {
            0
        } else {
            self.below(STATEMENTS_MAX / self.depth) + 1
        };
        let statements: Vec<String> = (0..count).map(|_| self.statement()).collect();
        self.depth -= 1;
        statements.concat()
    }

    fn statement(&mut self) -> String {
        let variable = self.one_of(VARIABLES);
        match self.below(14) {
            0 => format!("{variable} = {}\n", self.expression()),
            1 => format!(
                "if {} then\n{}else\n{}end\n",
                self.expression(),
                self.block(),
                self.block()
            ),
            2 => format!("for i = 1, {} do\n{}end\n", self.below(6), self.block()),
            3 if self.may_be_endless => format!("while {} do\n{}end\n", self.expression(), self.block()),
            4 => format!("for k, v in pairs({}) do\n{}end\n", self.expression(), self.block()),
            5 => format!(
                "local function f(...)\n{}return ... end\nf({})\n",
                self.block(),
                self.expression()
            ),
            6 => format!("{variable} = coroutine.wrap(function(...)\n{}end)\n", self.block()),
            7 => format!("pcall(function()\n{}end)\n", self.block()),
            8 if self.may_be_endless => format!("repeat\n{}until {}\n", self.block(), self.expression()),
            9 => format!("({variable})[{}] = {}\n", self.expression(), self.expression()),
            10 => format!("local {variable} = {}\n", self.call()),
            11 => format!("{variable} = {{{variable}, {variable}}}\n"),
            _ => format!("local _ = {}\n", self.command()),
        }
    }

    fn expression(&mut self) -> String {
        self.depth += 1;
        let choice = if self.depth > DEPTH_MAX { 0 } else { self.below(9) };
        let expression = match choice {
            0 | 1 => self.one_of(VALUES).to_owned(),
            2 => self.one_of(VARIABLES).to_owned(),
            3 => {
                let operator = self.one_of(OPERATORS);
                format!("({} {operator} {})", self.expression(), self.expression())
            }
            4 => format!("#({})", self.expression()),
            5 => format!("({})[{}]", self.expression(), self.expression()),
            6 => self.command(),
            _ => self.call(),
        };
        self.depth -= 1;
        expression
    }

    fn call(&mut self) -> String {
        let function = self.one_of(FUNCTIONS);
        let count = self.below(4);
        let arguments: Vec<String> = (0..count).map(|_| self.expression()).collect();
        match self.below(3) {
            0 => format!("{function}({})", arguments.join(", ")),
            _ if arguments.is_empty() => format!("pcall({function})"),
            _ => format!("pcall({function}, {})", arguments.join(", ")),
        }
    }

    fn command(&mut self) -> String {
        let (call, command) = (self.one_of(CALLS), self.one_of(COMMANDS));
        let words = command.split(", ").map(|word| match word {
            "V" => self.one_of(VALUES).to_owned(),
            "K" => self.one_of(KEYS).to_owned(),
            _ => word.to_owned(),
        });
        let words: Vec<String> = words.collect();
        match self.below(3) {
            0 => format!("{call}({})", words.join(", ")),
            _ => format!("pcall({call}, {})", words.join(", ")),
        }
    }
}
