//! The write-ahead log: records, group write and fsync, reading back.
