//! What users of other tools type and clap does not read: long flags with one dash, and options
//! behind the dash that stands for standard input or output.

use clap::CommandFactory;

/// Rewrites `-name` to `--name` where `name` is a long flag of the command, and `-#format=x` to
/// `#format=x`, which is no flag.
pub(crate) fn accept_foreign_spellings<C: CommandFactory>(arguments: &mut [String]) {
    let mut command = C::command();
    command.build();
    for argument in arguments.iter_mut().skip(1) {
        if !argument.starts_with('-') {
            if let Some(inner) = command.find_subcommand(argument.as_str()) {
                command = inner.clone();
            }
            continue;
        }
        if argument == "--" {
            return;
        }
        if argument.starts_with("-#") {
            argument.remove(0);
            continue;
        }
        let Some(name) = argument.strip_prefix('-').filter(|name| !name.starts_with('-')) else { continue };
        let name = name.split_once('=').map_or(name, |(name, _)| name);
        // One letter is a short flag, whatever else it might be.
        if name.len() > 1 && command.get_arguments().any(|a| a.get_long() == Some(name)) {
            argument.insert(0, '-');
        }
    }
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
        ] {
            let mut arguments = ["dunlin", "build", given].map(str::to_owned);
            accept_foreign_spellings::<Cli>(&mut arguments);
            assert_eq!(arguments[2], want);
        }
    }
}
