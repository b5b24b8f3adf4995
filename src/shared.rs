//! [`Shared`]: a large value that is received, stored, logged and sent without being copied.

use std::sync::Arc;

/// Bytes that many hold and nobody changes any more.
pub type Shared = Arc<Vec<u8>>;
