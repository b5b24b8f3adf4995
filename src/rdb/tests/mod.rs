//! Tests of the whole module: values and files there and back, old encodings, damage.

mod damage;
mod files;
mod old;
mod round_trip;
mod samples;
mod versions;
