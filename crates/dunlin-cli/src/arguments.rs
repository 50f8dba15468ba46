//! What users of other tools type and clap does not read: long flags with one dash, truth values behind
//! flags, and options behind the dash that stands for standard input or output.

use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::online::boolean;

/// Rewrites `-name` to `--name` where `name` is a long flag of the command, `--flag=true` to `--flag` where
/// the flag takes no value, and `-#format=x` to `#format=x`, which is no flag. What a flag takes as its value
/// stays as it is.
pub(crate) fn accept_foreign_spellings<C: CommandFactory>(arguments: &mut Vec<String>) {
    let mut command = C::command();
    command.build();
    let mut rewritten: Vec<String> = Vec::with_capacity(arguments.len());
    let mut given = std::mem::take(arguments).into_iter();
    rewritten.extend(given.next());
    while let Some(mut argument) = given.next() {
        if argument == "--" {
            rewritten.push(argument);
            rewritten.extend(given.by_ref());
            break;
        }
        if !argument.starts_with('-') {
            if let Some(inner) = command.find_subcommand(argument.as_str()) {
                command = inner.clone();
            }
            rewritten.push(argument);
            continue;
        }
        if argument.starts_with("-#") {
            argument.remove(0);
            rewritten.push(argument);
            continue;
        }
        let bare = argument.trim_start_matches('-');
        let dashes = argument.len() - bare.len();
        let (name, value) = match bare.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (bare.to_owned(), None),
        };
        let Some(flag) = (dashes <= 2).then(|| find(&command, &name, dashes)).flatten() else {
            // A long flag that there is not: it is told so by its name, and not by its first letter.
            let is_cluster =
                name.chars().next().is_some_and(|first| find(&command, &first.to_string(), 1).is_some());
            if dashes == 1
                && name.len() > 1
                && !is_cluster
                && name.starts_with(|c: char| c.is_ascii_alphabetic())
            {
                argument.insert(0, '-');
            }
            rewritten.push(argument);
            continue;
        };
        // One letter behind one dash is a short flag, whatever else it might be.
        if dashes == 1 && name.chars().count() > 1 {
            argument.insert(0, '-');
        }
        if takes_value(flag) {
            rewritten.push(argument);
            if value.is_none() && !flag.is_require_equals_set() {
                let mut value = given.next();
                if let Some(value) = value.as_mut().filter(|value| value.starts_with("-#")) {
                    value.remove(0);
                }
                rewritten.extend(value);
            }
            continue;
        }
        match value.as_deref().map(boolean) {
            None | Some(Err(_)) => rewritten.push(argument),
            Some(Ok(true)) => rewritten.extend(argument.split('=').next().map(str::to_owned)),
            // The last word counts.
            Some(Ok(false)) => {
                let id = flag.get_id();
                let is_same = |other: &String| {
                    let bare = other.trim_start_matches('-');
                    other.starts_with('-')
                        && find(&command, bare, other.len() - bare.len()).is_some_and(|o| o.get_id() == id)
                };
                rewritten.retain(|other| !is_same(other));
            }
        }
    }
    *arguments = rewritten;
}

/// The flag of this name behind so many dashes.
fn find<'c>(command: &'c Command, name: &str, dashes: usize) -> Option<&'c Arg> {
    let mut letters = name.chars();
    let letter = letters.next().filter(|_| letters.next().is_none());
    command.get_arguments().find(|flag| {
        let is_long = flag.get_long() == Some(name)
            || flag.get_all_aliases().is_some_and(|aliases| aliases.contains(&name));
        match letter {
            Some(letter) if dashes == 1 => flag.get_short() == Some(letter),
            _ => is_long,
        }
    })
}

fn takes_value(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cli;

    #[test]
    fn no_long_flag_reads_as_a_cluster_of_short_ones() {
        let mut command = Cli::command();
        command.build();
        for inner in command.get_subcommands() {
            let shorts: Vec<char> = inner.get_arguments().filter_map(clap::Arg::get_short).collect();
            for long in inner.get_arguments().filter_map(clap::Arg::get_long) {
                let is_cluster = long.chars().all(|c| shorts.contains(&c));
                assert!(!is_cluster, "-{long} could mean short flags of {}", inner.get_name());
            }
        }
    }

    #[test]
    fn long_flags_may_have_one_dash_and_a_dash_may_have_options() {
        for (given, want) in [
            ("-exclude-imports", "--exclude-imports"),
            ("-type=a.B", "--type=a.B"),
            ("-o", "-o"),
            ("-Iproto", "-Iproto"),
            ("--path", "--path"),
            ("-#format=binpb", "#format=binpb"),
            ("-typ=a.B", "--typ=a.B"), // clap says what is like it
            ("-1", "-1"),
        ] {
            let mut arguments = ["dunlin", "build", given].map(str::to_owned).to_vec();
            accept_foreign_spellings::<Cli>(&mut arguments);
            assert_eq!(arguments[2], want);
        }
    }

    #[test]
    fn the_dash_of_a_value_may_have_options_too() {
        let mut arguments =
            ["dunlin", "convert", "--from", "-#format=json", "-to", "-"].map(str::to_owned).to_vec();
        accept_foreign_spellings::<Cli>(&mut arguments);
        assert_eq!(arguments[2..], ["--from", "#format=json", "--to", "-"]);
    }

    #[test]
    fn flags_stand_anywhere_may_have_truth_values_and_leave_values_alone() {
        for (given, want) in [
            ("list -plaintext a:1", "list --plaintext a:1"),
            ("list a:1 -plaintext=true", "list a:1 --plaintext"),
            ("list -plaintext a:1 --plaintext=false", "list a:1"),
            ("list -plaintext=false -plaintext a:1", "list --plaintext a:1"),
            ("list -plaintext=maybe a:1", "list --plaintext=maybe a:1"), // clap complains
            ("list -use-reflection -proto -plaintext", "list --use-reflection --proto -plaintext"),
            ("list -H -plaintext a:1", "list -H -plaintext a:1"), // the value of -H
            ("list --H a:b a:1", "list --H a:b a:1"),
            ("list -- -plaintext", "list -- -plaintext"),
        ] {
            let mut arguments: Vec<String> =
                std::iter::once("dunlin").chain(given.split(' ')).map(str::to_owned).collect();
            accept_foreign_spellings::<Cli>(&mut arguments);
            assert_eq!(arguments[1..].join(" "), want, "{given}");
        }
    }
}
