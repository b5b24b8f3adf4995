//! The answers for the page and for what belongs to it.

use hyper::StatusCode;

use super::super::answer::{Answer, answer};
use super::super::asked::Asked;
use super::data::{Choice, May};
use super::gather::gather;
use super::{ICON, STYLE, render};
use crate::acl::User;
use crate::commands::rights;
use crate::engine::ids::DatabaseId;
use crate::resp::OwnedRequest;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// `/`, for this user.
pub async fn page(asked: &Asked<'_>, user: &User) -> Answer {
    let may = May {
        see_slow_commands: may_run(asked, user, ["slowlog", "get"]),
        see_clients: may_run(asked, user, ["client", "list"]),
    };
    let data = gather(asked.server, asked.commands, (Choice::parse(asked.query), may)).await;
    answer(StatusCode::OK, HTML, render(&data))
}

fn may_run(asked: &Asked<'_>, user: &User, [container, name]: [&str; 2]) -> bool {
    let found = asked.commands.lookup(container.as_bytes());
    let command = found.and_then(|container| asked.commands.lookup_subcommand(container, name.as_bytes()));
    command.is_some_and(|command| {
        let call = OwnedRequest::from_slices(&[container.as_bytes(), name.as_bytes()]);
        rights::judge(&asked.server.engine, user, (command, call.args()), DatabaseId::DEFAULT).is_ok()
    })
}

/// Its style sheet.
pub fn style(_asked: &Asked<'_>) -> Answer {
    answer(StatusCode::OK, CSS, STYLE)
}

/// Its icon.
pub fn icon(_asked: &Asked<'_>) -> Answer {
    answer(StatusCode::OK, SVG, ICON)
}
