//! Scripts and what they reply.

mod bounds;
mod conversions;
mod helper;
mod sandbox;
