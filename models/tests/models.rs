//! Runs the models.

use lokikv_models::{engine, net, session};

#[test]
fn gate_alone_beside_nobody() {
    engine::alone_beside_nobody();
}

#[test]
fn gate_from_a_pass_to_alone_and_back() {
    engine::from_a_pass_to_alone_and_back();
}

#[test]
fn held_in_opposite_directions() {
    session::in_opposite_directions();
}

#[test]
fn held_kept_and_then_both() {
    session::kept_and_then_both();
}

#[test]
fn ready_for_one_slot_from_two_threads() {
    net::for_one_slot_from_two_threads();
}

#[test]
fn ready_for_one_slot_again() {
    net::for_one_slot_again();
}

#[test]
fn ready_for_two_slots() {
    net::for_two_slots();
}
