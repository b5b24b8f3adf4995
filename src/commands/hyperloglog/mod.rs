//! HLL
