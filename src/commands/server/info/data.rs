//! The keyspace section.

use super::lines::{Lines, View};
use crate::state::figures::slots;

pub(super) fn keyspace(view: &View<'_>, lines: &mut Lines) {
    // Collections with names are in the section of our own: clients read `db<number>` here.
    for slot in slots(&view.server.engine).iter().filter(|slot| slot.id.is_numbered()) {
        let sums = slot.collection.sums();
        if sums.keys > 0 {
            lines.put(
                &format!("db{}", slot.id),
                format!("keys={},expires={},avg_ttl=0", sums.keys, sums.expires),
            );
        }
    }
}
