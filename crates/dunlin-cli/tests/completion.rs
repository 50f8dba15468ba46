//! `dunlin completion`, and what the shells that are here make of it.

mod support;

use std::process::Command;

use support::{Folder, run, run_with};

fn completion(shell: &str) -> String {
    let found = run(Command::new(env!("CARGO_BIN_EXE_dunlin")).args(["completion", shell]));
    assert_eq!((found.code, found.stderr.as_str()), (0, ""), "{shell}");
    found.stdout
}

#[test]
fn each_shell_gets_all_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = completion(shell);
        for word in ["health", "generate", "completion", "connect-timeout", "tls-ca-cert"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn bash_completes() {
    let folder = Folder::new(&[("dunlin.bash", &completion("bash"))]);
    let script = "source dunlin.bash
complete_as() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _dunlin dunlin \"${@: -1}\" \"${@: -2:1}\"; echo \"${COMPREPLY[*]}\"; }
complete_as dunlin hea
complete_as dunlin health --tls-no
complete_as dunlin completion powers
";
    let mut bash = folder.command("bash");
    bash.args(["--norc", "--noprofile"]);
    if Command::new("bash").arg("--version").output().is_err() {
        return; // nobody here can tell
    }
    let found = run_with(&mut bash, script.as_bytes());
    assert_eq!(found, support::Run::new(0, "health\n--tls-no-verify\npowershell\n", ""));
}

#[test]
fn a_shell_that_is_not_known_is_an_error_with_those_that_are() {
    let found = run(Command::new(env!("CARGO_BIN_EXE_dunlin")).args(["completion", "csh"]));
    assert_eq!(found.code, 2);
    assert!(found.stderr.contains("bash") && found.stderr.contains("zsh"), "{}", found.stderr);
    let help = run(Command::new(env!("CARGO_BIN_EXE_dunlin")).args(["completion", "--help"]));
    assert!(help.stdout.contains("dunlin completion bash > "), "{}", help.stdout);
}
