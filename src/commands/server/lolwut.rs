//! LOLWUT: a small piece of computer art, different each time, and the version.
//!
//! The picture is a page of slots that fills up from a random walk: the denser a slot was visited, the fuller it is.

use crate::commands::context::SessionCx;
use crate::commands::error::CmdError;
use crate::commands::flow::Flow;
use crate::commands::server::{LOKIKV_VERSION, REDIS_VERSION};
use crate::commands::spec::{Group, Handler, Spec, Support, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::support::random::Random;
use crate::resp::{Args, Reply};

pub(super) const LOLWUT: Spec = Spec {
    since: "5.0.0",
    flags: flag::READONLY | flag::FAST,
    summary: "Shows some computer art and the version",
    complexity: "",
    syntax: "[VERSION version]",
    support: Support::Partial("draws our own picture, whatever the version"),
    ..Spec::new("lolwut", Group::Server, -1, Handler::Session(lolwut))
};

const COLUMNS: usize = 48;
const ROWS: usize = 12;
const STEPS: usize = 1_500;
const SHADES: [char; 6] = [' ', '·', '░', '▒', '▓', '█'];

fn lolwut(_cx: &mut SessionCx<'_>, args: Args<'_>, reply: &mut Reply) -> Result<Flow, CmdError> {
    if args.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"version"))
        && let Some(version) = args.get(2)
    {
        parse_i64(version).ok_or(CmdError::NotInteger)?;
    }
    let mut text = picture(&mut Random::from_entropy());
    text.push_str(&format!(
        "\nLokiKV ver. {LOKIKV_VERSION} (Redis ver. {REDIS_VERSION})\n"
    ));
    reply.verbatim(b"txt", &text);
    Ok(Flow::Done)
}

fn picture(random: &mut Random) -> String {
    let mut visits = [[0_usize; COLUMNS]; ROWS];
    let (mut row, mut column) = (ROWS / 2, COLUMNS / 2);
    for _ in 0..STEPS {
        // Two columns for each row: characters are about twice as high as wide.
        column = (column + COLUMNS).saturating_add_signed(random.between(-2, 2) as isize) % COLUMNS;
        row = (row + ROWS).saturating_add_signed(random.between(-1, 1) as isize) % ROWS;
        if let Some(visits) = visits.get_mut(row).and_then(|line| line.get_mut(column)) {
            *visits += 1;
        }
    }
    let shade = |visits: &usize| SHADES.get((*visits).min(SHADES.len() - 1)).copied().unwrap_or(' ');
    let mut text = String::new();
    for line in &visits {
        text.extend(line.iter().map(shade));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_picture() {
        let text = picture(&mut Random::from_seed(7));
        assert_eq!(text, picture(&mut Random::from_seed(7)));
        assert_ne!(text, picture(&mut Random::from_seed(8)));
        assert_eq!(text.lines().count(), ROWS);
        assert!(text.lines().all(|line| line.chars().count() == COLUMNS));
    }
}
