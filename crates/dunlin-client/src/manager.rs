//! The life of a channel: idle, connecting, ready, failing.

use std::error::Error;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dunlin_grpc::{Status, causes};
use dunlin_http2::Connection;
use dunlin_transport::{CloseReason, ConnectError, Driver, Endpoint, Operations};
use tokio::sync::{mpsc, oneshot, watch};
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
    Lost,
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
    let backoff = inner.upgrade().ok_or(Over)?.settings.backoff;
    // Connections in a row that were lost as soon as they were ready, and of no use.
    let mut brief: u32 = 0;
    let mut ready_at = Instant::now();
    loop {
        idle(inner, commands).await?;
        // The first one is made up for at once. A server that ends each must not be stormed.
        if brief > 1 {
            inner.upgrade().ok_or(Over)?.publish(State::Connecting, Arc::new(Queueing), None);
            pause(commands, after(ready_at, backoff.after(brief - 1))).await?;
        }
        let endpoint = connect(inner, commands, links).await?;
        ready_at = Instant::now();
        let end = ready(inner, commands, links, &endpoint).await?;
        let is_brief = end == Ended::Useless && ready_at.elapsed() < backoff.first();
        brief = if is_brief { brief.saturating_add(1) } else { 0 };
    }
}

/// Waits, unless someone does not want to.
async fn pause(commands: &mut Commands, until: Instant) -> Result<(), Over> {
    loop {
        tokio::select! {
            () = sleep_until(until) => return Ok(()),
            command = next(commands) => if matches!(command?, Command::ResetBackoff) { return Ok(()) },
        }
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
    let mut failures: u32 = 0;
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
        // From the beginning of this attempt to that of the next one.
        let wait = backoff.after(failures.saturating_add(1));
        let attempt = try_all(inner, wait);
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
                failures = failures.saturating_add(1);
                {
                    let inner = inner.upgrade().ok_or(Over)?;
                    let status = status.from_control_plane();
                    tracing::debug!(target = %inner.settings.target, %status, "cannot connect");
                    let why = status.message().to_owned();
                    inner.publish(State::TransientFailure, Arc::new(Failing(status)), Some(why));
                }
                pause(commands, after(began, wait)).await?;
            }
        }
    }
}

/// One attempt: all addresses in their order, each with `connect_timeout` or `at_least` so long.
async fn try_all(
    inner: &Weak<Inner>,
    at_least: Duration,
) -> Result<Result<(Arc<Link>, Endpoint), Status>, Over> {
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
    let mut last = None;
    for endpoint in resolution.endpoints {
        match dial(inner, &endpoint, at_least).await? {
            Ok(link) => return Ok(Ok((link, endpoint))),
            Err(unreached) => {
                tried.push(format!("{endpoint}: {}", unreached.why));
                last = unreached.source;
            }
        }
    }
    let status = Status::unavailable(format!("cannot connect to {target}: {}", tried.join("; ")));
    Ok(Err(match last {
        Some(error) => status.with_source(error),
        None => status,
    }))
}

/// Why an address gave no connection.
struct Unreached {
    why: String,
    /// If there was not even a transport.
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl<T: Into<String>> From<T> for Unreached {
    fn from(why: T) -> Self {
        Self { why: why.into(), source: None }
    }
}

impl From<DialError> for Unreached {
    fn from(error: DialError) -> Self {
        match error {
            DialError::System(error) => {
                let why = match &error {
                    // The address stands before it.
                    ConnectError::Refused { source, .. } => causes(source),
                    error => causes(error),
                };
                Self { why, source: Some(error.into()) }
            }
            DialError::Other(error) => Self { why: causes(&error), source: Some(error.into()) },
        }
    }
}

/// One connection that is ready for calls: the server's first SETTINGS are there.
async fn dial(
    inner: &Weak<Inner>,
    endpoint: &Endpoint,
    at_least: Duration,
) -> Result<Result<Arc<Link>, Unreached>, Over> {
    let settings = Arc::clone(&inner.upgrade().ok_or(Over)?.settings);
    let limit = settings.connect_timeout.max(at_least);
    let connecting = async {
        let (io, info) = settings.dialer.dial(endpoint, host_of(&settings.authority)).await?;
        // One limit for all of it; the engine has no earlier one.
        let config = settings.http2.next(limit);
        let keepalive = config.keepalive_settings();
        let engine = Connection::client(config, Instant::now().into_std());
        let (handle, operations) = Operations::new();
        let link = Arc::new(Link::new(handle, info));
        let (ready, is_ready) = oneshot::channel();
        let manager = inner.upgrade().map(|inner| inner.commands.downgrade()).ok_or("the channel is gone")?;
        let handler =
            ClientConnection::new(Arc::clone(&link), Arc::clone(&settings), keepalive, ready, manager);
        let driver = Driver::with_operations(io, engine, handler, operations);
        let peer = link.info.peer.clone();
        let open = Open::new(&inner.upgrade().ok_or("the channel is gone")?.open);
        tokio::spawn(async move {
            let _open = open;
            let reason = driver.await;
            if !matches!(reason, CloseReason::Shutdown | CloseReason::ByPeer) {
                tracing::debug!(%peer, %reason, "connection closed");
            }
        });
        match is_ready.await {
            Ok(Ok(())) => Ok(link),
            Ok(Err(why)) => Err(why.into()),
            Err(_) => Err("the connection was dropped".into()),
        }
    };
    Ok(match timeout(limit, connecting).await {
        Ok(result) => result,
        Err(_) => Err(format!("not ready within `connect_timeout`, {limit:?}").into()),
    })
}

/// Counts a connection as long as it is there.
struct Open(Arc<watch::Sender<usize>>);

impl Open {
    fn new(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Why there is no connection any longer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// All are lost.
    Lost,
    /// The same, and none has got a call through.
    Useless,
    /// Nobody called.
    Idle,
}

/// So often within the idle timeout is looked whether anybody calls.
const LOOKS: u32 = 4;

/// Serves calls until the last connection is gone, or nobody calls.
async fn ready(
    inner: &Weak<Inner>,
    commands: &mut Commands,
    links: &mut Vec<Arc<Link>>,
    endpoint: &Endpoint,
) -> Result<Ended, Over> {
    let (idle_timeout, most, backoff) = {
        let inner = inner.upgrade().ok_or(Over)?;
        (inner.settings.idle_timeout, inner.settings.max_connections, inner.settings.backoff)
    };
    let (mut looked_at, mut quiet) = (Instant::now(), 0);
    // After a failure no further connection is tried for a while; calls wait for those there are.
    let (mut failures, mut grows_at) = (0, None);
    // What was lost while it was being made was told to nobody.
    let mut is_useful = false;
    drop_gone(links, &mut is_useful);
    if links.is_empty() {
        return Ok(if is_useful { Ended::Lost } else { Ended::Useless });
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
                Command::Lost => {}
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
            () = sleep_until(after(looked_at, idle_timeout / LOOKS)) => {
                looked_at = Instant::now();
                let is_used = inner.upgrade().ok_or(Over)?.take_activity();
                quiet = if is_used || !links.iter().all(|link| link.is_idle()) { 0 } else { quiet + 1 };
                if quiet < LOOKS {
                    continue;
                }
                for link in links.drain(..) {
                    let _ = link.handle.submit(Operation::ShutDown);
                }
                return Ok(Ended::Idle);
            }
        }
        drop_gone(links, &mut is_useful);
        if links.is_empty() {
            return Ok(if is_useful { Ended::Lost } else { Ended::Useless });
        }
        publish(inner, links, if grows_at.is_some() { Growth::Impossible } else { Growth::Possible })?;
    }
}

/// Forgets connections that take no more calls. Whether one was of use is added to what is known.
fn drop_gone(links: &mut Vec<Arc<Link>>, is_useful: &mut bool) {
    *is_useful |= links.iter().any(|link| link.is_gone() && link.is_useful());
    links.retain(|link| !link.is_gone());
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
    let dialled = dial(inner, endpoint, Duration::ZERO);
    tokio::pin!(dialled);
    loop {
        tokio::select! {
            grown = &mut dialled => {
                match grown? {
                    Ok(link) => links.push(link),
                    Err(Unreached { why, .. }) => {
                        tracing::debug!(%endpoint, why, "cannot open a further connection");
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
            command = next(commands) => if matches!(command?, Command::Lost) {
                // Calls see by themselves which one it is.
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
