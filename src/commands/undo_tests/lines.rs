//! Random commands that change something, of all types.
//!
//! In a template `$s`, `$l`, … stand for keys that mostly have a type, `$a` for any key, `F` for a field or member, `V`
//! for a value, `N` for a number, `T` for a time in milliseconds, `I` for a new id of a stream and `O` for an old one.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// What all begins with.
pub const FIRST: &[&str] = &["XGROUP CREATE x0 g $ MKSTREAM", "XGROUP CREATE x1 g 0 MKSTREAM"];

const TEMPLATES: &[&str] = &[
    // Strings, bitmaps, HyperLogLogs.
    "SET $s V",
    "SET $s N",
    "SET $s V PX T",
    "SET $s V KEEPTTL",
    "SET $a V NX",
    "SET $s V GET",
    "SET $s V IFEQ V",
    "SET $s V IFNE V PX T",
    "SET $a V IFDNE 0123456789abcdef",
    "DELEX $a",
    "DELEX $s IFNE V",
    "DELIFEQ $s V",
    "GETSET $s V",
    "GETDEL $s",
    "GETEX $s PX T",
    "GETEX $s PERSIST",
    "SETRANGE $s N V",
    "SETRANGE $s 140000 V",
    "APPEND $s V",
    "APPEND $s N",
    "INCR $n",
    "INCRBY $n N",
    "DECRBY $n N",
    "INCRBYFLOAT $n 1.5",
    "MSET $s V $s V $n N",
    "MSETNX $s V $a V",
    "MSETEX 2 $s V $a V PX T",
    "MSETEX 2 $s V $n N XX KEEPTTL",
    "INCREX $n BYINT N PX T ENX",
    "INCREX $n BYFLOAT 0.5 UBOUND 10 SATURATE PERSIST",
    "INCREX $n EXAT 1",
    "PSETEX $s T V",
    "SETBIT $b N 1",
    "SETBIT $b 1500000 1",
    "BITFIELD $b SET u8 N 200 INCRBY i16 100 7",
    "BITOP XOR $b $b $s",
    "BITOP NOT $b $b",
    "BITOP DIFF $b $b $s",
    "BITOP ONE $b $b $s $s",
    "PFADD $p F F F",
    "PFADD $p F",
    "PFMERGE $p $p $p",
    "PFCOUNT $p",
    // Lists.
    "RPUSH $l V F N",
    "LPUSH $l V V V V",
    "LPUSHX $l F",
    "LPOP $l 2",
    "RPOP $l",
    "LMPOP 2 $l $l LEFT COUNT 30",
    "LMOVE $l $l LEFT RIGHT",
    "RPOPLPUSH $l $l",
    "LMOVEM $l $l LEFT LEFT COUNT 3 OBO",
    "LMOVEM $l $l RIGHT LEFT COUNT 40 BULK",
    "BLMOVEM $l $l LEFT RIGHT 1 EXACTLY 2 OBO",
    "LSET $l -1 V",
    "LINSERT $l BEFORE F V",
    "LREM $l 0 F",
    "LTRIM $l 1 N",
    "SORT $l ALPHA STORE $l",
    "BLPOP $l 1",
    "BLMOVE $l $l LEFT LEFT 1",
    // Sets.
    "SADD $t F F F",
    "SADD $t N",
    "SADD $t V V",
    "SREM $t F F",
    "SPOP $t 2",
    "SPEXPIRE $t T MEMBERS 2 F F",
    "SPEXPIRE $t 0 MEMBERS 1 F",
    "SPERSIST $t MEMBERS 1 F",
    "SADDEX $t PX T MEMBERS 2 F F",
    "SADDEX $t MXX MEMBERS 1 F",
    "SMOVE $t $t F",
    "SUNIONSTORE $t $t $t",
    "SINTERSTORE $t $t $t",
    "SDIFFSTORE $t $t $t",
    // Hashes.
    "HSET $h F V F V",
    "HSET $h F N",
    "HSETNX $h F V",
    "HDEL $h F F",
    "HINCRBY $h F N",
    "HINCRBYFLOAT $h F 0.25",
    "HPEXPIRE $h T FIELDS 2 F F",
    "HPEXPIRE $h 0 FIELDS 1 F",
    "HPERSIST $h FIELDS 1 F",
    "HGETDEL $h FIELDS 1 F",
    "HGETEX $h PX T FIELDS 1 F",
    "HSETEX $h PX T FIELDS 1 F V",
    "HSETEX $h XX FNX FIELDS 2 F V F V",
    // Sorted sets, positions.
    "ZADD $z N F N F",
    "ZADD $z GT CH N F",
    "ZADD $z INCR 1 F",
    "ZINCRBY $z N F",
    "ZPEXPIRE $z T MEMBERS 2 F F",
    "ZPEXPIRE $z 0 MEMBERS 1 F",
    "ZPERSIST $z MEMBERS 1 F",
    "ZREM $z F F",
    "ZPOPMIN $z 2",
    "ZPOPMAX $z",
    "ZMPOP 2 $z $z MIN COUNT 40",
    "BZPOPMIN $z 1",
    "ZREMRANGEBYRANK $z 0 1",
    "ZREMRANGEBYSCORE $z 0 N",
    "ZREMRANGEBYLEX $z [F [zz",
    "ZRANGESTORE $z $z 0 -1",
    "ZUNIONSTORE $z 2 $z $t",
    "ZINTERSTORE $z 2 $z $z",
    "ZUNIONSTORE $z 2 $z $t AGGREGATE COUNT",
    "ZDIFFSTORE $z 2 $z $z",
    "GEOADD $g 13.3 38.1 F 15.0 37.5 F",
    "GEOSEARCHSTORE $g $g FROMLONLAT 15 37 BYRADIUS 200 km",
    "GEOSEARCHSTORE $g $g BYPOLYGON 3 12 39 18 39 15 36",
    // Streams.
    "XADD $x I F V",
    "XADD $x MAXLEN 20 I F V F V",
    "XADD $x * F V",
    "XADD $x IDMP F F * F V",
    "XADD $x IDMPAUTO F MAXLEN 20 * F V",
    "XCFGSET $x IDMP-MAXSIZE 3",
    "XIDMPRECORD $x F F O",
    "XNACK $x g SILENT IDS 2 O O",
    "XNACK $x g FATAL IDS 2 O O FORCE",
    "XDEL $x O",
    "XDELEX $x DELREF IDS 2 O O",
    "XDELEX $x ACKED IDS 2 O O",
    "XACKDEL $x g IDS 2 O O",
    "XACKDEL $x g ACKED IDS 2 O O",
    "XTRIM $x MAXLEN 5",
    "XTRIM $x MAXLEN 5 DELREF",
    "XTRIM $x MAXLEN 5 ACKED",
    "XSETID $x 9-0",
    "XGROUP CREATE $x h 0 MKSTREAM",
    "XGROUP SETID $x g 0",
    "XGROUP CREATECONSUMER $x g F",
    "XGROUP DELCONSUMER $x g F",
    "XGROUP DESTROY $x h",
    "XREADGROUP GROUP g F COUNT 3 STREAMS $x >",
    "XACK $x g O O",
    "XCLAIM $x g F 0 O",
    "XAUTOCLAIM $x g F 0 0 COUNT 5",
    // Vector sets.
    "VADD $v VALUES 3 N N N F",
    "VADD $v VALUES 3 N N N F EF 20 SETATTR V",
    "VADD $v VALUES 3 N N N F SETATTR V",
    "VADD $v VALUES 3 N 1 N F",
    "VREM $v F",
    "VREM $v F",
    "VSETATTR $v F V",
    // Keys.
    "DEL $a $a",
    "UNLINK $a",
    "PEXPIRE $a T",
    "PEXPIRE $a 0",
    "PEXPIREAT $a 4000000000000",
    "RENAME $a $a",
    "RENAMENX $a $a",
    "COPY $a $a REPLACE",
    "COPY $a $a DB 1 REPLACE",
    "MOVE $a 1",
    "TYPE $a",
    "TOUCH $a",
    "SCAN 0",
    "RANDOMKEY",
    // Whole collections.
    "FLUSHDB",
    "FLUSHALL",
    "SWAPDB 0 1",
    "SWAPDB 0 1",
    "COLLECTION CREATE more",
    "DELCOL more",
];

/// Letters of keys, with how many there are of each.
const KEYS: &[(char, u64)] = &[
    ('s', 6),
    ('n', 3),
    ('b', 3),
    ('p', 3),
    ('l', 5),
    ('t', 5),
    ('h', 5),
    ('z', 5),
    ('g', 2),
    ('x', 3),
    ('v', 3),
];

/// See the module.
pub struct Lines {
    random: SmallRng,
    ids: u64,
}

impl Lines {
    pub fn new(seed: u64) -> Self {
        Self {
            random: SmallRng::seed_from_u64(!seed),
            ids: 0,
        }
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.random.random_range(0..n)
    }

    /// A command.
    pub fn next(&mut self) -> String {
        let template = TEMPLATES[self.below(TEMPLATES.len() as u64) as usize];
        self.of(template)
    }

    /// Each command a few times.
    pub fn of_each(&mut self) -> Vec<String> {
        let each = TEMPLATES.iter().flat_map(|template| [*template; 6]);
        each.map(|template| self.of(template)).collect()
    }

    fn of(&mut self, template: &str) -> String {
        let words = template.split(' ').map(|word| self.word(word));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Commands that make a big container of each type, and a long string.
    pub fn big(&mut self) -> Vec<String> {
        let mut lines = vec!["SETRANGE s0 300000 end".to_owned()];
        for n in 0..2_000 {
            let text = "x".repeat(n % 150);
            lines.push(format!("RPUSH l0 {n}{text}"));
            lines.push(format!("SADD t0 {n}{text}"));
            lines.push(format!("HSET h0 f{n} {text}{n}"));
            lines.push(format!("ZADD z0 {n} m{n}{text}"));
            if n < 200 {
                lines.push(format!("VADD v0 VALUES 3 {n} {} 50 f{n}", n * 7 % 100));
            }
            lines.push(format!("XADD x2 1-{} f {text}{n}", n + 1));
        }
        lines.push("XGROUP CREATE x2 g 0".to_owned());
        lines.push("XREADGROUP GROUP g F COUNT 500 STREAMS x2 >".to_owned());
        lines
    }

    fn word(&mut self, word: &str) -> String {
        match word {
            "V" => self.value(),
            "F" => format!("f{}", self.below(40)),
            "[F" => format!("[f{}", self.below(40)),
            "N" => self.below(700).to_string(),
            "T" => (1 + self.below(5_000)).to_string(),
            "I" => {
                self.ids += 1;
                format!("2-{}", self.ids)
            }
            "O" => format!("2-{}", self.below(self.ids + 1)),
            _ => match word.strip_prefix('$').and_then(|word| word.chars().next()) {
                Some(letter) => self.key(letter),
                None => word.to_owned(),
            },
        }
    }

    fn key(&mut self, letter: char) -> String {
        let is_any = letter == 'a' || self.below(20) == 0;
        let (letter, count) = match KEYS.iter().find(|(known, _)| *known == letter && !is_any) {
            Some(known) => *known,
            None => KEYS[self.below(KEYS.len() as u64) as usize],
        };
        format!("{letter}{}", self.below(count))
    }

    fn value(&mut self) -> String {
        let len = match self.below(60) {
            0 => 150_000,
            1 => 5_000,
            2..6 => self.below(600),
            _ => self.below(30),
        };
        format!("v{}{}", self.below(10), "y".repeat(len as usize))
    }
}
