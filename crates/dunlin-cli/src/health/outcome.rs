//! What is told of services, and the exit codes of grpc_health_probe.

use std::io;
use std::process::ExitCode;

use dunlin_grpc::{Code, Status};
use dunlin_services::ServingStatus;
use serde_json::json;

use crate::online::failure::Stage;
use crate::print::{self, complain};

/// The exit code of a command line that makes no sense.
pub(crate) const ARGUMENTS: u8 = 1;
const CONNECTION: u8 = 2;
const RPC: u8 = 3;
const UNHEALTHY: u8 = 4;
/// What shells give to a program that SIGPIPE ended.
const CLOSED_PIPE: u8 = 141;

/// Why it did not go well.
#[derive(Debug)]
pub(super) enum Ended {
    /// The arguments, or the files that they name.
    Arguments(String),
    /// There is no connection.
    Connection(Stage, String),
    /// A call failed.
    Rpc(String),
    /// Something is not serving; what to say of it, if it was not said on standard output.
    Unhealthy(Option<String>),
    /// All is said; the exit code.
    Told(u8),
    /// The reader of standard output has gone away.
    ClosedPipe,
}

impl Ended {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments(_) => ARGUMENTS,
            Self::Connection(..) => CONNECTION,
            Self::Rpc(_) => RPC,
            Self::Unhealthy(_) => UNHEALTHY,
            Self::Told(code) => *code,
            Self::ClosedPipe => CLOSED_PIPE,
        }
    }

    /// The one exit code for the outcomes of several services: that of a failed call counts most.
    pub(super) fn of_all(states: &[Result<ServingStatus, Status>]) -> Option<Self> {
        if states.iter().any(Result::is_err) {
            return Some(Self::Told(RPC));
        }
        let is_healthy = states.iter().all(|state| state.as_ref().is_ok_and(|state| state.is_serving()));
        (!is_healthy).then_some(Self::Told(UNHEALTHY))
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Arguments(format!("standard output: {error}")),
        }
    }
}

/// Where what is told goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) as_json: bool,
    pub(super) is_verbose: bool,
}

impl Output {
    /// A line of a service, on standard output.
    pub(super) fn state(self, service: &str, state: &Result<ServingStatus, Status>) -> io::Result<()> {
        let line = match (self.as_json, state) {
            (true, Ok(state)) => json!({ "service": service, "status": state.name() }).to_string(),
            (true, Err(status)) => {
                let code = status.code();
                let error =
                    json!({ "code": code.number(), "name": code.name(), "message": status.message() });
                json!({ "service": service, "error": error }).to_string()
            }
            (false, state) => {
                let service = if service.is_empty() { "(server)" } else { service };
                match state {
                    Ok(state) => format!("{service}: {state}"),
                    Err(status) => format!("{service}: {}: {}", status.code().name(), status.message()),
                }
            }
        };
        print::write(&format!("{line}\n"))
    }

    pub(super) fn detail(self, text: impl FnOnce() -> String) {
        if self.is_verbose {
            complain(&text());
        }
    }

    /// Tells why it ended, and with which code.
    pub(super) fn exit_code(self, result: Result<(), Ended>) -> ExitCode {
        let Err(ended) = result else { return ExitCode::SUCCESS };
        let code = ended.exit_code();
        match &ended {
            Ended::Arguments(message) => {
                complain(&format!("error: {message}\n\nTry `dunlin health --help`."))
            }
            Ended::Connection(stage, message) if self.as_json => {
                let error =
                    json!({ "type": "error", "stage": stage.name(), "message": message, "exitCode": code });
                print::say(&error.to_string());
            }
            Ended::Connection(stage, message) => complain(&format!("error: {stage}: {message}")),
            Ended::Rpc(message) => complain(&format!("error: rpc: {message}")),
            Ended::Unhealthy(Some(message)) => complain(message),
            Ended::Unhealthy(None) | Ended::Told(_) | Ended::ClosedPipe => {}
        }
        ExitCode::from(code)
    }
}

/// What a failed call means here, and what to do about it.
pub(super) fn explain(status: &Status, service: &str, timeout: std::time::Duration) -> String {
    let whole = || format!("health of `{service}`: {}: {}", status.code().name(), status.message());
    match status.code() {
        Code::Unimplemented => format!(
            "the server does not tell its health (it has no grpc.health.v1.Health): {}",
            status.message()
        ),
        Code::DeadlineExceeded => {
            format!("no answer within {timeout:?}; is the server busy? -rpc-timeout allows more")
        }
        Code::NotFound => format!("{}; --list says which services the server knows", whole()),
        _ => whole(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_counts_more_than_a_state_and_one_bad_state_more_than_good_ones() {
        let serving = || Ok(ServingStatus::Serving);
        for (states, code) in [
            (vec![serving()], None),
            (vec![serving(), Ok(ServingStatus::NotServing)], Some(UNHEALTHY)),
            (vec![Ok(ServingStatus::Unknown), serving()], Some(UNHEALTHY)),
            (vec![Ok(ServingStatus::NotServing), Err(Status::not_found("x"))], Some(RPC)),
            (vec![], None), // a list of no services
        ] {
            let found = Ended::of_all(&states).map(|ended| ended.exit_code());
            assert_eq!(found, code, "{states:?}");
        }
    }
}
