//! The ACL categories of a command: those its spec lists, and those that follow from its flags.

use crate::acl::CATEGORIES;
use crate::commands::spec::{Spec, flag};

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
