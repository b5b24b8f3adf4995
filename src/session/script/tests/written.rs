//! Scripts to be ended: random ones that call commands of all types, and some by hand.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::commands::undo_tests::lines::Lines;

/// Commands of a random script, at most.
const COMMANDS_MAX: u64 = 14;
/// What no script can do under the locks of its keys.
const NEED_MORE: &[&str] = &["FLUSH", "SWAPDB", "COLLECTION", "DELCOL", "SCAN", "RANDOMKEY", "MOVE"];

/// By hand: each does to big and small containers what random commands rarely do together.
pub const BY_HAND: &[&str] = &[
    // A big container of each type shrinks until it is small, or gone, and grows again.
    "for i = 1, 4 do redis.call('LTRIM', 'l0', 0, -2 - i * 400) redis.call('ZREMRANGEBYRANK', 'z0', 0, i * 300) end
     redis.call('DEL', 'h0') for i = 1, 5 do redis.call('HSET', 'h0', 'f' .. i, ('v'):rep(i * 9000)) end
     redis.call('SPOP', 't0', 1990) redis.call('SADD', 't0', 'last') redis.call('XTRIM', 'x2', 'MAXLEN', 3)
     redis.call('SETRANGE', 's0', 200000, ('z'):rep(70000)) redis.call('SETRANGE', 's0', 0, 'a')",
    // Renamed over each other, in a circle, with expiries.
    "for i = 1, 3 do redis.call('RENAME', 'l0', 'tmp') redis.call('RENAME', 'h0', 'l0') redis.call('RENAME', 'tmp', 'h0')
     redis.call('PEXPIRE', 'l0', 5000 * i) end redis.call('PERSIST', 'l0') redis.call('COPY', 'h0', 'new', 'REPLACE')
     redis.call('DEL', 'h0') redis.call('RPUSH', 'h0', 'x') redis.call('PEXPIRE', 'h0', 0)",
    // Computes between its changes, and catches what goes wrong.
    "local n = 0 for i = 1, 5 do redis.pcall('LPUSH', 's0', 'x') redis.call('APPEND', 's0', 'more')
     for j = 1, 1500 do n = n + j % 7 end pcall(redis.call, 'INCR', 's0')
     redis.call('ZADD', 'z0', n, 'm' .. i, -n, 'other' .. i) end return n",
    // What others wait for comes and goes, and comes.
    "redis.call('RPUSH', 'wanted:list', 'a', 'b') redis.call('LPOP', 'wanted:list', 2)
     redis.call('RPUSH', 'wanted:list', 'c') redis.call('ZADD', 'wanted:zset', 1, 'm')
     redis.call('XADD', 'wanted:stream', '5-1', 'f', 'v') redis.call('RENAME', 'wanted:list', 'elsewhere')
     redis.call('PUBLISH', 'channel', 'message') redis.call('RPUSH', 'wanted:list', 'd')",
    // Many keys, so that pages split and merge.
    "for i = 1, 60 do redis.call('MSET', 'many:' .. i, i, 'more:' .. i, ('y'):rep(i)) end
     for i = 1, 60, 3 do redis.call('DEL', 'many:' .. i) redis.call('RENAME', 'more:' .. i, 'many:' .. i) end",
    // A flush in the middle, and data in another database.
    "redis.call('SET', 's1', 'w') redis.call('FLUSHALL') redis.call('SET', 's1', 'x') redis.call('SELECT', 1)
     redis.call('RPUSH', 'l0', 'in1') redis.call('SWAPDB', 0, 1) redis.call('RPUSH', 'l1', 'y')
     redis.call('FLUSHDB') redis.call('SET', 's1', 'z')",
];

/// See the module.
pub struct Scripts {
    lines: Lines,
    random: SmallRng,
}

impl Scripts {
    pub fn new(seed: u64) -> Self {
        Self {
            lines: Lines::new(seed),
            random: SmallRng::seed_from_u64(seed),
        }
    }

    pub fn lines(&mut self) -> &mut Lines {
        &mut self.lines
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.random.random_range(0..n)
    }

    /// A random script; `is_within`: whose calls mostly need nothing but keys.
    pub fn next(&mut self, is_within: bool) -> String {
        let mut script = String::from("local n = 0\n");
        for _ in 0..1 + self.below(COMMANDS_MAX) {
            let line = self.lines.next();
            if is_within && NEED_MORE.iter().any(|name| line.starts_with(name)) {
                continue;
            }
            let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
            let call = words.join(", ");
            script += &match self.below(8) {
                0 => format!("for i = 1, 3 do n = n + 1 redis.pcall({call}) end\n"),
                1 => format!("pcall(redis.call, {call})\n"),
                2 => format!("for i = 1, 900 do n = n + i end redis.pcall({call})\n"),
                3 => format!("coroutine.wrap(function() redis.pcall({call}) end)()\n"),
                _ => format!("redis.pcall({call})\n"),
            };
        }
        script + "return n"
    }
}
