//! What a connection is in the middle of: authentication, selected collection, MULTI, WATCH; runs batches.
