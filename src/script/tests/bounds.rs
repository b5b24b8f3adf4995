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

/// What takes more memory, or more of the stacks of Lua and C, than there is; and what is small, and would be huge as
/// text.
const BOMBS: &[&str] = &[
    "local t = {} while true do t = {t} end",
    "local t = {} while true do local x = {} t[#t + 1] = function() return x end end",
    "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "local t = {} while true do t[#t + 1] = coroutine.wrap(function() coroutine.yield() end) t[#t]() end",
    "local function f(x) return f({x, f}) .. 'x' end f()",
    "local s = 'x' for _ = 1, 60 do s = s:gsub('.', '%0%0') end return #s",
    "local s = 'x' for _ = 1, 60 do s = string.format('%s%s', s, s) end return #s",
    "local s = ('x'):rep(1e6) for _ = 1, 60 do s = s:gsub('x', s) end return #s",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 500 do t[i] = '' end return #table.concat(t, s)",
    "return #(('x'):rep(4e7))",
    "local s = ('x'):rep(2e7) return #s:upper():reverse():lower():upper() .. s .. s .. s",
    // Tables that are there many times.
    "local t = {1} for _ = 1, 60 do t = {t, t} end return t",
    "local t = {1} for _ = 1, 60 do t = {map = {a = t, b = t}} end return t",
    "local t = 1 for _ = 1, 60 do t = {set = {[{t, t}] = true}} end return t",
    "local t = {ok = ('x'):rep(1e6)} for _ = 1, 10 do t = {t, t} end return t",
    "local t = {} t[1] = t t[2] = t return t",
    "local t = {1} for _ = 1, 60 do t = {t, t} end return cjson.encode(t)",
    "local t = {} for _ = 1, 60 do t = {a = t, b = t} end return cjson.encode(t)",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 500 do t[i] = s end return cjson.encode(t)",
    "return #cjson.encode(('\\1'):rep(1.5e7))",
    "local t = {} for _ = 1, 13 do local n = {} for i = 1, 100 do n[i] = t end t = n end return cmsgpack.pack(t)",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 500 do t[i] = s end return cmsgpack.pack(unpack(t))",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 500 do t[i] = s end return struct.pack(('s'):rep(500), unpack(t))",
    // Texts that are much smaller than what they stand for.
    "return cjson.decode('[' .. ('[],'):rep(3e6) .. '1]')",
    "return cjson.decode(('['):rep(1e6))",
    "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
    "return cmsgpack.unpack('\\221\\0\\64\\0\\0' .. ('\\144'):rep(4e6))",
    "return cmsgpack.unpack(('\\145'):rep(1e6))",
    "return struct.unpack(('b'):rep(20000), ('x'):rep(20000))",
    "return struct.pack('c99999999999', 'x')",
    "return string.char(unpack({}, 1, 1e6))",
    // Errors.
    "local function f() return 1 + f() end return f()",
    "local function f() pcall(f) error('x') end f()",
    "local function f() return select(2, pcall(error, setmetatable({}, {__tostring = f}))) .. f() end f()",
    "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
    "error(('x'):rep(3e7))",
    "error({err = ('x'):rep(3e7)})",
    "return redis.error_reply(('x'):rep(3e7))",
    "table.sort({3, 2, 1, 5, 4, 7, 6}, function() return true end) error('sorted')",
];

#[test]
fn bombs_end_with_an_error_and_leave_nothing() {
    let (mut vm, mut host) = (vm(), TestHost::default());
    // Small, as these take their time until they have filled it.
    let limit = 4 << 20;
    vm.set_memory_bytes_max(limit);
    for script in BOMBS {
        for proto in [Proto::Resp2, Proto::Resp3] {
            let reply = run_in(&mut vm, &mut host, proto, script);
            assert!(reply.starts_with('-'), "{script}: {reply:.200}");
            assert_eq!(run_in(&mut vm, &mut host, proto, "return 1"), ":1\r\n", "{script}");
            assert!(vm.memory_bytes() < limit, "{script}");
        }
    }
    vm.forget_all();
    assert!(vm.memory_bytes() < 4 << 20, "{}", vm.memory_bytes());
}

/// The writing of a reply asks whether the script may go on, too.
#[test]
fn a_reply_without_end_is_stopped() {
    let (mut vm, mut host) = (vm(), TestHost::default());
    host.is_stopping = true;
    let interrupter = vm.interrupter();
    let armer = std::thread::spawn(move || {
        // The script itself has ended by then.
        std::thread::sleep(Duration::from_millis(200));
        interrupter.arm();
    });
    let script = "local t = {1} for _ = 1, 60 do t = {t, t} end return t";
    assert_eq!(run_in(&mut vm, &mut host, Proto::Resp2, script), "stopped");
    armer.join().unwrap();
    assert_eq!(host.questions, 1);
    host.is_stopping = false;
    assert_eq!(run_in(&mut vm, &mut host, Proto::Resp2, "return 1"), ":1\r\n");
    assert_eq!(host.questions, 1, "nothing is left of it");
}

/// What may be made of values is bounded by what is left, and that is enough for what is no bomb.
#[test]
fn large_values_that_there_is_room_for_are_made() {
    for (script, reply) in [
        ("return #string.rep('x', 2e7)", ":20000000\r\n"),
        ("return #cjson.encode(('x'):rep(5e6))", ":5000002\r\n"),
        ("return #cmsgpack.pack(('x'):rep(5e6))", ":5000005\r\n"),
        ("for _ = 1, 20 do local s = ('x'):rep(2e7) end return 1", ":1\r\n"),
        (
            "for _ = 1, 20 do local s = cjson.encode(('x'):rep(5e6)) end return 1",
            ":1\r\n",
        ),
    ] {
        assert_eq!(run(script), reply, "{script}");
    }
    assert_eq!(run("return ('x'):rep(5e6)").len(), 5_000_000 + 12);
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
