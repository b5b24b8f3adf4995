//! `lokikv generate`: man pages and completions, made from the definition of the command line, so that they cannot say
//! anything else than `--help` does.

use std::io::{self, Write};

use clap::{Command, CommandFactory};

use super::cli::fail;
use crate::config::cli::{Cli, EXIT_OK};
use crate::config::generate_args::GenerateArgs;

/// Writes what is asked for; returns the exit code.
pub fn generate(args: &GenerateArgs) -> u8 {
    let written = match args {
        GenerateArgs::Man { dir } => {
            clap_mangen::generate_to(command(), dir).map_err(|error| format!("{}: {error}", dir.display()))
        }
        GenerateArgs::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut command(), "lokikv", &mut text);
            let written = io::stdout().write_all(&text);
            written.map_err(|error| format!("standard output: {error}"))
        }
    };
    match written {
        Ok(()) => EXIT_OK,
        Err(why) => fail(&format!("cannot write: {why}")),
    }
}

/// The command line without `help`, which has nothing to say that a page or a completion has not.
fn command() -> Command {
    Cli::command().disable_help_subcommand(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each subcommand that `--help` shows, with its flags.
    fn shown() -> Vec<Command> {
        let mut command = command();
        command.build();
        let shown = command.get_subcommands().filter(|each| !each.is_hide_set());
        shown.cloned().collect()
    }

    #[test]
    fn each_subcommand_has_a_page_that_names_its_flags() {
        let dir = tempfile::tempdir().unwrap();
        let args = GenerateArgs::Man {
            dir: dir.path().to_path_buf(),
        };
        assert_eq!(generate(&args), EXIT_OK);
        let page = |name: &str| {
            std::fs::read_to_string(dir.path().join(name))
                .unwrap()
                .replace('\\', "")
        };
        let whole = page("lokikv.1");
        let shown = shown();
        assert!(shown.len() >= 7);
        for each in &shown {
            assert!(whole.contains(&format!("lokikv-{}(1)", each.get_name())), "{whole}");
            let own = page(&format!("lokikv-{}.1", each.get_name()));
            for flag in each.get_arguments().filter_map(|argument| argument.get_long()) {
                assert!(own.contains(&format!("--{flag}")), "{flag} in {own}");
            }
        }
        // And one of no other.
        assert_eq!(dir.path().read_dir().unwrap().count(), shown.len() + 1);
    }

    #[test]
    fn a_folder_that_is_not_there() {
        let dir = "/proc/nonexistent/pages".into();
        assert_ne!(generate(&GenerateArgs::Man { dir }), EXIT_OK);
    }
}
