//! Counters, latency samples and the slow log.
