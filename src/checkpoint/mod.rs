//! Point-in-time images of all collections: page files and the manifest that commits them.

/// Takes checkpoints, and tells of those there are.
pub struct Checkpointer {}
