//! Accepting connections for as long as a server lives.
//!
//! An [`Acceptor`] takes connections from a [`Listener`], performs what stands before HTTP/2 (the
//! PROXY protocol header, TLS) beside accepting further ones, and hands them over ready for use. It
//! outlives what ends a plain loop around `accept`: exhausted descriptors, lost connections, peers
//! that open a connection and say nothing.

mod backoff;
mod counters;
mod handshake;
mod limit;

pub use counters::AcceptCounts;
pub use handshake::HandshakeError;
pub use limit::{ConnectionLimit, ConnectionPermit};

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, warn};

use self::backoff::Backoff;
use self::counters::Counters;
use self::handshake::Plan;
use crate::address::{Address, ConnectionInfo};
use crate::io::Io;
use crate::ledger::Ledger;
use crate::listener::Listener;
use crate::observe::ConnectionObserver;
use crate::platform::{AcceptFailure, accept_failure};
use crate::proxy_protocol::ProxyProtocol;
#[cfg(feature = "tls")]
use crate::tls::ServerTls;

/// A connection that is ready for its first HTTP/2 byte.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// Its bytes.
    pub io: Io,
    /// Who is there.
    pub info: ConnectionInfo,
    /// Its place among the allowed connections; to be kept until the connection has ended.
    pub permit: ConnectionPermit,
    /// When it was accepted, before any handshake.
    pub at: std::time::Instant,
    /// The memory that it shares with others, for [`Driver::with_ledger`](crate::Driver::with_ledger).
    pub ledger: Ledger,
}

/// What to do with a connection for which there is no place. Complete by definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtLimit {
    /// It waits, and those behind it wait in the kernel's backlog. One connection per acceptor is
    /// accepted already and waits for its place.
    #[default]
    Wait,
    /// It is closed at once, so that a balancer or a client goes elsewhere soon.
    AcceptAndClose,
}

/// The listening socket cannot be used any more.
#[derive(Debug, thiserror::Error)]
#[error("cannot accept connections on {local}")]
pub struct AcceptError {
    /// The listener's address.
    pub local: Address,
    /// The system's answer.
    pub source: io::Error,
}

/// Takes connections from a listener; see the [module](self).
#[derive(Debug)]
pub struct Acceptor {
    listener: Listener,
    state: AcceptState,
    plan: Arc<Plan>,
    ledger: Ledger,
    max_handshakes: usize,
    observer: Option<Arc<dyn ConnectionObserver>>,
    handshakes: JoinSet<Handshaken>,
    stop: Stop,
    counters: Arc<Counters>,
}

type Handshaken = Result<Accepted, (Address, HandshakeError)>;

/// What must survive when the future of [`Acceptor::next`] is dropped half-way.
#[derive(Debug)]
struct AcceptState {
    limit: ConnectionLimit,
    at_limit: AtLimit,
    /// Accepted, and waiting for a place.
    waiting: Option<(Io, ConnectionInfo)>,
    backoff: Backoff,
    resume_at: Option<Instant>,
}

/// Collects the settings of an [`Acceptor`].
#[derive(Debug)]
#[must_use]
pub struct AcceptorBuilder {
    limit: ConnectionLimit,
    at_limit: AtLimit,
    plan: Plan,
    ledger: Ledger,
    max_handshakes: usize,
    observer: Option<Arc<dyn ConnectionObserver>>,
}

impl AcceptorBuilder {
    /// How many connections may be open at a time, those in their handshake included. Default 10,000.
    /// What grows is memory and descriptors.
    pub fn max_connections(self, connections: usize) -> Self {
        Self { limit: ConnectionLimit::new(connections), ..self }
    }

    /// Shares a limit with other acceptors, in place of [`max_connections`](Self::max_connections).
    pub fn connection_limit(self, limit: ConnectionLimit) -> Self {
        Self { limit, ..self }
    }

    /// Bytes of memory that all connections may hold together; the [ledger](crate::ledger) says what is
    /// counted, and who has to give when it is too much. Default 1 GiB. What one connection may hold is
    /// [`max_connection_memory`](dunlin_http2::Config::max_connection_memory).
    pub fn max_memory(self, bytes: usize) -> Self {
        Self { ledger: Ledger::new(bytes), ..self }
    }

    /// Shares memory with other acceptors, in place of [`max_memory`](Self::max_memory).
    pub fn ledger(self, ledger: Ledger) -> Self {
        Self { ledger, ..self }
    }

    /// What to do with connections over the limit. Default: they wait.
    pub fn at_limit(self, at_limit: AtLimit) -> Self {
        Self { at_limit, ..self }
    }

    /// How long a connection may take for its PROXY protocol header and TLS together. Default 10 s.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.plan.timeout = timeout;
        self
    }

    /// How many connections may be in their handshake at a time, at least 1; the next ones wait in
    /// the kernel's backlog. Default 1,000. What grows is the processor time that strangers can claim
    /// at once.
    pub fn max_handshakes(self, handshakes: usize) -> Self {
        Self { max_handshakes: handshakes.max(1), ..self }
    }

    /// Who is told of connections that never get to HTTP/2. Default: nobody.
    pub fn observer(self, observer: Option<Arc<dyn ConnectionObserver>>) -> Self {
        Self { observer, ..self }
    }

    /// Reads PROXY protocol headers. Default: off.
    pub fn proxy_protocol(mut self, proxy_protocol: ProxyProtocol) -> Self {
        self.plan.proxy_protocol = proxy_protocol;
        self
    }

    /// Speaks TLS on every connection. Default: clear text.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.plan.tls = Some(tls);
        self
    }

    /// Makes the acceptor. It accepts nothing before [`Acceptor::next`] is polled.
    pub fn build(self, listener: Listener) -> Acceptor {
        let (stop, stopped) = watch::channel(false);
        let (limit, at_limit) = (self.limit, self.at_limit);
        Acceptor {
            listener,
            state: AcceptState {
                limit,
                at_limit,
                waiting: None,
                backoff: Backoff::default(),
                resume_at: None,
            },
            plan: Arc::new(self.plan),
            ledger: self.ledger,
            max_handshakes: self.max_handshakes,
            observer: self.observer,
            handshakes: JoinSet::new(),
            stop: Stop { stop: Arc::new(stop), stopped },
            counters: Arc::default(),
        }
    }
}

impl Default for AcceptorBuilder {
    fn default() -> Self {
        Self {
            limit: ConnectionLimit::new(10_000),
            at_limit: AtLimit::default(),
            plan: Plan::default(),
            ledger: Ledger::default(),
            max_handshakes: 1_000,
            observer: None,
        }
    }
}

/// Stops an [`Acceptor`] and reads its counters, from anywhere.
#[derive(Clone, Debug)]
pub struct AcceptHandle {
    stop: Arc<watch::Sender<bool>>,
    counters: Arc<Counters>,
}

impl AcceptHandle {
    /// Makes [`Acceptor::next`] give `None` from now on. Connections that were handed over are not
    /// concerned.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// What happened so far.
    pub fn counts(&self) -> AcceptCounts {
        self.counters.read()
    }
}

#[derive(Debug)]
struct Stop {
    stop: Arc<watch::Sender<bool>>,
    stopped: watch::Receiver<bool>,
}

impl Stop {
    async fn wait(&mut self) {
        // The sender lives in this value, so waiting cannot fail.
        let _ = self.stopped.wait_for(|stopped| *stopped).await;
    }
}

impl Acceptor {
    /// Starts with the defaults.
    pub fn builder() -> AcceptorBuilder {
        AcceptorBuilder::default()
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> &Address {
        self.listener.local_addr()
    }

    /// What stops this acceptor and reads its counters.
    pub fn handle(&self) -> AcceptHandle {
        AcceptHandle { stop: self.stop.stop.clone(), counters: self.counters.clone() }
    }

    /// Waits for the next connection that is ready; `None` once stopped. Then drop the acceptor: that
    /// closes the listening socket, and the connections that are still in their handshake, whose
    /// clients have sent no call yet and try elsewhere.
    ///
    /// Handshakes run as tasks of their own, but connections are only accepted while this is polled.
    ///
    /// # Errors
    ///
    /// [`AcceptError`] if the socket itself is unusable. What concerns one connection, and what passes
    /// with time, is counted and logged instead.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with timers.
    pub async fn next(&mut self) -> Result<Option<Accepted>, AcceptError> {
        loop {
            let event = tokio::select! {
                biased;
                () = self.stop.wait() => return Ok(None),
                Some(done) = self.handshakes.join_next() => Event::Handshaken(done),
                accepted = self.state.accept(&mut self.listener),
                    if self.handshakes.len() < self.max_handshakes => Event::Accepted(accepted),
            };
            match event {
                Event::Accepted(Ok(Some((io, info, permit)))) => {
                    let at = Instant::now().into_std();
                    let accepted = Accepted { io, info, permit, at, ledger: self.ledger.clone() };
                    if self.plan.is_empty() {
                        self.counters.ready();
                        return Ok(Some(accepted));
                    }
                    let plan = self.plan.clone();
                    self.handshakes.spawn(async move { plan.perform(accepted).await });
                }
                Event::Accepted(Ok(None)) => {
                    self.counters.refused();
                    if let Some(observer) = &self.observer {
                        observer.refused();
                    }
                }
                Event::Accepted(Err(error)) => self.failed(error)?,
                Event::Handshaken(Ok(Ok(accepted))) => {
                    self.counters.ready();
                    return Ok(Some(accepted));
                }
                Event::Handshaken(Ok(Err((peer, error)))) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    debug!(%peer, %error, cause, "connection lost before HTTP/2");
                    self.counters.handshake_failed(&error);
                    if let Some(observer) = &self.observer {
                        observer.handshake_failed(&peer, &error);
                    }
                }
                // A bug of ours, and one connection's loss.
                Event::Handshaken(Err(error)) => error!(%error, "a handshake panicked"),
            }
        }
    }

    fn failed(&mut self, error: io::Error) -> Result<(), AcceptError> {
        match accept_failure(&error) {
            AcceptFailure::Connection => {
                self.counters.lost();
                debug!(%error, "connection lost before it was accepted");
            }
            AcceptFailure::Exhausted => {
                self.counters.exhausted();
                let first = self.state.backoff.is_fresh();
                let pause = self.state.backoff.next_pause();
                self.state.resume_at = Some(Instant::now() + pause);
                // Once per series: a warning every few milliseconds would help nobody.
                if first {
                    let local = self.listener.local_addr();
                    warn!(%local, %error, "cannot accept; raise the descriptor limit or lower max_connections");
                }
            }
            AcceptFailure::Fatal => {
                let local = self.listener.local_addr().clone();
                return Err(AcceptError { local, source: error });
            }
        }
        Ok(())
    }
}

enum Event {
    Accepted(io::Result<Option<(Io, ConnectionInfo, ConnectionPermit)>>),
    Handshaken(Result<Handshaken, JoinError>),
}

impl AcceptState {
    /// Accepts a connection and finds a place for it; `None` if it was closed for want of one.
    ///
    /// Cancel safe: what has been accepted waits in `self`.
    async fn accept(
        &mut self,
        listener: &mut Listener,
    ) -> io::Result<Option<(Io, ConnectionInfo, ConnectionPermit)>> {
        if let Some(at) = self.resume_at {
            sleep_until(at).await;
            self.resume_at = None;
        }
        if self.waiting.is_none() {
            self.waiting = Some(listener.accept().await?);
            self.backoff = Backoff::default();
        }
        let permit = match self.at_limit {
            AtLimit::Wait => Some(self.limit.acquire().await),
            AtLimit::AcceptAndClose => self.limit.try_acquire(),
        };
        let waiting = self.waiting.take();
        Ok(waiting.zip(permit).map(|((io, info), permit)| (io, info, permit)))
    }
}

#[cfg(test)]
mod tests;
