//! The operations on streams as effects carry them.

use serde::{Deserialize, Serialize};

use super::id::StreamId;

/// A change to a stream. Those that name a group or an entry that is not there do nothing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum StreamOp<'a> {
    /// There is a stream.
    Create,
    /// An entry is appended; the stream is made if there is none.
    Add {
        /// Its id, above all before.
        id: StreamId,
        /// Field, value, field, value, …, packed.
        #[serde(borrow, with = "serde_bytes")]
        fields: &'a [u8],
    },
    /// Entries are deleted by name.
    Delete {
        /// Their ids, 16 bytes each.
        #[serde(borrow, with = "serde_bytes")]
        ids: &'a [u8],
    },
    /// The first so many entries go.
    Trim {
        /// How many.
        count: u64,
    },
    /// What the stream remembers of ids is this.
    SetId {
        /// The highest one ever given.
        last_id: StreamId,
        /// The highest one ever deleted.
        max_deleted_id: StreamId,
        /// How many were ever added.
        entries_added: u64,
    },
    /// There is a group.
    GroupCreate {
        /// Its name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// The last id delivered.
        last_id: StreamId,
        /// How many entries it has read, if that is known.
        entries_read: Option<u64>,
    },
    /// A group has read up to here.
    GroupSetId {
        /// Its name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// The last id delivered.
        last_id: StreamId,
        /// How many entries it has read, if that is known.
        entries_read: Option<u64>,
    },
    /// A group goes.
    GroupDestroy {
        /// Its name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
    },
    /// A consumer was heard of; it is made if there is none.
    ConsumerSeen {
        /// The group's name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// The consumer's name.
        #[serde(borrow, with = "serde_bytes")]
        consumer: &'a [u8],
        /// When, Unix milliseconds.
        at_ms: u64,
    },
    /// A consumer goes, and what is pending for it.
    ConsumerDelete {
        /// The group's name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// The consumer's name.
        #[serde(borrow, with = "serde_bytes")]
        consumer: &'a [u8],
    },
    /// New entries were delivered to a consumer, which is made if there is none.
    Deliver {
        /// The group's name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// The consumer's name.
        #[serde(borrow, with = "serde_bytes")]
        consumer: &'a [u8],
        /// When, Unix milliseconds.
        at_ms: u64,
        /// The last id delivered.
        last_id: StreamId,
        /// How many entries the group has read now, if that is known.
        entries_read: Option<u64>,
        /// The ids that are pending now, 16 bytes each.
        #[serde(borrow, with = "serde_bytes")]
        ids: &'a [u8],
    },
    /// Entries are pending for a consumer, which is made if there is none, as they say.
    Claim {
        /// The group's name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// The consumer's name.
        #[serde(borrow, with = "serde_bytes")]
        consumer: &'a [u8],
        /// When the consumer was heard of, Unix milliseconds.
        at_ms: u64,
        /// Both parts of the id, time of delivery, number of deliveries, and so on, packed.
        #[serde(borrow, with = "serde_bytes")]
        pending: &'a [u8],
    },
    /// Entries are no longer pending.
    Acknowledge {
        /// The group's name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// Their ids, 16 bytes each.
        #[serde(borrow, with = "serde_bytes")]
        ids: &'a [u8],
    },
    /// All entries within runs of ids go, as in a trim that passes over some.
    TrimRuns {
        /// The first and the last id of each run, 16 bytes each.
        #[serde(borrow, with = "serde_bytes")]
        runs: &'a [u8],
    },
    /// Entries are pending with nobody, which are to be given to whoever asks first.
    Release {
        /// The group's name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// Both parts of the id, number of deliveries, and so on, packed.
        #[serde(borrow, with = "serde_bytes")]
        pending: &'a [u8],
    },
    /// For how long and how many messages of producers are known; if that is new, none is known now.
    LimitMessages {
        /// For how long, in seconds.
        duration_s: u64,
        /// How many of each producer.
        ids_max: u64,
    },
    /// A message of a producer became an entry.
    Remember {
        /// The producer's name.
        #[serde(borrow, with = "serde_bytes")]
        producer: &'a [u8],
        /// What the producer calls it.
        #[serde(borrow, with = "serde_bytes")]
        message: &'a [u8],
        /// The entry.
        id: StreamId,
        /// Whether it is one more that was added.
        counts: bool,
    },
    /// The oldest messages of producers are no longer known.
    ForgetMessages {
        /// How many.
        count: u64,
    },
    /// A message came again, and was known.
    Recognise,
    /// A consumer was given again what is pending for it, which does not make it active.
    Redeliver {
        /// The group's name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// The consumer's name.
        #[serde(borrow, with = "serde_bytes")]
        consumer: &'a [u8],
        /// When the consumer was heard of, Unix milliseconds.
        at_ms: u64,
        /// As those of `Claim`.
        #[serde(borrow, with = "serde_bytes")]
        pending: &'a [u8],
    },
    /// A consumer was heard of, and given something, at these times.
    ConsumerTimes {
        /// The group's name.
        #[serde(borrow, with = "serde_bytes")]
        group: &'a [u8],
        /// The consumer's name.
        #[serde(borrow, with = "serde_bytes")]
        consumer: &'a [u8],
        /// When it was heard of, Unix milliseconds.
        seen_at_ms: u64,
        /// When it was given something new, Unix milliseconds, if it ever was.
        active_at_ms: Option<u64>,
    },
}
