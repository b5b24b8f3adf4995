//! What ends a script, and that nothing a script does ends the server.

use super::helper::{SETTINGS, TestHost, run, run_in, vm};
use crate::resp::{Proto, Reply};
use crate::script::{Callee, Sha1, Stop, Vm};
use std::time::Duration;

#[test]
fn memory_is_bounded_and_comes_back() {
    let (mut vm, mut host) = (vm(), TestHost::default());
    for script in [
        "return #string.rep('x', 1e10)",
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "return #table.concat({string.rep('x', 4e7), string.rep('y', 4e7)})",
        "return loadstring('return {' .. ('{},'):rep(5e6) .. '}')()",
    ] {
        let reply = run_in(&mut vm, &mut host, Proto::Resp2, script);
        assert!(reply.starts_with('-'), "{script}: {reply:.200}");
        assert_eq!(run_in(&mut vm, &mut host, Proto::Resp2, "return 1"), ":1\r\n");
    }
    vm.forget_all();
    assert!(vm.memory_bytes() < 4 << 20, "{}", vm.memory_bytes());
}

#[test]
fn want_of_memory_can_be_caught_by_the_script() {
    let script = "return {pcall(function() local t = {} while true do t[#t + 1] = {} end end)}";
    assert_eq!(run(script), "*2\r\n$-1\r\n$17\r\nnot enough memory\r\n");
}

/// Each of these has to end although it does not itself: somebody interrupts it, and the host says stop.
#[test]
fn a_script_that_does_not_end_is_stopped() {
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() pcall(f) return f() end f()",
        "local co = coroutine.wrap(function() while true do end end) co()",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "while true do pcall(coroutine.wrap(function() pcall(function() while true do end end) end)) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "return setmetatable({}, {__index = function(t, k) return t[k] end}).x",
    ] {
        let (mut vm, mut host) = (
            vm(),
            TestHost {
                is_stopping: true,
                ..TestHost::default()
            },
        );
        let interrupter = vm.interrupter();
        let (ended, wait) = std::sync::mpsc::channel::<()>();
        let armer = std::thread::spawn(move || {
            while wait.recv_timeout(Duration::from_millis(5)).is_err() {
                interrupter.arm();
            }
        });
        let reply = run_in(&mut vm, &mut host, Proto::Resp2, script);
        ended.send(()).unwrap();
        armer.join().unwrap();
        assert!(reply == "stopped" || reply.contains("overflow"), "{script}: {reply}");
        assert_eq!(
            run_in(&mut vm, &mut TestHost::default(), Proto::Resp2, "return 1"),
            ":1\r\n"
        );
    }
}

#[test]
fn a_script_that_may_go_on_does() {
    let (mut vm, mut host) = (vm(), TestHost::default());
    vm.interrupter().arm();
    let script = "local n = 0 for i = 1, 1e5 do n = n + i end return n";
    assert_eq!(run_in(&mut vm, &mut host, Proto::Resp2, script), ":5000050000\r\n");
    assert!(host.questions > 10);
    let asked = host.questions;
    run_in(&mut vm, &mut host, Proto::Resp2, script);
    assert_eq!(host.questions, asked, "the next script was not interrupted");
}

#[test]
fn nobody_is_asked_after_a_stop() {
    let script = "pcall(redis.call, 'stop') pcall(redis.call, 'ping') return 1";
    let (mut vm, mut host) = (vm(), TestHost::default());
    assert_eq!(run_in(&mut vm, &mut host, Proto::Resp2, script), "stopped");
    assert_eq!(host.calls.len(), 1);
}

#[test]
fn an_interrupter_outlives_its_scripts() {
    let interrupter = vm().interrupter();
    interrupter.arm();
}

/// CVE-2025-49844: the name of a chunk was freed while it was being parsed.
#[test]
fn names_of_chunks_stay_while_they_are_parsed() {
    let script = "for i = 1, 200 do
        collectgarbage('step', 1000)
        local name = ('n'):rep(100 + i)
        local f, message = loadstring(('local x = {} '):rep(50) .. ' x x', name .. i)
        if f or not message:find('nnn', 1, true) then return message end
        load(function() collectgarbage() return nil end, name)
    end return 'good'";
    assert_eq!(run(script), "$4\r\ngood\r\n");
}

/// CVE-2025-46817: how many results `unpack` has overflowed.
#[test]
fn unpack_counts_without_overflow() {
    let raised = "-ERR user_script:1: too many results to unpack script: SHA, on @user_script:1.\r\n";
    for range in ["1, 2147483647", "-2147483648, 2147483647", "0, 2147483647", "1, 8000"] {
        assert_eq!(run(&format!("return unpack({{1, 2}}, {range})")), raised, "{range}");
    }
    assert_eq!(run("return {unpack({1, 2, 3}, 2)}"), "*2\r\n:2\r\n:3\r\n");
    assert_eq!(run("return select('#', unpack({}, 1, 7000))"), ":7000\r\n");
    assert_eq!(run("return select('#', unpack({}, 2147483640, 2147483647))"), ":8\r\n");
}

/// CVE-2025-46818: what a script puts into the metatable of strings served all others.
#[test]
fn basic_types_keep_their_metatables() {
    let (mut vm, mut host) = (vm(), TestHost::default());
    for script in [
        "getmetatable('').__add = function() return 1 end return 1",
        "rawset(getmetatable(''), '__add', 1)",
        "getmetatable('').__index.upper = 1",
        "rawset(getmetatable('').__index, 'upper', 1)",
        "getmetatable(getmetatable('')).__newindex = nil",
        "getmetatable(_G).__index = nil",
        "local mt = getmetatable('') for k, v in pairs(mt) do rawset(v, 'x', 1) end",
    ] {
        let reply = run_in(&mut vm, &mut host, Proto::Resp2, script);
        assert!(reply.starts_with('-'), "{script}: {reply}");
    }
    assert_eq!(
        run_in(&mut vm, &mut host, Proto::Resp2, "return ('x'):upper()"),
        "$1\r\nX\r\n"
    );
}

#[test]
fn compiled_code_is_refused() {
    let script = "local f, e = loadstring(string.dump(function() return 1 end)) return {tostring(f), e}";
    assert!(run(script).contains("unexpected symbol near 'char(27)'"));
    let script = "local s = string.dump(function() end) local f = load(function() local r = s s = nil return r end) return tostring(f)";
    assert_eq!(run(script), "$3\r\nnil\r\n");
    let mut vm = Vm::new(SETTINGS);
    assert!(vm.load(Sha1::of(b""), b"\x1bLua").is_err());
}

#[test]
fn an_unknown_script_is_none() {
    let mut vm = vm();
    let ran = vm.run(
        Callee::Script(Sha1::of(b"")),
        (&[], &[]),
        &mut TestHost::default(),
        &mut Reply::new(Proto::Resp2),
    );
    assert_eq!(ran, Ok::<_, Stop>(None));
    assert!(!vm.has(Sha1::of(b"")));
}
