//! What the commands share that talk to servers: `list`, `describe`, `call` and `health`.
//!
//! [`flags`] are grpcurl's, [`target`] reads addresses, [`dial`] reaches servers and explains why not,
//! [`failure`] says which stage went wrong and gives the exit code.

pub(crate) mod dial;
pub(crate) mod export;
pub(crate) mod failure;
pub(crate) mod flags;
pub(crate) mod headers;
pub(crate) mod output;
pub(crate) mod requests;
pub(crate) mod schema;
pub(crate) mod session;
pub(crate) mod symbols;
pub(crate) mod target;
pub(crate) mod times;

/// Runs a command, on this thread.
pub(crate) fn block_on<T>(
    future: impl Future<Output = Result<T, failure::Failure>>,
) -> Result<T, failure::Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    // A thread may still wait for standard input, which nobody wants to know any more.
    runtime.shutdown_background();
    result
}

/// The words that Go's flags take for truth values.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}
