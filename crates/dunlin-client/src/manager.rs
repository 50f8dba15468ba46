//! The life of a channel: idle, connecting, ready, failing.

use std::sync::{Arc, Weak};
use std::time::Duration;

use dunlin_grpc::Status;
use dunlin_http2::Connection;
use dunlin_transport::{CloseReason, ConnectError, Driver, Endpoint, Operations};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use crate::channel::{Inner, State};
use crate::connection::{ClientConnection, Operation};
use crate::dial::DialError;
use crate::picker::{Failing, Grow, Link, OneAddress, Queueing, ShutDown};
use crate::target::host_of;

/// What the manager of a channel is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// A call waits, or someone wants to be connected.
    Connect,
    /// A connection takes no more calls.
    Lost(Arc<Link>),
    /// All streams of all connections are taken.
    Grow,
    /// Do not wait for the next attempt.
    ResetBackoff,
    /// The channel is of no use any longer.
    ShutDown,
}

type Commands = mpsc::UnboundedReceiver<Command>;

/// Ends: the channel was shut down, or nobody holds it.
struct Over;

/// Drives a channel until it is shut down or nobody holds it.
pub(crate) async fn run(inner: Weak<Inner>, mut commands: Commands) {
    let end = End(inner);
    let mut links = Vec::new();
    let _ = serve(&end.0, &mut commands, &mut links).await;
    for link in links {
        let _ = link.handle.submit(Operation::ShutDown);
    }
}

/// However the manager ends, by a panic of a resolver or with its runtime, no call waits for it.
struct End(Weak<Inner>);

impl Drop for End {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.publish(State::Shutdown, Arc::new(ShutDown), None);
        }
    }
}

/// So long after, or never.
fn after(begin: Instant, wait: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    begin.checked_add(wait).unwrap_or_else(|| begin + NEVER)
}

async fn serve(inner: &Weak<Inner>, commands: &mut Commands, links: &mut Vec<Arc<Link>>) -> Result<(), Over> {
    loop {
        idle(inner, commands).await?;
        let endpoint = connect(inner, commands, links).await?;
        ready(inner, commands, links, &endpoint).await?;
    }
}

async fn next(commands: &mut Commands) -> Result<Command, Over> {
    match commands.recv().await {
        None | Some(Command::ShutDown) => Err(Over),
        Some(command) => Ok(command),
    }
}

/// Waits until someone wants a connection.
async fn idle(inner: &Weak<Inner>, commands: &mut Commands) -> Result<(), Over> {
    inner.upgrade().ok_or(Over)?.publish(State::Idle, Arc::new(Queueing), None);
    while !matches!(next(commands).await?, Command::Connect) {}
    Ok(())
}

/// Tries until there is a connection.
async fn connect(
    inner: &Weak<Inner>,
    commands: &mut Commands,
    links: &mut Vec<Arc<Link>>,
) -> Result<Endpoint, Over> {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let backoff = {
            let inner = inner.upgrade().ok_or(Over)?;
            if failures == 0 {
                inner.publish(State::Connecting, Arc::new(Queueing), None);
            } else {
                // Calls go on failing until there is a connection.
                inner.set_state(State::Connecting);
            }
            inner.settings.backoff
        };
        let attempt = try_all(inner);
        tokio::pin!(attempt);
        let result = loop {
            tokio::select! {
                result = &mut attempt => break result?,
                command = next(commands) => { command?; }
            }
        };
        match result {
            Ok((link, endpoint)) => {
                links.push(link);
                return Ok(endpoint);
            }
            Err(status) => {
                failures += 1;
                let again = after(began, backoff.after(failures));
                {
                    let inner = inner.upgrade().ok_or(Over)?;
                    let status = status.from_control_plane();
                    tracing::debug!(target = %inner.settings.target, %status, "cannot connect");
                    let why = status.message().to_owned();
                    inner.publish(State::TransientFailure, Arc::new(Failing(status)), Some(why));
                }
                loop {
                    tokio::select! {
                        () = sleep_until(again) => break,
                        command = next(commands) => if matches!(command?, Command::ResetBackoff) { break },
                    }
                }
            }
        }
    }
}

/// One attempt: all addresses in their order.
async fn try_all(inner: &Weak<Inner>) -> Result<Result<(Arc<Link>, Endpoint), Status>, Over> {
    let resolver = Arc::clone(&inner.upgrade().ok_or(Over)?.settings.resolver);
    let target = inner.upgrade().ok_or(Over)?.settings.target.to_string();
    let resolution = match resolver.resolve().await {
        Ok(resolution) => resolution,
        Err(status) => return Ok(Err(status)),
    };
    if resolution.endpoints.is_empty() {
        return Ok(Err(Status::unavailable(format!("{target} has no address"))));
    }
    let mut tried = Vec::new();
    for endpoint in resolution.endpoints {
        match dial(inner, &endpoint).await? {
            Ok(link) => return Ok(Ok((link, endpoint))),
            Err(why) => tried.push(format!("{endpoint}: {why}")),
        }
    }
    Ok(Err(Status::unavailable(format!("cannot connect to {target}: {}", tried.join("; ")))))
}

/// One connection that is ready for calls: the server's first SETTINGS are there.
async fn dial(inner: &Weak<Inner>, endpoint: &Endpoint) -> Result<Result<Arc<Link>, String>, Over> {
    let settings = Arc::clone(&inner.upgrade().ok_or(Over)?.settings);
    let connecting = async {
        let dialled = settings.dialer.dial(endpoint, host_of(&settings.authority)).await;
        let (io, info) = dialled.map_err(|error| match &error {
            // The address stands before it.
            DialError::System(ConnectError::Refused { source, .. }) | DialError::Other { source, .. } => {
                causes(source)
            }
            error => causes(error),
        })?;
        let config = settings.http2.next();
        let keepalive = config.keepalive_settings();
        let engine = Connection::client(config, Instant::now().into_std());
        let (handle, operations) = Operations::new();
        let link = Arc::new(Link::new(handle, info));
        let (ready, is_ready) = oneshot::channel();
        let manager = inner.upgrade().map(|inner| inner.commands.downgrade()).ok_or("the channel is gone")?;
        let handler = ClientConnection::new(Arc::clone(&link), Arc::clone(&settings), keepalive, ready, manager);
        let driver = Driver::with_operations(io, engine, handler, operations);
        let peer = link.info.peer.clone();
        tokio::spawn(async move {
            let reason = driver.await;
            if !matches!(reason, CloseReason::Shutdown | CloseReason::ByPeer) {
                tracing::debug!(%peer, %reason, "connection closed");
            }
        });
        match is_ready.await {
            Ok(Ok(())) => Ok(link),
            Ok(Err(why)) => Err(why),
            Err(_) => Err("the connection was dropped".to_owned()),
        }
    };
    Ok(match timeout(settings.connect_timeout, connecting).await {
        Ok(result) => result,
        Err(_) => Err(format!("not ready within `connect_timeout`, {:?}", settings.connect_timeout)),
    })
}

/// An error with what caused it, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Serves calls until the last connection is gone, or nobody calls.
async fn ready(
    inner: &Weak<Inner>,
    commands: &mut Commands,
    links: &mut Vec<Arc<Link>>,
    endpoint: &Endpoint,
) -> Result<(), Over> {
    let (idle_timeout, most, backoff) = {
        let inner = inner.upgrade().ok_or(Over)?;
        (inner.settings.idle_timeout, inner.settings.max_connections, inner.settings.backoff)
    };
    let mut idle_since = Instant::now();
    // After a failure no further connection is tried for a while; calls wait for those there are.
    let (mut failures, mut grows_at) = (0, None);
    // What was lost while it was being made was told to nobody.
    links.retain(|link| !link.is_gone());
    if links.is_empty() {
        return Ok(());
    }
    publish(inner, links, Growth::Possible)?;
    loop {
        let growth_again = async {
            match grows_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            command = next(commands) => match command? {
                Command::Lost(lost) => links.retain(|link| !Arc::ptr_eq(link, &lost)),
                Command::Grow if links.len() < most && grows_at.is_none() => {
                    if grow(inner, commands, links, endpoint).await? {
                        failures = 0;
                    } else {
                        failures += 1;
                        grows_at = Some(after(Instant::now(), backoff.after(failures)));
                    }
                }
                _ => continue,
            },
            () = growth_again => grows_at = None,
            () = sleep_until(after(idle_since, idle_timeout)) => {
                idle_since = Instant::now();
                if inner.upgrade().ok_or(Over)?.take_activity() || !links.iter().all(|link| link.is_idle()) {
                    continue;
                }
                for link in links.drain(..) {
                    let _ = link.handle.submit(Operation::ShutDown);
                }
            }
        }
        links.retain(|link| !link.is_gone());
        if links.is_empty() {
            return Ok(());
        }
        publish(inner, links, if grows_at.is_some() { Growth::Impossible } else { Growth::Possible })?;
    }
}

/// Whether there may be one more connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Growth {
    Possible,
    Underway,
    Impossible,
}

/// Opens one more connection, and goes on to listen meanwhile. Whether that went well.
async fn grow(
    inner: &Weak<Inner>,
    commands: &mut Commands,
    links: &mut Vec<Arc<Link>>,
    endpoint: &Endpoint,
) -> Result<bool, Over> {
    publish(inner, links, Growth::Underway)?;
    let dialled = dial(inner, endpoint);
    tokio::pin!(dialled);
    loop {
        tokio::select! {
            grown = &mut dialled => {
                match grown? {
                    Ok(link) => links.push(link),
                    Err(why) => {
                        tracing::debug!(%endpoint, why, "cannot open a further connection");
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
            command = next(commands) => if let Command::Lost(lost) = command? {
                links.retain(|link| !Arc::ptr_eq(link, &lost));
                publish(inner, links, Growth::Underway)?;
            },
        }
    }
}

/// Lets calls choose among these. If they are too few, calls ask for more, or wait for it.
fn publish(inner: &Weak<Inner>, links: &[Arc<Link>], growth: Growth) -> Result<(), Over> {
    let inner = inner.upgrade().ok_or(Over)?;
    let may_grow = growth != Growth::Impossible && links.len() < inner.settings.max_connections;
    let grow = may_grow.then(|| Grow::new(inner.commands.downgrade(), growth == Growth::Underway));
    inner.publish(State::Ready, Arc::new(OneAddress { links: links.to_vec(), grow }), None);
    Ok(())
}

/// How long nobody calls before connections are given up.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
