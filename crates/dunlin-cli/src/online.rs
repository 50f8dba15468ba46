//! What the commands share that talk to servers: `list`, `describe`, `call` and `health`.
//!
//! [`flags`] are grpcurl's, [`target`] reads addresses, [`dial`] reaches servers and explains why not,
//! [`failure`] says which stage went wrong and gives the exit code.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dunlin_client::Channel;
use tokio::time::timeout;

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

/// The channel of a command, which uses one at a time.
#[derive(Debug, Default)]
pub(crate) struct Channels(Mutex<Option<Channel>>);

/// So long a server has to take leave.
const LEAVE: Duration = Duration::from_millis(100);

impl Channels {
    /// Those before it come to their end, and try no longer to connect.
    fn add(&self, channel: &Channel) {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(channel.clone());
        if let Some(before) = before {
            before.shut_down();
        }
    }

    /// Ends the last in order: servers shall see calls that are over, and connections that end.
    async fn close(self) {
        if let Some(last) = self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            // Who is slower finds a connection cut off, as by any client that is gone.
            let _ = timeout(LEAVE, last.close()).await;
        }
    }
}

/// Runs a command, on this thread, and ends its channels.
pub(crate) fn block_on<E: From<io::Error>>(
    command: impl AsyncFnOnce(&Channels) -> Result<(), E>,
) -> Result<(), E> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let channels = Channels::default();
        let result = command(&channels).await;
        channels.close().await;
        result
    });
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
