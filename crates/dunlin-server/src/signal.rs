//! Signals that end a server.

use std::future::Future;

use tokio::runtime::Handle;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ready when the process is asked to end: by SIGTERM or SIGINT, or Ctrl-C.
///
/// Within a runtime signals are heard from the call on, so that one which comes before the future is awaited is
/// not missed, and does not end the process; outside of one from the first poll on.
pub fn shutdown_signal() -> impl Future<Output = ()> + Send + 'static {
    let early = Handle::try_current().is_ok().then(Signals::listen);
    async move { early.unwrap_or_else(Signals::listen).wait().await }
}

/// What asks a process to end.
struct Signals {
    #[cfg(unix)]
    both: Option<[Signal; 2]>,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> Self {
        let both =
            signal(SignalKind::terminate()).and_then(|one| Ok([one, signal(SignalKind::interrupt())?]));
        Self { both: both.ok() }
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    async fn wait(self) {
        #[cfg(unix)]
        if let Some([mut terminate, mut interrupt]) = self.both {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        if tokio::signal::ctrl_c().await.is_err() {
            // Signals can not be had here, so none will come.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::{Command, id};

    use super::*;

    /// The process would end if nobody listened.
    #[tokio::test]
    async fn a_signal_before_the_first_poll_is_not_missed() {
        let asked = shutdown_signal();
        // Of the shell: `kill` is not a program everywhere.
        let kill = format!("kill -TERM {}", id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        asked.await;
    }
}
