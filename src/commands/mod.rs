//! Every command: its spec beside its handler, one table per family.
