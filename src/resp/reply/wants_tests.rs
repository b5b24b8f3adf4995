//! Tests of replies that are left out, and of buffers that are appended.

use std::sync::Arc;

use super::{Reply, Wants};

#[test]
fn what_is_not_wanted_is_not_written() {
    let mut reply = Reply::default();
    reply.set_held_bytes_max(1000);
    reply.set_wants(Wants::SkipsNext);
    reply.ok();
    reply.end_request();
    let mark = reply.mark();
    reply.bulk(&[b'x'; 100_000]);
    let array = reply.deferred_array();
    reply.bulk_shared(&Arc::new(vec![b'x'; 100_000]));
    reply.finish_array(array, 1);
    reply.truncate(mark);
    assert!(!reply.is_over_limit() && reply.sibling().wants() == Wants::SkipsThis);
    reply.end_request();
    let mut sibling = reply.sibling();
    sibling.int(7);
    reply.extend(sibling);
    assert_eq!(reply.to_vec(), b"+OK\r\n:7\r\n");
    let mut sibling = reply.sibling();
    sibling.bulk_shared(&Arc::new(vec![b'x'; 100_000]));
    reply.extend(sibling);
    assert!(reply.is_over_limit() && reply.is_empty());
}
