//! Scripts that Redis 8.2.3 has replied to: we reply the same, byte for byte.
//!
//! In `redis-8.2.txt` each script is followed by the reply, whose bytes are escaped. Scripts run one after the other;
//! the settings of `cjson` that one changes are not there for the next, unlike in Redis.

use super::helper::{TestHost, run_raw, vm};
use crate::resp::Proto;
use crate::script::Sha1;

const RECORDED: &str = include_str!("redis-8.2.txt");

#[test]
fn replies_are_those_of_redis() {
    let mut lines = RECORDED.lines();
    let (mut vm, mut host) = (vm(), TestHost::default());
    let (mut count, mut differences) = (0, Vec::new());
    while let (Some(script), Some(expected)) = (lines.next(), lines.next()) {
        let reply = run_raw(&mut vm, &mut host, Proto::Resp2, script);
        let reply = reply
            .escape_ascii()
            .to_string()
            .replace(&Sha1::of(script.as_bytes()).to_string(), "SHA");
        if reply != expected {
            differences.push(format!("{script}\n  Redis {expected}\n  we    {reply}"));
        }
        count += 1;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(count > 600, "{count}");
}
