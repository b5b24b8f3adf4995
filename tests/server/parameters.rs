//! Every parameter that CONFIG SET takes has an effect, and is shown to have it.
//!
//! **Invariant:** a parameter that the server lets be set and that [`EFFECTS`] does not name fails the test; so does
//! one whose effect cannot be seen.

#[path = "parameters/acl.rs"]
mod acl;
#[path = "parameters/durability.rs"]
mod durability;
#[path = "parameters/limits.rs"]
mod limits;
#[path = "parameters/server.rs"]
mod server;
#[path = "parameters/tls.rs"]
mod tls;
#[path = "parameters/values.rs"]
mod values;

use crate::support::Value;
use crate::{await_that, call, in_memory, set};

/// A parameter, and what shows that setting it has an effect.
type Effect = (&'static str, fn());

const EFFECTS: &[&[Effect]] = &[
    acl::EFFECTS,
    durability::EFFECTS,
    limits::EFFECTS,
    server::EFFECTS,
    tls::EFFECTS,
    values::EFFECTS,
];

fn run(effects: &[Effect]) {
    for (parameter, effect) in effects {
        eprintln!("{parameter}");
        effect();
    }
}

#[test]
fn durability_parameters_have_effects() {
    run(durability::EFFECTS);
}

#[test]
fn limits_have_effects() {
    run(limits::EFFECTS);
}

#[test]
fn parameters_of_the_server_have_effects() {
    run(server::EFFECTS);
}

#[test]
fn parameters_of_users_have_effects() {
    run(acl::EFFECTS);
}

#[test]
fn parameters_of_tls_have_effects() {
    run(tls::EFFECTS);
}

#[test]
fn parameters_of_values_have_effects() {
    run(values::EFFECTS);
}

#[test]
fn every_parameter_that_can_be_set_is_here() {
    let server = in_memory();
    let mut conn = server.connect();
    let known: Vec<&str> = EFFECTS.iter().copied().flatten().map(|(name, _)| *name).collect();
    let all = call(&mut conn, "CONFIG GET *.*").pairs();
    assert!(all.len() > 50, "{all:?}");
    for (name, value) in all {
        let (name, value) = (name.text(), value.text());
        let reply = conn.call(&["CONFIG", "SET", &name, &value]);
        let is_settable = reply == Value::ok();
        assert!(is_settable || reply.text().contains("can't set"), "{name}: {reply}");
        assert_eq!(known.contains(&name.as_str()), is_settable, "{name}");
    }
}
