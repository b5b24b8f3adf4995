//! The ACL categories of a command: those its spec lists, and those that follow from its flags.

use crate::commands::spec::{Spec, flag};

/// All categories, in the order in which COMMAND INFO shows them.
pub const CATEGORIES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// The categories of `spec`, without `@`, in the order of `CATEGORIES`.
pub fn categories(spec: &Spec) -> impl Iterator<Item = &'static str> {
    CATEGORIES.iter().copied().filter(|category| has(spec, category))
}

/// Whether `spec` belongs to `category`.
pub fn has(spec: &Spec, category: &str) -> bool {
    spec.acl.contains(&category)
        || match category {
            "read" => spec.has(flag::READONLY) && !spec.acl.contains(&"scripting"),
            "write" => spec.has(flag::WRITE),
            "admin" => spec.has(flag::ADMIN),
            "dangerous" => spec.has(flag::ADMIN),
            "pubsub" => spec.has(flag::PUBSUB),
            "fast" => spec.has(flag::FAST),
            "slow" => !spec.has(flag::FAST),
            "blocking" => spec.has(flag::BLOCKING),
            _ => false,
        }
}
