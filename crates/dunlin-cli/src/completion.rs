//! `dunlin completion`: what shells need to complete the command line.

use std::io;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

/// Prints the completion file of a shell.
///
/// It completes commands, flags and the words that flags take.
#[derive(Args, Debug)]
#[command(after_help = "To install it:\n  \
    bash        dunlin completion bash > ~/.local/share/bash-completion/completions/dunlin\n  \
    zsh         dunlin completion zsh > DIR/_dunlin, where DIR is in $fpath, before compinit\n  \
    fish        dunlin completion fish > ~/.config/fish/completions/dunlin.fish\n  \
    powershell  dunlin completion powershell >> $PROFILE\n\n\
    For this shell alone: source <(dunlin completion bash)")]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn main<C: CommandFactory>(args: &CompletionArgs) -> ExitCode {
    let mut text = Vec::new();
    generate(args.shell, &mut C::command(), "dunlin", &mut text);
    match io::Write::write_all(&mut io::stdout().lock(), &text) {
        // A reader that has gone away is no reason to fail.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            crate::print::complain(&format!("error: output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
