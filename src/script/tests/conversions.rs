//! Replies become values, and values replies.

use super::helper::{TestHost, run, run_in, run3, vm};
use crate::resp::Proto;
use crate::script::LogLevel;

#[test]
fn replies_become_values_and_replies_again() {
    let script = |reply: &str| format!("redis.setresp(3) return redis.call('raw', '{reply}')");
    for reply in [
        "+OK\\r\\n",
        ":-5\\r\\n",
        "$2\\r\\na\\0\\r\\n",
        "*2\\r\\n:1\\r\\n$0\\r\\n\\r\\n",
        "%1\\r\\n$1\\r\\na\\r\\n*0\\r\\n",
        "~1\\r\\n:1\\r\\n",
        ",1.5\\r\\n",
        "#t\\r\\n",
        "#f\\r\\n",
        "(123\\r\\n",
        "=7\\r\\ntxt:abc\\r\\n",
        "_\\r\\n",
    ] {
        let expected = reply.replace("\\r\\n", "\r\n").replace("\\0", "\0");
        assert_eq!(run3(&script(reply)), expected);
    }
    assert_eq!(run("return redis.call('raw', '$-1\\r\\n')"), "$-1\r\n");
    assert_eq!(run("return type(redis.call('raw', '*-1\\r\\n'))"), "$7\r\nboolean\r\n");
    assert_eq!(
        run3("redis.setresp(3) return type(redis.call('raw', '_\\r\\n'))"),
        "$3\r\nnil\r\n"
    );
}

#[test]
fn tables_grow_as_those_of_redis() {
    let of = |reply: &str, script: &str| {
        run(&format!(
            "redis.setresp(3) local reply = redis.call('raw', '{reply}') {script}"
        ))
    };
    for (nulls, len) in [
        ("_\\r\\n:2\\r\\n", 0),
        (":1\\r\\n_\\r\\n:3\\r\\n", 1),
        (":1\\r\\n:2\\r\\n:3\\r\\n", 3),
    ] {
        let count = nulls.matches("\\n").count();
        assert_eq!(
            of(&format!("*{count}\\r\\n{nulls}"), "return #reply"),
            format!(":{len}\r\n"),
            "{nulls}"
        );
    }
    let members = (0..18).map(|n| format!("m{n}"));
    let members: String = members
        .map(|name| format!("${}\\r\\n{name}\\r\\n", name.len()))
        .collect();
    let listed = "local t = {} for k in pairs(reply.set) do t[#t + 1] = k end return table.concat(t, ' ')";
    assert_eq!(
        of(&format!("~18\\r\\n{members}"), listed),
        "$61\r\nm12 m16 m11 m15 m10 m8 m14 m17 m9 m13 m3 m2 m1 m0 m4 m5 m6 m7\r\n"
    );
}

#[test]
fn a_reply_that_is_none_becomes_nil_and_not_the_end() {
    for reply in [
        "",
        "*3\\r\\n",
        "$9\\r\\nab",
        "%2\\r\\n_\\r\\n",
        "%1\\r\\n,nan\\r\\n:1\\r\\n",
        "*99999999999\\r\\n",
        "?x\\r\\n",
    ] {
        run3(&format!("redis.setresp(3) return redis.call('raw', '{reply}')"));
    }
    let deep = "('*1\\r\\n'):rep(100000)";
    assert!(run3(&format!("return redis.call('raw', {deep})")).starts_with("-ERR "));
}

#[test]
fn what_is_nested_too_deep_becomes_an_error() {
    let reply = run("local t = {} t[1] = t return t");
    assert!(reply.ends_with("-ERR reached lua stack limit\r\n"));
    assert!(reply.len() > 1_000);
}

#[test]
fn commands_get_strings_and_numbers() {
    let (mut vm, mut host) = (vm(), TestHost::default());
    run_in(
        &mut vm,
        &mut host,
        Proto::Resp2,
        "redis.pcall('x', 1, 1.5, -0, 1e100, 'a\\0b', 10000000000000000)",
    );
    let expected = [&b"x"[..], b"1", b"1.5", b"0", b"1e+100", b"a\0b", b"10000000000000000"];
    assert_eq!(host.calls, [expected.map(<[u8]>::to_vec)]);
    assert_eq!(
        run("return redis.pcall()"),
        "-ERR Please specify at least one argument for this redis lib call\r\n"
    );
    assert_eq!(
        run("return redis.pcall({})"),
        "-ERR Lua redis lib command arguments must be strings or integers\r\n"
    );
    assert_eq!(run("return redis.call('proto')"), ":2\r\n");
    assert_eq!(run("redis.setresp(3) return redis.call('proto')"), ":3\r\n");
}

#[test]
fn doubles_that_are_integers_are_written_in_full() {
    for (number, digits) in [
        ("1e17", "100000000000000000"),
        ("-2^60", "-1152921504606846976"),
        ("2^62", "4611686018427387904"),
        ("2^63", "9223372036854776000"),
        ("1e19", "1e+19"),
        ("-0.0", "-0"),
        ("0.5", "0.5"),
    ] {
        assert_eq!(run3(&format!("return {{double={number}}}")), format!(",{digits}\r\n"));
    }
}

#[test]
fn the_first_of_a_replys_fields_says_what_it_is() {
    let fields = "big_number='1', verbatim_string={format='txt', string='x'}, map={}, set={}";
    assert_eq!(run3(&format!("return {{{fields}}}")), "(1\r\n");
    assert_eq!(
        run3("return {verbatim_string={format='txt', string='x'}, map={}}"),
        "=5\r\ntxt:x\r\n"
    );
    assert_eq!(run3("return {map={}, set={}}"), "%0\r\n");
}

#[test]
fn errors_say_where() {
    let at = "script: SHA, on @user_script:1.\r\n";
    assert_eq!(run("redis.call('wrong')"), format!("-WRONGTYPE Operation {at}"));
    assert_eq!(run("return redis.pcall('wrong')"), "-WRONGTYPE Operation\r\n");
    assert_eq!(run("error('boom')"), format!("-ERR user_script:1: boom {at}"));
    assert_eq!(run("error({err='MY boom'})"), format!("-MY boom {at}"));
    assert_eq!(run("error({})"), format!("-ERR unknown error {at}"));
    assert_eq!(run("error({err=5.5})"), format!("-5.5 {at}"));
    assert_eq!(run("error()"), format!("-ERR nil {at}"));
    assert_eq!(
        run("return {pcall(redis.call, 'wrong')}"),
        "*2\r\n$-1\r\n$19\r\nWRONGTYPE Operation\r\n"
    );
    assert_eq!(run("x x"), "!user_script:1: '=' expected near 'x'");
    let raised = "-ERR line 2 script: SHA, on @user_script:2.\r\n";
    assert_eq!(run("#!lua flags=no-writes\nerror('line 2', 0)"), raised);
}

#[test]
fn a_script_says_things_to_the_log() {
    let (mut vm, mut host) = (vm(), TestHost::default());
    run_in(
        &mut vm,
        &mut host,
        Proto::Resp2,
        "redis.log(redis.LOG_WARNING, 'a', 1, {}, 'b')",
    );
    assert_eq!(host.log, [(LogLevel::Warning, b"a 1 b".to_vec())]);
}

#[test]
fn server_is_redis() {
    assert_eq!(run("return server.call('ping')"), "+PONG\r\n");
    assert_eq!(
        run("return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM}"),
        "*2\r\n$5\r\n8.2.3\r\n:524803\r\n"
    );
    assert_eq!(run("return redis.acl_check_cmd('ping')"), ":1\r\n");
    assert_eq!(
        run("return redis.sha1hex('')"),
        "$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n"
    );
}
