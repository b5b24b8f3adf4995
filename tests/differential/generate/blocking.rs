//! Commands that wait: for a moment, since nobody serves them meanwhile.

use super::Generator;
use crate::args;
use crate::support::Args;

/// Whether the command could wait.
pub fn waits(args: &Args) -> bool {
    let waiting = |arg: &Vec<u8>| arg.eq_ignore_ascii_case(b"block");
    [b"BL", b"BR", b"BZ"].iter().any(|start| args[0].starts_with(*start)) || args.iter().any(waiting)
}

impl Generator {
    /// Any command that takes what is there and waits if there is nothing.
    pub fn blocking_command(&mut self) -> Args {
        let (list, zset) = (self.key_of('l'), self.key_of('z'));
        let timeout = self.timeout();
        match self.rng.below(9) {
            0 => args!["BLPOP", list, self.key_of('l'), timeout],
            1 => args!["BRPOP", self.container_key(), list, timeout],
            2 => {
                let (from, to) = (self.option(&["LEFT", "RIGHT"]), self.option(&["LEFT", "RIGHT"]));
                args!["BLMOVE", list, self.key_of('l'), from, to, timeout]
            }
            3 => args!["BRPOPLPUSH", list, self.key_of('l'), timeout],
            4 => {
                let end = self.option(&["LEFT", "RIGHT", "UP"]);
                args![
                    "BLMPOP",
                    timeout,
                    "2",
                    list,
                    self.key_of('l'),
                    end,
                    "COUNT",
                    self.small_count()
                ]
            }
            5 => args![
                self.rng.pick(&["BZPOPMIN", "BZPOPMAX"]),
                zset,
                self.key_of('z'),
                timeout
            ],
            6 => {
                let end = self.option(&["MIN", "MAX", "MID"]);
                args![
                    "BZMPOP",
                    timeout,
                    "2",
                    zset,
                    self.key_of('z'),
                    end,
                    "COUNT",
                    self.small_count()
                ]
            }
            7 => args![
                "XREAD",
                "BLOCK",
                "2",
                "STREAMS",
                self.stream_key(),
                self.option(&["$", "0", "399-5"])
            ],
            _ => {
                let mut args = args!["XREADGROUP", "GROUP", self.group(), self.consumer(), "BLOCK", "2"];
                args.extend(args!["STREAMS", self.stream_key(), ">"]);
                args
            }
        }
    }

    fn timeout(&mut self) -> &'static str {
        const WRONG: &[&str] = &["-1", "x", "", "nan", "-0.1"];
        if self.rng.one_in(12) {
            self.rng.pick::<&str>(WRONG)
        } else {
            self.rng.pick::<&str>(&["0.001", "0.002", "1e-3"])
        }
    }
}
