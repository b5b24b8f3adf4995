//! Functions of Lua's library that are ours: they can be stopped in the middle, and what they make is bounded.

use super::helper::{SETTINGS, TestHost, run, run_in, vm};
use crate::resp::Proto;
use crate::script::{Settings, Vm};
use std::time::Duration;

/// A few numbers and many nils, of which Lua says that they are 671 million elements.
const LONG: &str = "local t, i = {1, 2}, 5 t[4] = 1 while i < 2^30 do t[i] = 1 i = i * 2 end ";

/// Runs a script that somebody interrupts all the time.
fn run_interrupted(host: &mut TestHost, script: &str) -> String {
    let mut vm = vm();
    let interrupter = vm.interrupter();
    interrupter.arm();
    let (ended, wait) = std::sync::mpsc::channel::<()>();
    let armer = std::thread::spawn(move || {
        while wait.recv_timeout(Duration::from_millis(2)).is_err() {
            interrupter.arm();
        }
    });
    let reply = run_in(&mut vm, host, Proto::Resp2, script);
    ended.send(()).unwrap();
    armer.join().unwrap();
    assert_eq!(
        run_in(&mut vm, &mut TestHost::default(), Proto::Resp2, "return 1"),
        ":1\r\n"
    );
    reply
}

/// Each of these is one call that takes minutes at least.
#[test]
fn a_long_call_is_stopped_in_the_middle() {
    let text = "local s = ('a'):rep(40000) ";
    let sets = "local set = '[' .. ('b'):rep(40000) .. 'a]' ";
    for script in [
        format!("{text} return s:find('.-.-.-.-b')"),
        format!("{text} return s:match(('a*'):rep(20) .. 'b')"),
        format!("{text} return s:gsub('[^b]-%w+.-a*b', 'x')"),
        format!("{text} for _ in s:gmatch('.-.-.-.-b') do end"),
        format!("{text} while true do pcall(string.find, s, '.-.-.-.-b') end"),
        format!("{text} coroutine.wrap(function() s:find('.-.-.-.-b') end)()"),
        format!("{text} return s:gsub('a', function() s:find('.-.-.-.-b') end)"),
        "return ('('):rep(1e6):find('%b()')".into(),
        "local s = ('a'):rep(1e6) return (s .. 'b' .. s .. 'c'):find('(a*).-%1.-%1.-d')".into(),
        format!("{text} {sets} return s:find(set:rep(9) .. 'b')"),
        "return table.insert({}, -2147483648, 1)".into(),
        format!("{LONG} return table.insert(t, 1, 1)"),
        format!("{LONG} return table.remove(t, 1)"),
        format!("{LONG} return table.sort(t, pcall)"),
        format!("{LONG} return table.foreachi(t, math.randomseed)"),
        "return loadstring(('x=1 '):rep(1e7))".into(),
    ] {
        let mut host = TestHost {
            is_stopping: true,
            ..TestHost::default()
        };
        assert_eq!(run_interrupted(&mut host, &script), "stopped", "{script}");
        assert_eq!(host.questions, 1, "{script}");
    }
}

/// Those whose length is bounded by memory ask, too.
#[test]
fn a_long_call_asks_and_goes_on() {
    for script in [
        "local t = {} for i = 1, 1e5 do t[i] = i end collectgarbage() return 1",
        "local t = {} for i = 1, 1e5 do t[i] = 'x' end table.concat(t) return 1",
        "local t = {} for i = 1, 1e5 do t[i] = -i end table.sort(t) return t[1] + 100001",
        "local t = {} for i = 1, 1e5 do t[i] = 1 end table.foreach(t, math.randomseed) return 1",
        "local n = select(2, ('a'):rep(1e5):gsub('a', tostring)) return n - 99999",
        "string.format('%q', ('a'):rep(1e6)) return 1",
        "local t = {} for i = 1, 1e5 do t[i] = i end cjson.decode(cjson.encode(t)) return 1",
        "local t = {} for i = 1, 1e5 do t[i] = i end cmsgpack.unpack(cmsgpack.pack(t)) return 1",
        "local n = select(2, ('a'):rep(1e5):gsub('a', {a = 'b'})) return n - 99999",
        "local n = 0 for _ in ('a'):rep(1e5):gmatch('.') do n = n + 1 end return n - 99999",
    ] {
        let mut asked = TestHost::default();
        assert_eq!(run_interrupted(&mut asked, script), ":1\r\n", "{script}");
        assert!(asked.questions > 5, "{script}: {}", asked.questions);
    }
}

#[test]
fn what_calls_make_is_bounded() {
    let mut vm = Vm::new(Settings {
        memory_bytes_max: 8 << 20,
        ..SETTINGS
    });
    let mut run = |script: &str| run_in(&mut vm, &mut TestHost::default(), Proto::Resp2, script);
    let text = "local s, t, z = ('x'):rep(1e5), {}, {}
        for i = 1, 100 do t[i] = s end for i = 1, 10 do z[i] = ('\\0'):rep(3e5) end";
    let raised = "*2\r\n$-1\r\n$17\r\nnot enough memory\r\n";
    for call in [
        "s:gsub('x', ('y'):rep(1000))",
        "s:gsub('x', ('%0'):rep(1000))",
        "s:gsub('', s)",
        "s:gsub('x', function() return s end)",
        "s:gsub('x', {x = s})",
        "s:rep(20):match('(.(.(.(.(.*)))))')",
        "s:rep(20):find('(.(.(.(.(.*)))))')",
        "s:rep(20):gmatch('(.(.(.(.(.*)))))')()",
        "table.concat({s, s, s, s}, s:rep(20))",
        "s:rep(1000)",
        "string.format(('%s'):rep(100), unpack(t))",
        "string.format('%q%q%q%q%q%q%q%q%q%q', unpack(z))",
        "cjson.encode(t)",
        "cjson.encode(z)",
        "cmsgpack.pack(t)",
        "cmsgpack.pack(unpack(t))",
        "cjson.decode('[' .. ('1,'):rep(1e6) .. '1]')",
        "cjson.decode('[' .. ('{},'):rep(3e5) .. '1]')",
        "cmsgpack.unpack('\\221\\0\\255\\255\\255' .. ('\\1'):rep(1.7e6))",
        "struct.pack(('s'):rep(100), unpack(t))",
    ] {
        assert_eq!(
            run(&format!("{text} return {{pcall(function() return {call} end)}}")),
            raised,
            "{call}"
        );
    }
    let script = format!("{text} for i = 1, 100 do s:upper() s:lower() s:reverse() s:gsub('x+', 'y') end return #s");
    assert_eq!(run(&script), ":100000\r\n");
}

/// What is left to try is on no stack of a thread's.
#[test]
fn deep_patterns_match_or_are_refused() {
    let script = |items: &str| {
        format!("local ok, n, e = pcall(string.find, ('a'):rep(300000), ('a?'):rep({items})) return {{tostring(n), e}}")
    };
    assert_eq!(run(&script("200000")), "*2\r\n$1\r\n1\r\n:200000\r\n");
    assert_eq!(run(&script("300000")), "*1\r\n$19\r\npattern too complex\r\n");
    let nested = "local function f(n) return (('x'):gsub('x', function() return f(n + 1) end)) end";
    assert!(run(&format!("{nested} return f(1)")).contains("C stack overflow"));
    assert!(
        run("local t = {} t.__index = function(_, k) return (k:gsub('.', t)) end setmetatable(t, t) return t.x")
            .contains("overflow")
    );
}

/// An error leaves nothing behind of what was being made.
#[test]
fn errors_jump_out_of_calls() {
    let script = "for i = 1, 300 do
        pcall(string.gsub, ('x'):rep(1e5), 'x', function() error('no') end)
        pcall(string.gsub, ('x'):rep(1e5), '^x*()', function() return {} end)
        pcall(table.sort, {1, 2, 3}, function() error('no') end)
        pcall(table.foreach, {1, 2, 3}, function() error('no') end)
    end return 1";
    let mut vm = vm();
    assert_eq!(
        run_in(&mut vm, &mut TestHost::default(), Proto::Resp2, script),
        ":1\r\n"
    );
    vm.forget_all();
    assert!(vm.memory_bytes() < 1 << 20, "{}", vm.memory_bytes());
}
