//! Serving: listeners, connections, and the end of both.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dunlin_http2::Connection;
use dunlin_transport::accept::{AcceptHandle, Accepted, AcceptorBuilder};
use dunlin_transport::pipe::{self, PipeConnector};
use dunlin_transport::{
    Acceptor, Address, CloseReason, ConnectionHandler, Driver, Endpoint, Handle, Io, Ledger, Listener,
    Operations,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::builder::{Builder, ServeError, Settings};
use crate::call::Peer;
use crate::connection::{Operation, ServerConnection};

/// A server: its services and settings, without an address yet. Cheap to clone, and may serve several
/// addresses.
#[derive(Clone, Debug)]
pub struct Server {
    settings: Arc<Settings>,
    /// What stands around the methods, if anything does.
    #[cfg(feature = "tower")]
    layered: Option<crate::tower::HttpService>,
}

impl Server {
    /// A server without services yet.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            #[cfg(feature = "tower")]
            layered: None,
        }
    }

    /// The server with layers around its methods, the first one outermost.
    #[cfg(feature = "tower")]
    pub(crate) fn with_layers(self, layers: Vec<crate::tower::AnyLayer>) -> Self {
        let is_any = !layers.is_empty();
        let innermost = crate::tower::HttpService::new(&self.settings);
        let layered = layers.into_iter().rev().fold(innermost, |inner, layer| layer(inner));
        Self { layered: is_any.then_some(layered), ..self }
    }

    #[cfg(feature = "tower")]
    pub(crate) fn layered(&self) -> Option<&crate::tower::HttpService> {
        self.layered.as_ref()
    }

    #[cfg(feature = "tower")]
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Listens on an address: `HOST:PORT`, `unix:PATH` or `unix-abstract:NAME`. Port 0 takes a free one.
    ///
    /// # Errors
    /// Addresses that are none, or can not be had.
    pub async fn bind(&self, address: &str) -> Result<BoundServer, ServeError> {
        let endpoint: Endpoint = address.parse()?;
        let listener = Listener::bind(&endpoint, &self.settings.listener).await?;
        Ok(self.on(listener))
    }

    /// Serves a listener that was made elsewhere.
    pub fn on(&self, listener: Listener) -> BoundServer {
        let bound = BoundServer { server: self.clone(), acceptors: Vec::new(), shared: Arc::default() };
        bound.and(listener)
    }

    /// Serves this process only, with everything that goes over a wire otherwise. Runs on the runtime that
    /// it is called on, until it is shut down.
    pub fn in_process(&self) -> InProcess {
        let (connector, listener) = pipe::listen(IN_PROCESS_BACKLOG, IN_PROCESS_BUFFER);
        let builder = Acceptor::builder().connection_limit(self.settings.connections.clone());
        let builder = builder.ledger(self.settings.ledger.clone()).max_handshakes(usize::MAX);
        let acceptor = builder.build(listener);
        let bound = BoundServer { server: self.clone(), acceptors: vec![acceptor], shared: Arc::default() };
        let shutdown = bound.shutdown_handle();
        tokio::spawn(bound.serve());
        InProcess { connector, shutdown }
    }
}

const IN_PROCESS_BACKLOG: usize = 128;
const IN_PROCESS_BUFFER: usize = 256 << 10;

/// A server within this process: what a client connects with.
#[derive(Clone, Debug)]
pub struct InProcess {
    connector: PipeConnector,
    shutdown: ShutdownHandle,
}

impl InProcess {
    /// What connects to it.
    pub fn connector(&self) -> &PipeConnector {
        &self.connector
    }

    /// Ends it.
    pub fn shutdown_handle(&self) -> &ShutdownHandle {
        &self.shutdown
    }
}

/// A server that listens, and accepts once it is served.
#[derive(Debug)]
#[must_use = "a server accepts nothing until it is served"]
pub struct BoundServer {
    server: Server,
    acceptors: Vec<Acceptor>,
    shared: Arc<Shared>,
}

/// What a shutdown needs.
#[derive(Debug)]
struct Shared {
    connections: Mutex<Connections>,
    phase: watch::Sender<Phase>,
}

#[derive(Debug, Default)]
struct Connections {
    open: std::collections::HashMap<u64, Link>,
    stops: Vec<AcceptHandle>,
}

/// What ends a connection.
#[derive(Clone, Debug)]
enum Link {
    Plain(Handle<Operation>),
    #[cfg(feature = "tower")]
    Layered(Handle<crate::tower::Operation>),
}

impl Link {
    // A connection that has ended meanwhile has nothing to end.

    fn shut_down(&self) {
        match self {
            Self::Plain(link) => drop(link.submit(Operation::ShutDown)),
            #[cfg(feature = "tower")]
            Self::Layered(link) => drop(link.submit(crate::tower::Operation::ShutDown)),
        }
    }

    fn close(&self, cut_off: &Arc<AtomicUsize>) {
        let cut_off = Arc::clone(cut_off);
        match self {
            Self::Plain(link) => drop(link.submit(Operation::Close(cut_off))),
            #[cfg(feature = "tower")]
            Self::Layered(link) => drop(link.submit(crate::tower::Operation::Close(cut_off))),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Draining(Option<Instant>),
}

impl Default for Shared {
    fn default() -> Self {
        Self { connections: Mutex::default(), phase: watch::Sender::new(Phase::Serving) }
    }
}

impl Shared {
    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn connections(&self) -> MutexGuard<'_, Connections> {
        match self.connections.lock() {
            Ok(connections) => connections,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// A connection has begun.
    fn enter(&self, id: u64, link: Link) {
        self.connections().open.insert(id, link.clone());
        if *self.phase.borrow() != Phase::Serving {
            link.shut_down();
        }
    }

    /// A connection has ended.
    fn leave(&self, id: u64, peer: &Peer, reason: &CloseReason) {
        self.connections().open.remove(&id);
        match reason {
            CloseReason::Shutdown | CloseReason::ByPeer => {
                tracing::debug!(peer = %peer.peer, %reason, "connection closed");
            }
            CloseReason::Io(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                tracing::debug!(peer = %peer.peer, %error, "connection closed");
            }
            reason => {
                let cause = std::error::Error::source(reason).map(ToString::to_string);
                tracing::info!(peer = %peer.peer, %reason, cause, "connection closed");
            }
        }
    }

    fn tell_all(&self, tell: impl Fn(&Link)) {
        let links: Vec<_> = self.connections().open.values().cloned().collect();
        links.iter().for_each(tell);
    }
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Drained {
    /// Calls that were still at work when the time was up.
    pub cut_off: usize,
}

/// Shuts a server down, from anywhere.
#[derive(Clone, Debug)]
pub struct ShutdownHandle {
    shared: Arc<Shared>,
}

impl ShutdownHandle {
    /// No connections and calls are taken from now on, and those that are there may end: clients are told
    /// by GOAWAY, in two steps, so that none of their calls is lost. Once `grace` has passed the rest is
    /// cut off.
    pub fn shut_down(&self, grace: Duration) {
        let deadline = Instant::now().checked_add(grace);
        self.shared.phase.send_replace(Phase::Draining(deadline));
        let stops = std::mem::take(&mut self.shared.connections().stops);
        stops.iter().for_each(AcceptHandle::stop);
        self.shared.tell_all(Link::shut_down);
    }

    /// Connections that are open.
    pub fn connection_count(&self) -> usize {
        self.shared.connections().open.len()
    }
}

/// How long calls may go on when a signal has asked for the end.
const SIGNAL_GRACE: Duration = Duration::from_secs(30);

impl BoundServer {
    /// Serves a further listener.
    pub fn and(mut self, listener: Listener) -> Self {
        let settings = &self.server.settings;
        #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "TLS changes it"))]
        let mut builder: AcceptorBuilder = Acceptor::builder()
            .connection_limit(settings.connections.clone())
            .ledger(settings.ledger.clone());
        #[cfg(feature = "tls")]
        if let Some(tls) = &settings.tls {
            builder = builder.tls(tls.clone());
        }
        self.acceptors.push(builder.build(listener));
        self
    }

    /// Listens on a further address.
    ///
    /// # Errors
    /// Addresses that are none, or can not be had.
    pub async fn and_bind(self, address: &str) -> Result<Self, ServeError> {
        let endpoint: Endpoint = address.parse()?;
        let listener = Listener::bind(&endpoint, &self.server.settings.listener).await?;
        Ok(self.and(listener))
    }

    /// The first address that it listens on, with the port that was taken.
    pub fn local_addr(&self) -> &Address {
        self.acceptors[0].local_addr()
    }

    /// All addresses that it listens on.
    pub fn local_addrs(&self) -> impl Iterator<Item = &Address> {
        self.acceptors.iter().map(Acceptor::local_addr)
    }

    /// What ends it.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle { shared: Arc::clone(&self.shared) }
    }

    /// Serves until `signal` is ready; what is at work then gets 30 seconds to end.
    ///
    /// # Errors
    /// A listener that has failed.
    pub async fn serve_until(self, signal: impl Future<Output = ()> + Send) -> Result<Drained, ServeError> {
        let handle = self.shutdown_handle();
        let mut serving = std::pin::pin!(self.serve());
        tokio::select! {
            result = &mut serving => return result,
            () = signal => {}
        }
        handle.shut_down(SIGNAL_GRACE);
        serving.await
    }

    /// Serves until it is shut down by its [handle](Self::shutdown_handle), and everything has ended.
    ///
    /// # Errors
    /// A listener that has failed.
    pub async fn serve(self) -> Result<Drained, ServeError> {
        let Self { server, acceptors, shared } = self;
        let mut phase = shared.phase.subscribe();
        shared.connections().stops.extend(acceptors.iter().map(Acceptor::handle));
        if *phase.borrow_and_update() != Phase::Serving {
            let stops = std::mem::take(&mut shared.connections().stops);
            stops.iter().for_each(AcceptHandle::stop);
        }
        let connections = Arc::new(Tracker::default());
        let mut loops = JoinSet::new();
        for acceptor in acceptors {
            let (server, shared) = (server.clone(), Arc::clone(&shared));
            loops.spawn(accept(acceptor, server, shared, Arc::clone(&connections)));
        }
        while let Some(joined) = loops.join_next().await {
            match joined {
                Ok(result) => result?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        let in_time = loop {
            let deadline = match *phase.borrow_and_update() {
                Phase::Draining(deadline) => deadline,
                Phase::Serving => None,
            };
            let too_late = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = connections.wait() => break true,
                () = too_late => break false,
                // Another grace; the sender is in `shared`, so this fails never.
                _ = phase.changed() => {}
            }
        };
        let cut_off = Arc::new(AtomicUsize::new(0));
        if !in_time {
            shared.tell_all(|link| link.close(&cut_off));
            // A peer that takes nothing of the last output is given up by its driver.
            connections.wait().await;
        }
        Ok(Drained { cut_off: cut_off.load(Ordering::Relaxed) })
    }
}

/// Waits for the tasks of connections.
#[derive(Debug)]
struct Tracker {
    open: watch::Sender<usize>,
}

impl Default for Tracker {
    fn default() -> Self {
        Self { open: watch::Sender::new(0) }
    }
}

struct Tracked(Arc<Tracker>);

impl Tracker {
    fn track(self: &Arc<Self>) -> Tracked {
        self.open.send_modify(|open| *open += 1);
        Tracked(Arc::clone(self))
    }

    async fn wait(&self) {
        // The sender is here, so this fails never.
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

async fn accept(
    mut acceptor: Acceptor,
    server: Server,
    shared: Arc<Shared>,
    tracker: Arc<Tracker>,
) -> Result<(), ServeError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    while let Some(accepted) = acceptor.next().await? {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(connection(id, accepted, server.clone(), Arc::clone(&shared), tracker.track()));
    }
    Ok(())
}

async fn connection(id: u64, accepted: Accepted, server: Server, shared: Arc<Shared>, _tracked: Tracked) {
    let peer = Arc::new(accepted.info);
    #[cfg(feature = "tower")]
    if let Some(service) = &server.layered {
        let (link, operations) = Operations::new();
        let handler = crate::tower::LayeredConnection::new(service.clone(), Arc::clone(&peer), link.clone());
        shared.enter(id, Link::Layered(link));
        let reason = drive(accepted.io, &server, &accepted.ledger, handler, operations).await;
        shared.leave(id, &peer, &reason);
        return drop(accepted.permit);
    }
    let (link, operations) = Operations::new();
    let handler = ServerConnection::new(Arc::clone(&server.settings), Arc::clone(&peer), link.clone());
    shared.enter(id, Link::Plain(link));
    let reason = drive(accepted.io, &server, &accepted.ledger, handler, operations).await;
    shared.leave(id, &peer, &reason);
    drop(accepted.permit);
}

fn drive<H>(
    io: Io,
    server: &Server,
    ledger: &Ledger,
    handler: H,
    operations: Operations<H::Operation>,
) -> impl Future<Output = CloseReason> + use<H>
where
    H: ConnectionHandler + Unpin,
    H::Operation: Unpin,
{
    let now = Instant::now().into_std();
    let engine = Connection::server(Arc::clone(&server.settings.config), now);
    Driver::with_operations(io, engine, handler, operations).with_ledger(ledger)
}

/// Ready when the process is asked to end: by SIGTERM or SIGINT, or Ctrl-C.
pub async fn shutdown_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Signals can not be had here, so none will come.
        std::future::pending::<()>().await;
    }
}
