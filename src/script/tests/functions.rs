//! Libraries: what loading one allows and finds, and how functions are called.

use super::helper::{SETTINGS, TestHost};
use crate::resp::{Proto, Reply};
use crate::script::{Callee, LoadError, Loader, Registered, Stop, Vm};
use std::time::{Duration, Instant};

const LOADER: Loader = Loader {
    is_flag: |flag| flag == b"no-writes",
    limit: Duration::from_secs(10),
    is_quiet: true,
};

fn vm() -> Vm {
    Vm::for_functions(SETTINGS)
}

fn load(vm: &mut Vm, name: &str, body: &str) -> Result<Vec<Registered>, String> {
    load_by(LOADER, vm, name, body)
}

fn load_by(loader: Loader, vm: &mut Vm, name: &str, body: &str) -> Result<Vec<Registered>, String> {
    let code = format!("#!lua name={name}\n{body}");
    vm.load_library(name.as_bytes(), code.as_bytes(), loader)
        .map_err(|error| error.to_string())
}

fn register(vm: &mut Vm, name: &str, function: &str, body: &str) {
    let body = format!("redis.register_function('{function}', function(keys, args) {body} end)");
    assert_eq!(load(vm, name, &body).map(|functions| functions.len()), Ok(1));
}

fn call(vm: &mut Vm, library: &str, name: &str) -> String {
    let callee = Callee::Function {
        library: library.as_bytes(),
        name: name.as_bytes(),
    };
    let mut reply = Reply::new(Proto::Resp2);
    let ran = vm.run(
        callee,
        (&[b"k1"], &[b"a1", b"a2"]),
        &mut TestHost::default(),
        &mut reply,
    );
    match ran {
        Err(Stop) => "stopped".to_owned(),
        Ok(None) => "nothing".to_owned(),
        Ok(Some(_)) => String::from_utf8_lossy(&reply.to_vec()).into_owned(),
    }
}

#[test]
fn a_function_is_given_keys_and_arguments() {
    let mut vm = vm();
    register(&mut vm, "l", "f", "return {keys[1], #args, args[2]}");
    assert_eq!(call(&mut vm, "l", "f"), "*3\r\n$2\r\nk1\r\n:2\r\n$2\r\na2\r\n");
    assert_eq!(call(&mut vm, "l", "F"), "*3\r\n$2\r\nk1\r\n:2\r\n$2\r\na2\r\n");
    assert_eq!(call(&mut vm, "l", "g"), "nothing");
    assert_eq!(call(&mut vm, "m", "f"), "nothing");
}

#[test]
fn what_is_registered_is_told() {
    let registered = load(
        &mut vm(),
        "l",
        "redis.register_function{function_name='Named', description='d', flags={'NO-writes'}, callback=function() end}
         redis.register_function('plain', function() end)",
    );
    let expected = [
        (&b"Named"[..], Some(&b"d"[..]), &[&b"no-writes"[..]][..]),
        (b"plain", None, &[]),
    ];
    let expected = expected.map(|(name, description, flags)| Registered {
        name: name.to_vec(),
        description: description.map(<[u8]>::to_vec),
        flags: flags.iter().map(|flag| flag.to_vec()).collect(),
    });
    assert_eq!(registered, Ok(expected.to_vec()));
}

#[test]
fn only_loading_code_registers_and_only_functions_call() {
    let mut vm = vm();
    let missing = |name: &str| {
        Err(format!(
            "Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable '{name}'"
        ))
    };
    for (body, name) in [
        ("redis.call('ping')", "call"),
        ("local x = math", "math"),
        ("pcall(redis.log)", "pcall"),
        ("local x = KEYS", "KEYS"),
        ("server.log(1, 'x')", "server"),
    ] {
        assert_eq!(load(&mut vm, "l", body), missing(name), "{body}");
    }
    register(&mut vm, "l", "f", "return redis.call('ping')");
    assert_eq!(call(&mut vm, "l", "f"), "+PONG\r\n");
    register(&mut vm, "l", "f", "return type(redis.register_function)");
    assert_eq!(call(&mut vm, "l", "f"), "$3\r\nnil\r\n");
    assert!(load(&mut vm, "m", "redis.register_function('r', redis.register_function)").is_ok());
    assert_eq!(
        call(&mut vm, "m", "r"),
        "-ERR redis.register_function can only be called on FUNCTION LOAD command\r\n"
    );
}

#[test]
fn globals_are_those_of_nobody() {
    let mut vm = vm();
    let read_only = "Error registering functions: ERR user_function:2: Attempt to modify a readonly table";
    for body in [
        "x = 1",
        "function f() end",
        "redis.x = 1",
        "redis.register_function = 1",
    ] {
        assert_eq!(load(&mut vm, "l", body), Err(read_only.to_owned()), "{body}");
    }
    for body in ["x = 1", "_G.x = 1", "redis.x = 1", "string.x = 1"] {
        register(&mut vm, "l", "f", body);
        assert_eq!(
            call(&mut vm, "l", "f"),
            "-ERR user_function:2: Attempt to modify a readonly table script: f, on @user_function:2.\r\n",
            "{body}"
        );
    }
    // What a library keeps for itself is its own.
    load(
        &mut vm,
        "one",
        "local n = 0 redis.register_function('one', function() n = n + 1 return n end)",
    )
    .unwrap();
    load(
        &mut vm,
        "two",
        "local n = 9 redis.register_function('two', function() n = n + 1 return n end)",
    )
    .unwrap();
    assert_eq!(call(&mut vm, "one", "one"), ":1\r\n");
    assert_eq!(call(&mut vm, "two", "two"), ":10\r\n");
    assert_eq!(call(&mut vm, "one", "one"), ":2\r\n");
}

#[test]
fn one_that_loads_for_too_long_is_stopped() {
    let mut vm = vm();
    let soon = Loader {
        limit: Duration::from_millis(50),
        ..LOADER
    };
    let timeout = Err("Error registering functions: ERR FUNCTION LOAD timeout".to_owned());
    for body in [
        "while true do end",
        "local function g() return g() end g()",
        "redis.register_function('f', function() end) while true do end",
        "('x'):gsub('x', function() while true do end end)",
    ] {
        let since = Instant::now();
        assert_eq!(load_by(soon, &mut vm, "l", body), timeout, "{body}");
        assert!(since.elapsed() < Duration::from_secs(30));
    }
    register(&mut vm, "l", "f", "return 1");
    assert_eq!(call(&mut vm, "l", "f"), ":1\r\n");
}

#[test]
fn what_is_not_kept_is_freed() {
    let mut vm = vm();
    register(&mut vm, "l", "f", "return 1");
    let before = vm.memory_bytes();
    for _ in 0..200 {
        register(
            &mut vm,
            "m",
            "m",
            "return 'some text that takes memory while it is loaded, and no longer'",
        );
        vm.forget_library(b"m");
        let body = "redis.register_function('m', function() end) local x = nosuch";
        assert!(load(&mut vm, "m", body).is_err());
        assert_eq!(load(&mut vm, "m", ""), Err("No functions registered".to_owned()));
    }
    assert!(vm.memory_bytes() < before + 64_000, "{before} {}", vm.memory_bytes());
    assert_eq!(call(&mut vm, "l", "f"), ":1\r\n");
}

#[test]
fn neither_memory_nor_compiled_code_gets_in() {
    let mut vm = vm();
    let bomb = "local t = {} local s = ('x'):rep(1000000) for i = 1, 1e9 do t[i] = s .. i end";
    let failed = load(&mut vm, "l", bomb).unwrap_err();
    assert!(
        failed.contains("not enough memory") || failed.contains("timeout"),
        "{failed}"
    );
    let many = "local f = function() end local s = ('x'):rep(1000000) for i = 1, 1000 do
                redis.register_function{function_name='f' .. i, callback=f, description=s .. i} end";
    let failed = load(&mut vm, "l", many).unwrap_err();
    assert!(
        failed.contains("not enough memory") || failed.contains("timeout"),
        "{failed}"
    );
    let code = b"#!lua name=l\n\x1bLua";
    let error = vm.load_library(b"l", code, LOADER);
    assert!(matches!(error, Err(LoadError::Compile(_))), "{error:?}");
    register(&mut vm, "l", "f", "return 1");
    assert_eq!(call(&mut vm, "l", "f"), ":1\r\n");
}
