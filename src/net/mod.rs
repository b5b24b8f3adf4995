//! Listeners, connections and their buffers: bytes in, batches out, bounded memory per client.
