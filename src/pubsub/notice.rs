//! What a client that caches what it has read is told: encoded once for all who are.
//!
//! **Invariant:** a client that does not speak RESP3 has no other way to tell a notice from a reply than a
//! subscription: it is told only what another client has redirected to it, and only while it has some.

use std::sync::Arc;

use crate::resp::{Proto, Reply};
use crate::shared::Shared;

/// The channel on which such a client seems to be told.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// See the module.
#[derive(Clone, Debug)]
pub enum Notice {
    /// These keys have changed; a list of them as it is sent.
    Keys(Shared),
    /// Anything may have changed.
    All,
    /// The client of this number, to which notices go, is gone.
    IsBroken(u64),
}

/// A notice of these keys.
pub fn keys_notice<'k>(count: usize, keys: impl Iterator<Item = &'k [u8]>) -> Notice {
    let mut list = Reply::new(Proto::Resp2);
    list.array(count);
    keys.for_each(|key| list.bulk(key));
    Notice::Keys(Arc::new(list.to_vec()))
}

/// Writes a notice to a client's buffer, whichever replies it wants. `listens`: it is told in place of another
/// one, and has subscriptions.
pub fn put_notice(reply: &mut Reply, notice: &Notice, listens: bool) {
    let is_resp3 = reply.proto() == Proto::Resp3;
    reply.whatever_is_wanted(|reply| {
        if let Notice::IsBroken(client) = notice {
            if is_resp3 {
                reply.push(2);
                reply.bulk(b"tracking-redir-broken");
                reply.int(i64::try_from(*client).unwrap_or(i64::MAX));
            }
            return;
        }
        if is_resp3 {
            reply.push(2);
            reply.bulk(b"invalidate");
        } else if listens {
            reply.array(3);
            reply.bulk(b"message");
            reply.bulk(CHANNEL);
        } else {
            return;
        }
        match notice {
            Notice::Keys(list) => reply.raw_shared(list),
            Notice::All | Notice::IsBroken(_) => reply.null(),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(proto: Proto, notice: &Notice, listens: bool) -> String {
        let mut reply = Reply::new(proto);
        put_notice(&mut reply, notice, listens);
        String::from_utf8(reply.to_vec()).unwrap().replace("\r\n", " ")
    }

    #[test]
    fn forms() {
        let keys = keys_notice(2, [&b"a"[..], b"bc"].into_iter());
        let list = "*2 $1 a $2 bc ";
        assert_eq!(sent(Proto::Resp3, &keys, false), format!(">2 $10 invalidate {list}"));
        assert_eq!(sent(Proto::Resp3, &Notice::All, true), ">2 $10 invalidate _ ");
        assert_eq!(
            sent(Proto::Resp2, &keys, true),
            format!("*3 $7 message $20 __redis__:invalidate {list}")
        );
        assert_eq!(
            sent(Proto::Resp2, &Notice::All, true),
            "*3 $7 message $20 __redis__:invalidate $-1 "
        );
        assert_eq!(sent(Proto::Resp2, &keys, false), "");
        let broken = Notice::IsBroken(7);
        assert_eq!(sent(Proto::Resp3, &broken, false), ">2 $21 tracking-redir-broken :7 ");
        assert_eq!(sent(Proto::Resp2, &broken, true), "");
    }
}
