//! Libraries as such, and through scopes: what is logged of them, counted, and taken back.

use std::sync::Arc;

use super::{Libraries, Library, OVERHEAD_BYTES};

#[test]
fn names_are_in_order_and_bytes_are_counted() {
    let mut libraries = Libraries::default();
    for (name, code) in [("b", "12"), ("a", "1"), ("c", ""), ("a", "4321")] {
        libraries.put(Arc::new(Library::new(name.as_bytes(), code.as_bytes())));
    }
    let names: Vec<_> = libraries.iter().map(|library| library.name[0]).collect();
    assert_eq!((names, libraries.len()), (b"abc".to_vec(), 3));
    assert_eq!(libraries.get(b"a").map(|library| &*library.code), Some(&b"4321"[..]));
    assert_eq!(libraries.bytes(), 3 * OVERHEAD_BYTES + 3 + 6);
    assert!(libraries.delete(b"a") && !libraries.delete(b"a"));
    assert_eq!(libraries.bytes(), 2 * OVERHEAD_BYTES + 2 + 2);
}

#[test]
fn every_state_has_a_number_of_its_own() {
    let library = |code: &[u8]| Arc::new(Library::new(b"a", code));
    let mut libraries = Libraries::default();
    libraries.put(library(b"1"));
    let before = libraries.clone();
    libraries.put(library(b"2"));
    let taken_back = libraries.changes();
    let mut libraries = before.clone();
    assert_eq!(libraries.changes(), before.changes());
    libraries.put(library(b"3"));
    assert!(libraries.changes() != taken_back && libraries.changes() != before.changes());
    assert_ne!(Libraries::none().changes(), Libraries::none().changes());
}
