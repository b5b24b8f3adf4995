//! Generated users and calls: what the server allows, in every way to make a call, is what the model says.
//!
//! Each user's calls are made as requests, in transactions, by scripts and functions, and asked about by `ACL DRYRUN`
//! and `redis.acl_check_cmd`.

use crate::args;
use crate::model::{Call, Denied, User};
use crate::support::{Args, Conn, Rng, Server, Value, env_number, seed, text};

/// Checks, unless `LOKIKV_CHECKS` says otherwise.
const CHECKS_DEFAULT: u64 = 20_000;
/// Calls that each user makes, each in several ways.
const CALLS: usize = 200;

/// Makes each of the calls that it is given, and tells which were denied: 1, or else 0. Words are preceded by their
/// number.
const SCRIPT: &str = "local made, at = {}, 1 \
     while at <= #ARGV do \
       local count = tonumber(ARGV[at]) \
       local words = {unpack(ARGV, at + 1, at + count)} \
       at = at + 1 + count \
       local answer = redis.pcall(unpack(words)) \
       local error = type(answer) == 'table' and answer.err or '' \
       made[#made + 1] = string.find(error, 'ACL failure in script', 1, true) and 1 or 0 \
     end \
     return made";

const ASKING: &str = "local made, at = {}, 1 \
     while at <= #ARGV do \
       local count = tonumber(ARGV[at]) \
       made[#made + 1] = redis.acl_check_cmd(unpack(ARGV, at + 1, at + count)) and 0 or 1 \
       at = at + 1 + count \
     end \
     return made";

/// What the users need to make calls in these ways; behind all other rules.
const WAYS: [&str; 6] = ["+eval", "+fcall", "+multi", "+exec", "+discard", "+ping"];

fn packed(calls: &[Call]) -> Args {
    let words = |call: &Call| [vec![call.args.len().to_string().into_bytes()], call.args.clone()].concat();
    calls.iter().flat_map(words).collect()
}

fn is_denied(answer: &Value) -> Option<Denied> {
    let text = answer.text();
    if !answer.is_error() || !text.starts_with("NOPERM") {
        return None;
    }
    Some(if text.contains("access a key") {
        Denied::Key
    } else if text.contains("access a channel") {
        Denied::Channel
    } else {
        Denied::Command
    })
}

/// A way to make calls, and which of them were denied, with the reason where that is told.
type Way = (
    &'static str,
    fn(&mut Conn, &mut Conn, &[Call]) -> Vec<Option<Option<Denied>>>,
);

const ALL_WAYS: [Way; 6] = [
    ("requests", |conn, _, calls| {
        let requests: Vec<Args> = calls.iter().map(|call| call.args.clone()).collect();
        let answers = conn.pipeline(&requests).unwrap();
        answers.iter().map(|answer| is_denied(answer).map(Some)).collect()
    }),
    ("transactions", |conn, _, calls| {
        let mut found = Vec::new();
        // Those that are queued run, so that they are judged twice.
        let mut requests = vec![args!["MULTI"]];
        requests.extend(calls.iter().map(|call| call.args.clone()));
        requests.push(args!["EXEC"]);
        let answers = conn.pipeline(&requests).unwrap();
        found.extend(
            answers[1..=calls.len()]
                .iter()
                .map(|answer| is_denied(answer).map(Some)),
        );
        let executed = answers.last().unwrap().items();
        let denied = executed.iter().filter(|answer| is_denied(answer).is_some()).count();
        assert_eq!(denied, 0, "{executed:?}");
        found
    }),
    ("scripts", |conn, _, calls| {
        by_script(conn, args!["EVAL", SCRIPT, "0"], calls)
    }),
    ("functions", |conn, _, calls| {
        by_script(conn, args!["FCALL", "make", "0"], calls)
    }),
    ("acl_check_cmd", |conn, _, calls| {
        by_script(conn, args!["EVAL", ASKING, "0"], calls)
    }),
    ("dry runs", |_, admin, calls| {
        let dry = |call: &Call| [args!["ACL", "DRYRUN", "u"], call.args.clone()].concat();
        let requests: Vec<Args> = calls.iter().map(dry).collect();
        let answers = admin.pipeline(&requests).unwrap();
        let reason = |answer: &Value| {
            let text = answer.text();
            match text.as_str() {
                "OK" => None,
                _ if text.ends_with("' key") => Some(Some(Denied::Key)),
                _ if text.ends_with("' channel") => Some(Some(Denied::Channel)),
                _ if text.ends_with("' command") && text.starts_with("User u ") => Some(Some(Denied::Command)),
                _ => panic!("{text}"),
            }
        };
        answers.iter().map(reason).collect()
    }),
];

fn by_script(conn: &mut Conn, head: Args, calls: &[Call]) -> Vec<Option<Option<Denied>>> {
    let answer = conn.call(&[head, packed(calls)].concat());
    let made = answer.items();
    assert_eq!(made.len(), calls.len(), "{answer}");
    made.iter()
        .map(|denied| (denied.int() == Some(1)).then_some(None))
        .collect()
}

/// Has a user make calls in all ways; how many checks that were.
fn check_user(server: &Server, admin: &mut Conn, rng: &mut Rng) -> u64 {
    let user = User::random(rng);
    let rules = user.words();
    let mut set = args!["ACL", "SETUSER", "u", "reset", "on", "nopass"];
    set.extend(rules.iter().map(|rule| rule.as_bytes().to_vec()));
    assert_eq!(admin.call(&set), Value::ok(), "{}", text::join(&set));
    // What is shown of it makes the same user.
    let shown = admin.call(&["ACL", "LIST"]);
    let line = shown
        .items()
        .iter()
        .map(Value::text)
        .find(|line| line.starts_with("user u "))
        .unwrap();
    let mut again = args!["ACL", "SETUSER", "u", "reset"];
    again.extend(line.split(' ').skip(2).map(|word| word.as_bytes().to_vec()));
    assert_eq!(admin.call(&again), Value::ok(), "{line}");
    assert_eq!(admin.call(&["ACL", "LIST"]), shown);
    let mut ways = args!["ACL", "SETUSER", "u"];
    ways.extend(WAYS.map(|way| way.as_bytes().to_vec()));
    admin.call(&ways);
    let mut conn = server.connect();
    assert_eq!(conn.call(&["AUTH", "u", "x"]), Value::ok());
    let calls: Vec<Call> = (0..CALLS).map(|_| Call::random(rng)).collect();
    for (name, make) in ALL_WAYS {
        // Half a transaction at a time, so that some of them run.
        let size = if name == "transactions" {
            1 + rng.below(3)
        } else {
            CALLS
        };
        let denied: Vec<_> = calls
            .chunks(size)
            .flat_map(|calls| make(&mut conn, admin, calls))
            .collect();
        for (call, denied) in calls.iter().zip(&denied) {
            let wanted = user.judge(call).err();
            let is_right = match denied {
                None => wanted.is_none(),
                Some(None) => wanted.is_some(),
                Some(reason) => wanted == *reason,
            };
            let call = text::join(&call.args);
            assert!(
                is_right,
                "{name}: {call}\n wanted {wanted:?}, got {denied:?}\n of {rules:?}\n {line}"
            );
        }
    }
    (CALLS * ALL_WAYS.len()) as u64
}

#[test]
fn users_may_do_what_the_model_says() {
    let (seed, wanted) = (seed(), env_number("LOKIKV_CHECKS", CHECKS_DEFAULT));
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0"]);
    let mut admin = server.connect();
    let library = format!("#!lua name=l\nredis.register_function('make', function(KEYS, ARGV) {SCRIPT} end)");
    assert_eq!(admin.call(&["FUNCTION", "LOAD", &library]).text(), "l");
    let (mut checks, mut users) = (0, 0);
    while checks < wanted {
        let mut rng = Rng::new(seed.wrapping_add(users));
        checks += check_user(&server, &mut admin, &mut rng);
        users += 1;
    }
    eprintln!("{checks} checks of {users} users");
}
