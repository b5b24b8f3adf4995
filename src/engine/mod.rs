//! Collections, shards, transactions and effects: the only place where data changes.
