//! Several servers with one end.

use std::future::Future;
use std::pin::pin;

use tokio::task::JoinSet;

use crate::builder::ServeError;
use crate::serve::{BoundServer, Drained};

/// Serves several servers, each with its own services, settings and addresses, until `signal` is ready or
/// one of them has ended; then all of them end, each with its own
/// [delay](crate::Builder::shutdown_delay) and [grace](crate::Builder::shutdown_grace).
///
/// The way to have services that are not for everybody, such as those that administrators use, on an
/// address of their own:
///
/// ```
/// use dunlin_server::{Server, serve_all, shutdown_signal};
///
/// # async fn run() -> Result<(), dunlin_server::ServeError> {
/// let public = Server::builder().bind("0.0.0.0:50051").await?;
/// let admin = Server::builder().bind("127.0.0.1:50052").await?;
/// serve_all([public, admin], shutdown_signal()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The first failure of a listener, once all others have ended.
pub async fn serve_all(
    servers: impl IntoIterator<Item = BoundServer>,
    signal: impl Future<Output = ()> + Send,
) -> Result<Drained, ServeError> {
    let mut serving = JoinSet::new();
    let mut handles = Vec::new();
    for server in servers {
        handles.push((server.shutdown_handle(), server.shutdown_grace()));
        serving.spawn(server.serve());
    }
    let mut signal = pin!(signal);
    let end_all = || handles.iter().for_each(|(handle, grace)| handle.shut_down(*grace));
    let mut is_ending = false;
    let mut drained = Drained::default();
    let mut failure = None;
    loop {
        let joined = tokio::select! {
            joined = serving.join_next() => joined,
            () = &mut signal, if !is_ending => {
                is_ending = true;
                end_all();
                continue;
            }
        };
        match joined {
            None => break,
            Some(Ok(Ok(ended))) => drained.cut_off += ended.cut_off,
            Some(Ok(Err(error))) => drop(failure.get_or_insert(error)),
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) => {}
        }
        if !is_ending {
            is_ending = true;
            end_all();
        }
    }
    failure.map_or(Ok(drained), Err)
}
