//! Which entries a trim takes away: whole nodes if it is approximate, so that nothing has to be looked at.

use super::big::BigStream;
use super::id::StreamId;

/// What is to stay of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// So many entries.
    MaxLen(u64),
    /// Those with this id and above.
    MinId(StreamId),
}

impl BigStream {
    /// How many entries a trim takes away from the front. With `approximate`, none but whole nodes, and no more than
    /// `limit` entries (0 = any number). O(what it takes away).
    pub fn count_to_trim(&self, trim: Trim, approximate: bool, limit: u64) -> u64 {
        let mut gone = 0;
        for node in self.entries().nodes() {
            let here = u64::from(node.live());
            let left = self.len() - gone;
            if matches!(trim, Trim::MaxLen(kept) if left <= kept) || limit > 0 && gone + here > limit {
                break;
            }
            let is_whole = match trim {
                Trim::MaxLen(kept) => left - here >= kept,
                Trim::MinId(first) => node.last_id() < first,
            };
            if is_whole {
                gone += here;
                continue;
            }
            if !approximate {
                gone += match trim {
                    Trim::MaxLen(kept) => left - kept,
                    Trim::MinId(first) => node
                        .entries()
                        .take_while(|entry| entry.id < first)
                        .filter(|entry| !entry.is_deleted)
                        .count() as u64,
                };
            }
            break;
        }
        gone
    }
}
