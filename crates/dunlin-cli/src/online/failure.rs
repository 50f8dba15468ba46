//! Why an online command ended, where that happened, and what to do about it.

use std::fmt;
use std::process::ExitCode;

use clap::CommandFactory;
use dunlin_grpc::Status;
use serde_json::json;

use crate::build;
use crate::print::{complain, say};

/// How far a command got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Reaching the server.
    Connect,
    /// Agreeing on TLS.
    Tls,
    /// Asking the server for its schema.
    Reflection,
    /// Finding what is to be called or described.
    Schema,
    /// Making requests of what was given.
    Encode,
    /// Writing down what came, or what was asked for.
    Output,
}

impl Stage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Reflection => "reflection",
            Self::Schema => "schema",
            Self::Encode => "encode",
            Self::Output => "output",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What ended an online command early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// Something went wrong before or beside the call: one sentence with its cure.
    Local(Stage, String),
    /// The call ended with this status, which has been told.
    Rpc(Status),
    /// Something else, which has been told.
    Told,
    /// The reader of standard output has gone away, which is nothing to talk about.
    ClosedPipe,
    /// The user has ended it.
    Interrupted,
}

/// The exit code of a command line that makes no sense.
const USAGE: u8 = 2;
/// What is added to the number of a status.
const STATUS: u8 = 64;
/// What shells give to a program that SIGINT ended.
const INTERRUPTED: u8 = 130;
/// What shells give to a program that SIGPIPE ended.
const CLOSED_PIPE: u8 = 141;

impl Failure {
    pub(crate) fn local(stage: Stage, message: impl Into<String>) -> Self {
        Self::Local(stage, message.into())
    }

    /// The exit code of the command.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Local(..) | Self::Told => 1,
            Self::Rpc(status) => STATUS + status.code().number() as u8,
            Self::ClosedPipe => CLOSED_PIPE,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

/// Schemas are compiled by what `dunlin build` is made of.
impl From<build::Failure> for Failure {
    fn from(failure: build::Failure) -> Self {
        match failure {
            build::Failure::Findings => Self::Told,
            build::Failure::ClosedPipe => Self::ClosedPipe,
            build::Failure::Other(message) => {
                Self::Local(Stage::Schema, message.trim_start_matches("schema: ").to_owned())
            }
        }
    }
}

/// Output that could not be written.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Local(Stage::Output, error.to_string()),
        }
    }
}

/// Tells why a command ended, and with which code; as an object on standard output with `--json`.
pub(crate) fn exit_code(command: &str, result: Result<(), Failure>, as_json: bool) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    let code = failure.exit_code();
    match &failure {
        Failure::Usage(message) => {
            complain(&format!(
                "error: {message}\n\n{}\n\nFor more information, try '--help'.",
                usage(command)
            ));
        }
        Failure::Local(stage, message) if as_json => say(&json!({
            "type": "error", "stage": stage.name(), "message": message, "exitCode": code,
        })
        .to_string()),
        Failure::Local(stage, message) => complain(&format!("error: {stage}: {message}")),
        Failure::Rpc(_) | Failure::Told | Failure::ClosedPipe | Failure::Interrupted => {}
    }
    ExitCode::from(code)
}

/// How a command is written.
fn usage(command: &str) -> String {
    let mut all = crate::Cli::command();
    all.build();
    all.find_subcommand_mut(command).map(|found| found.render_usage().to_string()).unwrap_or_default()
}
