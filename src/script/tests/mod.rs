//! Scripts and what they reply.

mod bounds;
mod conversions;
mod decoders;
mod functions;
mod helper;
mod library;
mod recorded;
mod sandbox;
