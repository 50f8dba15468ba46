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
    Acceptor, Address, CloseReason, ConnectionHandler, ConnectionInfo, ConnectionObserver, Driver, Endpoint,
    Handle, Io, Ledger, Listener, Operations,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::builder::{Builder, ServeError, Settings};
use crate::call::Peer;
use crate::connection::{Operation, ServerConnection};
use crate::lifecycle::{End, ShutdownPhase};
use crate::lifetime::Lifetime;

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
        let shared = Arc::new(Shared::new(&self.settings));
        BoundServer { server: self.clone(), acceptors: Vec::new(), shared }.and(listener)
    }

    /// Serves this process only, with everything that goes over a wire otherwise. Runs on the runtime that
    /// it is called on, until it is shut down.
    pub fn in_process(&self) -> InProcess {
        let (connector, listener) = pipe::listen(IN_PROCESS_BACKLOG, IN_PROCESS_BUFFER);
        let builder = Acceptor::builder().connection_limit(self.settings.places.clone());
        let builder = builder.ledger(self.settings.ledger.clone()).max_handshakes(usize::MAX);
        let acceptor = builder.observer(self.settings.observer.clone()).build(listener);
        let shared = Arc::new(Shared::new(&self.settings));
        let bound = BoundServer { server: self.clone(), acceptors: vec![acceptor], shared };
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
    end: End,
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
    /// Asked to end; still serving until this time, and draining for that long then.
    Leaving(Option<Instant>, Duration),
    /// Until this time, if that can be told.
    Draining(Option<Instant>),
}

impl Shared {
    fn new(settings: &Settings) -> Self {
        Self {
            connections: Mutex::default(),
            phase: watch::Sender::new(Phase::Serving),
            end: settings.end.clone(),
        }
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn connections(&self) -> MutexGuard<'_, Connections> {
        match self.connections.lock() {
            Ok(connections) => connections,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// A connection has begun.
    fn opened(&self, id: u64, link: Link) {
        self.connections().open.insert(id, link.clone());
        if matches!(*self.phase.borrow(), Phase::Draining(_)) {
            link.shut_down();
        }
    }

    /// A connection has ended.
    fn closed(&self, id: u64, peer: &Peer, reason: &CloseReason) {
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

    fn tell(&self, phase: ShutdownPhase) {
        self.end.hooks.iter().for_each(|hook| hook(phase));
    }

    /// The end begins, or goes on to its next step if it has begun.
    fn leave(&self, grace: Duration) {
        let mut is_first = false;
        self.phase.send_if_modified(|phase| {
            is_first = *phase == Phase::Serving;
            if is_first {
                *phase = Phase::Leaving(Instant::now().checked_add(self.end.delay), grace);
            }
            is_first
        });
        if is_first {
            self.tell(ShutdownPhase::Leaving);
        }
        if !is_first || self.end.delay.is_zero() {
            self.drain(grace);
        }
    }

    fn drain(&self, grace: Duration) {
        let deadline = Instant::now().checked_add(grace);
        let before = self.phase.send_replace(Phase::Draining(deadline));
        if !matches!(before, Phase::Draining(_)) {
            self.tell(ShutdownPhase::Draining);
        }
        let stops = std::mem::take(&mut self.connections().stops);
        stops.iter().for_each(AcceptHandle::stop);
        self.tell_all(Link::shut_down);
    }

    /// Waits for the end of the delay before the drain, over and over.
    async fn drain_in_time(&self) {
        let mut phase = self.phase.subscribe();
        loop {
            let now = *phase.borrow_and_update();
            if let Phase::Leaving(Some(until), grace) = now {
                tokio::select! {
                    () = sleep_until(until) => self.drain(grace),
                    // The sender is here, so this fails never.
                    _ = phase.changed() => {}
                }
            } else if phase.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
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
    /// Begins the end. Services are told
    /// ([`on_shutdown`](crate::Builder::on_shutdown)), and connections and calls are taken for the time of
    /// [`shutdown_delay`](crate::Builder::shutdown_delay), which is none by default.
    ///
    /// Then no more are taken, and those that are there may end: clients are told by GOAWAY, in two steps, so
    /// that none of their calls is lost. Once `grace` has passed the rest is cut off.
    ///
    /// Another call cuts the delay short, or changes the grace.
    pub fn shut_down(&self, grace: Duration) {
        self.shared.leave(grace);
    }

    /// Connections that are open.
    pub fn connection_count(&self) -> usize {
        self.shared.connections().open.len()
    }
}

impl BoundServer {
    /// Serves a further listener.
    pub fn and(mut self, listener: Listener) -> Self {
        let settings = &self.server.settings;
        let mut builder: AcceptorBuilder = Acceptor::builder()
            .connection_limit(settings.places.clone())
            .ledger(settings.ledger.clone())
            .observer(settings.observer.clone());
        builder = settings.connections.acceptor(builder);
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

    pub(crate) fn shutdown_grace(&self) -> Duration {
        self.shared.end.grace
    }

    /// Serves until `signal` is ready. What is at work then gets the time of
    /// [`shutdown_grace`](crate::Builder::shutdown_grace) to end.
    ///
    /// # Errors
    /// A listener that has failed; see [`serve`](Self::serve).
    pub async fn serve_until(self, signal: impl Future<Output = ()> + Send) -> Result<Drained, ServeError> {
        let (handle, grace) = (self.shutdown_handle(), self.shutdown_grace());
        let mut serving = std::pin::pin!(self.serve());
        tokio::select! {
            result = &mut serving => return result,
            () = signal => {}
        }
        handle.shut_down(grace);
        serving.await
    }

    /// Serves until it is shut down by its [handle](Self::shutdown_handle), and everything has ended.
    ///
    /// # Errors
    /// A listener that has failed. The server was shut down then, with
    /// [`shutdown_grace`](Builder::shutdown_grace): no call was lost by it.
    pub async fn serve(self) -> Result<Drained, ServeError> {
        let Self { server, acceptors, shared } = self;
        let mut phase = shared.phase.subscribe();
        shared.connections().stops.extend(acceptors.iter().map(Acceptor::handle));
        if matches!(*phase.borrow_and_update(), Phase::Draining(_)) {
            let stops = std::mem::take(&mut shared.connections().stops);
            stops.iter().for_each(AcceptHandle::stop);
        }
        let connections = Arc::new(Tracker::default());
        let mut loops = JoinSet::new();
        for acceptor in acceptors {
            let (server, shared) = (server.clone(), Arc::clone(&shared));
            loops.spawn(accept(acceptor, server, shared, Arc::clone(&connections)));
        }
        let mut failure = None;
        let accepting = async {
            while let Some(joined) = loops.join_next().await {
                match joined {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::error!(%error, "a listener failed: the server ends");
                        if *shared.phase.borrow() == Phase::Serving {
                            let handle = ShutdownHandle { shared: Arc::clone(&shared) };
                            handle.shut_down(shared.end.grace);
                        }
                        failure.get_or_insert(error);
                    }
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {}
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            // Never over.
            () = shared.drain_in_time() => {}
        }
        let in_time = loop {
            let deadline = match *phase.borrow_and_update() {
                Phase::Draining(deadline) => deadline,
                Phase::Serving | Phase::Leaving(..) => None,
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
        match failure {
            Some(failure) => Err(failure),
            None => Ok(Drained { cut_off: cut_off.load(Ordering::Relaxed) }),
        }
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
    let now = Instant::now().into_std();
    let observed = Observed::begin(server.settings.observer.clone(), &peer);
    let lifetime = Lifetime::new(server.settings.connections.limits, now, fastrand::f64());
    // What TLS took of the time for the handshake is gone.
    let engine = Connection::server(Arc::clone(&server.settings.config), accepted.at);
    #[cfg(feature = "tower")]
    if let Some(service) = &server.layered {
        let (link, operations) = Operations::new();
        let handler =
            crate::tower::LayeredConnection::new(service.clone(), Arc::clone(&peer), link.clone(), lifetime);
        shared.opened(id, Link::Layered(link));
        let reason = drive(accepted.io, engine, &accepted.ledger, handler, operations).await;
        shared.closed(id, &peer, &reason);
        observed.end(&reason);
        return drop(accepted.permit);
    }
    let (link, operations) = Operations::new();
    let settings = Arc::clone(&server.settings);
    let handler = ServerConnection::new(settings, Arc::clone(&peer), link.clone(), lifetime);
    shared.opened(id, Link::Plain(link));
    let reason = drive(accepted.io, engine, &accepted.ledger, handler, operations).await;
    shared.closed(id, &peer, &reason);
    drop(accepted.permit);
    observed.end(&reason);
}

fn drive<H>(
    io: Io,
    engine: Connection,
    ledger: &Ledger,
    handler: H,
    operations: Operations<H::Operation>,
) -> impl Future<Output = CloseReason> + use<H>
where
    H: ConnectionHandler + Unpin,
    H::Operation: Unpin,
{
    Driver::with_operations(io, engine, handler, operations).with_ledger(ledger)
}

/// A connection that someone wants to hear of. It ends in any case.
struct Observed {
    observer: Option<Arc<dyn ConnectionObserver>>,
    peer: Arc<ConnectionInfo>,
}

impl Observed {
    fn begin(observer: Option<Arc<dyn ConnectionObserver>>, peer: &Arc<ConnectionInfo>) -> Self {
        if let Some(observer) = &observer {
            observer.opened(peer);
        }
        Self { observer, peer: Arc::clone(peer) }
    }

    fn end(mut self, reason: &CloseReason) {
        if let Some(observer) = self.observer.take() {
            observer.closed(&self.peer, reason);
        }
    }
}

impl Drop for Observed {
    /// The task has panicked, or the runtime is gone.
    fn drop(&mut self) {
        if let Some(observer) = self.observer.take() {
            let lost = io::Error::other("the task of the connection has ended");
            observer.closed(&self.peer, &CloseReason::Io(lost));
        }
    }
}
