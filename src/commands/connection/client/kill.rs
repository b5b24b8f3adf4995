//! CLIENT KILL: by address (the old form), or by filters that must all fit.

use super::common::{ADMIN, either};
use super::list::{ClientType, client_type, type_of};
use crate::client::ClientHandle;
use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::spec::{Group, Handler, Spec};
use crate::commands::support::number::parse_i64;
use crate::resp::{Args, Reply};

pub(super) const KILL: Spec = Spec {
    since: "2.4.0",
    flags: ADMIN,
    acl: &["connection"],
    summary: "Closes connections",
    complexity: "O(N) where N is the number of client connections",
    syntax: "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | \
             [ADDR ip:port] | [LADDR ip:port] | [SKIPME yes/no]>>",
    ..Spec::new("kill", Group::Connection, -3, Handler::Session(kill))
};

/// What a client must be to be killed.
struct Filter<'a> {
    id: Option<u64>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    client_type: Option<ClientType>,
    spares_caller: bool,
}

impl Default for Filter<'_> {
    fn default() -> Self {
        Self {
            id: None,
            addr: None,
            laddr: None,
            client_type: None,
            spares_caller: true,
        }
    }
}

fn kill(cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.len() > 3 {
        let (killed, own) = kill_matching(cx, &parse(args)?);
        reply.int(killed);
        return Ok(if own { Flow::Close } else { Flow::Done });
    }
    let filter = Filter {
        addr: Some(args.at(2)),
        spares_caller: false,
        ..Filter::default()
    };
    let (killed, own) = kill_matching(cx, &filter);
    if killed == 0 {
        return Err(CmdError::text("ERR No such client"));
    }
    reply.ok();
    Ok(if own { Flow::Close } else { Flow::Done })
}

/// Kills all that fit; how many, and whether the caller is one of them (which closes after its reply).
fn kill_matching(cx: &SessionCx<'_>, filter: &Filter<'_>) -> (i64, bool) {
    let own_id = cx.client.handle.id;
    let (mut killed, mut own) = (0, false);
    for client in cx.server.clients.all() {
        if !filter.fits(&client) || (filter.spares_caller && client.id == own_id) {
            continue;
        }
        killed += 1;
        if client.id == own_id {
            own = true;
        } else {
            client.kill();
        }
    }
    (killed, own)
}

impl Filter<'_> {
    fn fits(&self, client: &ClientHandle) -> bool {
        self.id.is_none_or(|id| id == client.id)
            && self.addr.is_none_or(|addr| addr == client.addr.as_bytes())
            && self.laddr.is_none_or(|laddr| laddr == client.laddr.as_bytes())
            && self.client_type.is_none_or(|kind| kind == type_of(client))
    }
}

fn parse(args: Args<'_>) -> Result<Filter<'_>, CmdError> {
    let mut filter = Filter::default();
    let mut rest = args.iter().skip(2);
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(CmdError::Syntax)?;
        match option.to_ascii_lowercase().as_slice() {
            b"id" => {
                let id = parse_i64(value)
                    .and_then(|id| u64::try_from(id).ok())
                    .filter(|id| *id > 0);
                filter.id = Some(id.ok_or(CmdError::text("ERR client-id should be greater than 0"))?);
            }
            b"type" => filter.client_type = Some(client_type(value)?),
            b"addr" => filter.addr = Some(value),
            b"laddr" => filter.laddr = Some(value),
            // Every client is the default user.
            b"user" if value == b"default" => {}
            b"user" => return Err(CmdError::quoting("ERR No such user '", value, usize::MAX, "'")),
            b"skipme" => filter.spares_caller = either(value, "yes", "no").ok_or(CmdError::Syntax)?,
            _ => return Err(CmdError::Syntax),
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedRequest;

    fn error(text: &str) -> String {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        let request = OwnedRequest::from_slices(&words);
        let result = parse(request.args()).map(|_| ());
        result.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn filters_are_checked() {
        assert_eq!(error("client kill id 5 type normal user default skipme no"), "");
        assert_eq!(error("client kill id 0 x y"), "ERR client-id should be greater than 0");
        assert_eq!(error("client kill type foo"), "ERR Unknown client type 'foo'");
        assert_eq!(error("client kill user foo"), "ERR No such user 'foo'");
        assert_eq!(error("client kill skipme foo"), "ERR syntax error");
        assert_eq!(error("client kill id 5 addr"), "ERR syntax error");
    }

    #[test]
    fn all_filters_must_fit() {
        let client = ClientHandle::new(
            7,
            "1.2.3.4:5".into(),
            "1.2.3.4:6".into(),
            (9, false),
            std::task::Waker::noop().clone(),
            0,
        );
        let mut filter = Filter {
            id: Some(7),
            addr: Some(b"1.2.3.4:5"),
            ..Filter::default()
        };
        assert!(filter.fits(&client));
        filter.laddr = Some(b"1.2.3.4:7");
        assert!(!filter.fits(&client));
        filter.laddr = None;
        filter.client_type = Some(ClientType::Absent);
        assert!(!filter.fits(&client));
    }
}
