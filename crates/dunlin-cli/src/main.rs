//! `dunlin`: compile, check and talk Protocol Buffers and gRPC.

mod arguments;
mod build;
mod call;
mod completion;
mod convert;
mod describe;
mod generate;
mod health;
mod list;
mod online;
mod payload;
mod print;
mod project;
mod protoc;
mod rust_plugin;
mod source;
mod yaml;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One tool for Protocol Buffers and gRPC.
#[derive(Debug, Parser)]
#[command(name = "dunlin", version, help_template = HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The commands by what they are for; clap knows them in one list only.
const HELP: &str = "\
{about}

{usage-heading} {usage}

Schemas:
  build       Compiles schema files to a descriptor set
  generate    Generates code as buf.gen.yaml says
  protoc      Does what protoc does, with protoc's own command line

Servers:
  list        Lists the services of a server, or the methods of a service
  describe    Shows services, methods, messages, fields and enums of a server as proto source
  call        Calls a method: one request or a stream of them, one response or a stream of them
  health      Asks a server whether its services can be used

Messages:
  convert     Converts messages between binary, JSON, text and framed streams
  encode      Encodes text or JSON to binary
  decode      Decodes binary to text for people

Others:
  completion  Prints the completion file of a shell
  help        Prints what a command does, and its flags

{options}

Start with: dunlin list -plaintext localhost:50051
";

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::BuildArgs),
    Call(Box<call::CallArgs>),
    Completion(completion::CompletionArgs),
    Convert(convert::ConvertArgs),
    Decode(convert::DecodeArgs),
    Describe(Box<describe::DescribeArgs>),
    Encode(convert::EncodeArgs),
    Generate(generate::GenerateArgs),
    Health(health::HealthArgs),
    List(Box<list::ListArgs>),
    /// Does what protoc does, with protoc's own command line
    #[command(disable_help_flag = true)]
    Protoc {
        /// protoc's arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    let program = arguments.first().cloned().unwrap_or_default();
    // Started under its name, this is protoc; and its arguments are not for anyone else to read.
    if Path::new(&program).file_stem().is_some_and(|name| name == "protoc") {
        return protoc::main(&arguments[1..]);
    }
    if arguments.get(1).is_some_and(|first| first == "protoc") {
        return protoc::main(&arguments[2..]);
    }
    arguments::accept_foreign_spellings::<Cli>(&mut arguments);
    let is_health = arguments.get(1).is_some_and(|command| command == "health");
    let cli = Cli::try_parse_from(arguments).unwrap_or_else(|error| {
        // The probe's code, which those who start it know.
        if is_health && error.use_stderr() {
            let _ = error.print();
            std::process::exit(health::ARGUMENTS.into());
        }
        error.exit()
    });
    match cli.command {
        Command::Build(args) => build::main(args),
        Command::Call(args) => call::main(&args),
        Command::Completion(args) => completion::main::<Cli>(&args),
        Command::Convert(args) => convert::convert(&args),
        Command::Decode(args) => convert::decode(&args),
        Command::Describe(args) => describe::main(&args),
        Command::Encode(args) => convert::encode(&args),
        Command::Generate(args) => generate::main(&args),
        Command::Health(args) => health::main(&args),
        Command::List(args) => list::main(&args),
        Command::Protoc { arguments } => protoc::main(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_has_all_commands() {
        for command in Cli::command().get_subcommands() {
            let (name, about) = (command.get_name(), command.get_about().expect("a line"));
            assert!(HELP.contains(&format!("\n  {name:<11} {about}\n")), "{name}");
        }
    }
}
