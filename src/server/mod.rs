//! Assembly: opens the data directory, recovers, starts workers and threads, shuts down in order.
