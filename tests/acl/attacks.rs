//! Attempts to get around rights, from `attacks.txt`: each has to get the answer that stands behind it. A connection
//! that is closed by the server where no step says so is a failure, too.

use std::path::Path;

use crate::script::{Scenario, Side, What, parse};
use crate::support::{Server, Value, text};

/// Attempts there have to be.
const ATTEMPTS_MIN: usize = 60;

/// An answer as the list writes it.
fn shown(value: &Value) -> String {
    match value {
        Value::Error(bytes) | Value::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Null | Value::NullArray => "nil".to_owned(),
        other => other.to_string(),
    }
}

fn fits(answer: &str, wanted: &str) -> bool {
    match wanted.strip_suffix("...") {
        Some(begin) => answer.starts_with(begin),
        None => answer == wanted,
    }
}

fn take(scenario: &Scenario, server: &Server) -> Vec<String> {
    let mut side = Side::new(server, 2);
    let mut faults = Vec::new();
    for step in &scenario.steps {
        let answer = match side.take(step) {
            Ok(value) => shown(&value),
            Err(error) => error,
        };
        let what = match &step.what {
            What::Call(args) => text::join(args),
            What::Closes => "!".to_owned(),
        };
        let wanted = match (&step.what, &step.wanted) {
            (What::Closes, _) => "OK",
            (_, Some(wanted)) => wanted,
            // What only prepares must not fail.
            (_, None)
                if answer == "closed"
                    || answer.starts_with(|first: char| first.is_ascii_uppercase()) && answer.contains(' ') =>
            {
                "no error"
            }
            (_, None) => continue,
        };
        if !fits(&answer, wanted) {
            faults.push(format!(
                "{} (line {}): {what}\n   wanted: {wanted}\n   got:    {answer}\n",
                scenario.title, step.line
            ));
        }
    }
    faults
}

#[test]
fn every_attack_gets_its_answer() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acl/attacks.txt");
    let scenarios = parse(&std::fs::read_to_string(path).unwrap());
    let steps = scenarios.iter().flat_map(|scenario| &scenario.steps);
    let attempts = steps
        .filter(|step| step.wanted.is_some() || matches!(step.what, What::Closes))
        .count();
    assert!(attempts >= ATTEMPTS_MIN, "{attempts} attempts");
    let server = Server::lokikv(&["wal.fsync=no", "checkpoint.interval_s=0"]);
    let mut faults = Vec::new();
    for scenario in &scenarios {
        let mut conn = server.connect();
        let users: Vec<String> = conn.call(&["ACL", "USERS"]).items().iter().map(Value::text).collect();
        for user in users.iter().filter(|user| *user != "default") {
            conn.call(&["ACL", "DELUSER", user]);
        }
        assert_eq!(conn.call(&["FLUSHALL"]).text(), "OK");
        faults.extend(take(scenario, &server));
    }
    assert!(faults.is_empty(), "{}", faults.concat());
    eprintln!("{attempts} attempts");
}
