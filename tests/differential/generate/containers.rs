//! Commands on lists, sets and hashes.

use super::Generator;
use crate::args;
use crate::support::Args;

impl Generator {
    /// A key for containers; few of them, so that commands meet and types mix.
    pub fn container_key(&mut self) -> Vec<u8> {
        if self.rng.one_in(25) {
            return self.key();
        }
        let letter = *self.rng.pick(b"lsfz");
        format!("{}{}", letter as char, self.rng.below(4)).into_bytes()
    }

    pub fn key_of(&mut self, letter: char) -> Vec<u8> {
        if self.rng.one_in(20) {
            return self.container_key();
        }
        format!("{letter}{}", self.rng.below(4)).into_bytes()
    }

    /// An element, member or field: few of them, some like integers, some long.
    pub fn element(&mut self) -> Vec<u8> {
        match self.rng.below(12) {
            0 => self.value(),
            1 => format!("{:0>70}", self.rng.below(6)).into_bytes(),
            2..6 => (self.rng.below(24) as i64 - 8).to_string().into_bytes(),
            _ => format!("e{}", self.rng.below(20)).into_bytes(),
        }
    }

    fn elements(&mut self, args: &mut Args) {
        let count = if self.rng.one_in(40) {
            300
        } else {
            1 + self.rng.below(4)
        };
        for _ in 0..count {
            let element = if count > 10 {
                format!("many{}", self.rng.below(2000)).into_bytes()
            } else {
                self.element()
            };
            args.push(element);
        }
    }

    fn place(&mut self) -> String {
        match self.rng.below(20) {
            0 => self.integer(),
            _ => self.small_count(),
        }
    }

    /// A small number: how many elements by chance, of which a huge negative number would fill the memory of both
    /// servers.
    pub fn small_count(&mut self) -> String {
        (self.rng.below(14) as i64 - 7).to_string()
    }

    /// Any command of the list family, but for what would wait.
    pub fn list_command(&mut self) -> Args {
        let key = self.key_of('l');
        match self.rng.below(28) {
            0..7 => {
                let mut args = args![self.option(&["LPUSH", "RPUSH", "RPUSH", "LPUSHX", "RPUSHX"]), key];
                self.elements(&mut args);
                args
            }
            7..10 => args!["LRANGE", key, self.place(), self.place()],
            10 => args!["LLEN", key],
            11 | 12 => args!["LINDEX", key, self.place()],
            13 | 14 => args!["LSET", key, self.small_count(), self.element()],
            15 | 16 => {
                let place = self.option(&["BEFORE", "AFTER", "before", "MIDDLE"]);
                args!["LINSERT", key, place, self.element(), self.element()]
            }
            17 | 18 => args!["LREM", key, self.place(), self.element()],
            19 => args!["LTRIM", key, self.place(), self.place()],
            20 | 21 => {
                let mut args = args![self.option(&["LPOP", "RPOP"]), key];
                if self.rng.one_in(2) {
                    args.push(self.place().into_bytes());
                }
                args
            }
            22 | 23 => {
                let (from, to) = (self.option(&["LEFT", "RIGHT"]), self.option(&["LEFT", "RIGHT", "UP"]));
                args!["LMOVE", key, self.key_of('l'), from, to]
            }
            24 => args!["RPOPLPUSH", key, self.key_of('l')],
            25 => {
                let end = self.option(&["LEFT", "RIGHT"]);
                args!["LMPOP", "2", key, self.key_of('l'), end, "COUNT", self.place()]
            }
            _ => {
                let mut args = args!["LPOS", key, self.element()];
                for name in ["RANK", "COUNT", "MAXLEN"] {
                    if self.rng.one_in(3) {
                        args.extend(args![name, self.place()]);
                    }
                }
                args
            }
        }
    }

    /// Any command of the set family whose outcome is not left to chance.
    pub fn set_command(&mut self) -> Args {
        let key = self.key_of('s');
        match self.rng.below(22) {
            0..6 => {
                let mut args = args!["SADD", key];
                self.elements(&mut args);
                args
            }
            6..9 => {
                let mut args = args!["SREM", key];
                self.elements(&mut args);
                args
            }
            9 => args!["SCARD", key],
            10 => args!["SISMEMBER", key, self.element()],
            11 => args!["SMISMEMBER", key, self.element(), self.element()],
            12 => args!["SMEMBERS", key],
            13 => args!["SMOVE", key, self.key_of('s'), self.element()],
            14..16 => {
                let name = self.option(&["SDIFF", "SINTER", "SUNION"]);
                self.keys_of_sets(args![name])
            }
            16..19 => {
                let name = self.option(&["SDIFFSTORE", "SINTERSTORE", "SUNIONSTORE"]);
                self.keys_of_sets(args![name, key])
            }
            19 => args!["SINTERCARD", "2", key, self.key_of('s'), "LIMIT", self.place()],
            20 => args!["SRANDMEMBER", key, self.small_count()],
            _ => args!["SPOP", key, self.option(&["0", "100000", "-1", "x"])],
        }
    }

    fn keys_of_sets(&mut self, mut args: Args) -> Args {
        args.extend((0..=self.rng.below(3)).map(|_| self.key_of('s')));
        args
    }

    /// Any command of the hash family that Redis 7.0 has.
    pub fn hash_command(&mut self) -> Args {
        let key = self.key_of('f');
        match self.rng.below(26) {
            0..7 => {
                let mut args = args![self.option(&["HSET", "HSET", "HMSET"]), key];
                let count = if self.rng.one_in(40) {
                    150
                } else {
                    1 + self.rng.below(3)
                };
                for at in 0..count {
                    let field = if count > 10 {
                        format!("f{at}").into_bytes()
                    } else {
                        self.element()
                    };
                    args.push(field);
                    args.push(self.value());
                }
                args
            }
            7 => args!["HSETNX", key, self.element(), self.value()],
            8..11 => {
                let mut args = args!["HDEL", key];
                self.elements(&mut args);
                args
            }
            11..13 => args!["HGET", key, self.element()],
            13 => args!["HMGET", key, self.element(), self.element()],
            14 => args!["HGETALL", key],
            15 => args![self.option(&["HKEYS", "HVALS"]), key],
            16 => args!["HLEN", key],
            17 => args!["HEXISTS", key, self.element()],
            18 => args!["HSTRLEN", key, self.element()],
            19..22 => args!["HINCRBY", key, self.element(), self.integer()],
            22..24 => args!["HINCRBYFLOAT", key, self.element(), self.float()],
            24 => args!["HRANDFIELD", key, self.small_count()],
            _ => args!["HSCAN", key, "0", "COUNT", "100000"],
        }
    }
}
