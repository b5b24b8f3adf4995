//! The wire protocol: request bytes to argument lists, replies to bytes (RESP2 and RESP3).
