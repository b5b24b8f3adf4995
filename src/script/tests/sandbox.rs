//! What scripts can reach, and what not.

use super::helper::{TestHost, run, run_in, run3, vm};
use crate::resp::Proto;

#[test]
fn a_script_returns_what_it_computes() {
    assert_eq!(run("return 1"), ":1\r\n");
    assert_eq!(
        run("return {KEYS[1], ARGV[2], 3.9, false}"),
        "*4\r\n$2\r\nk1\r\n$2\r\na2\r\n:3\r\n$-1\r\n"
    );
    assert_eq!(
        run3("redis.setresp(3) return {map={a=true}}"),
        "%1\r\n$1\r\na\r\n#t\r\n"
    );
}

#[test]
fn all_that_outlives_a_script_is_read_only() {
    let (mut vm, mut host) = (vm(), TestHost::default());
    let raised = "-ERR user_script:1: Attempt to modify a readonly table script: SHA, on @user_script:1.\r\n";
    for script in [
        "x=1",
        "_G.x=1",
        "redis.foo=1",
        "string.foo=1",
        "getmetatable('').__index=nil",
        "KEYS=1",
    ] {
        assert_eq!(run_in(&mut vm, &mut host, Proto::Resp2, script), raised, "{script}");
    }
    let raised = "-ERR Attempt to modify a readonly table script: SHA, on @user_script:1.\r\n";
    for script in [
        "rawset(redis,'a',1)",
        "rawset(_G,'a',1)",
        "table.insert(redis,1)",
        "setmetatable(redis,{})",
        "setmetatable(_G,nil)",
        "setmetatable(getmetatable(''),{})",
    ] {
        assert_eq!(run_in(&mut vm, &mut host, Proto::Resp2, script), raised, "{script}");
    }
}
