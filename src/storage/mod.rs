//! The only door to files: a small trait, so that tests can stop the world at any sync point.
