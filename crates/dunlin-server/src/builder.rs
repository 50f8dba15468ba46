//! The settings of a server.

mod connections;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dunlin_grpc::intercept::{Chain, Interceptor, InterceptorRef, Side};
use dunlin_grpc::{CallKind, Encoding, Encodings, Method, head};
use dunlin_http2::{Config, Field, HeaderBlock};
#[cfg(feature = "tls")]
use dunlin_transport::ServerTls;
use dunlin_transport::accept::ConnectionLimit;
use dunlin_transport::{BindError, ConnectionObserver, EndpointError, Ledger, ListenerOptions};

use crate::intercept::{Intercepted, Unknown};
use crate::lifecycle::{End, ShutdownPhase};
use crate::methods::{Methods, Service};
use crate::placement::{Cost, Placement};
use crate::router::{Route, Router};
use crate::running::Handler;
use crate::serve::{BoundServer, Server};
pub(crate) use connections::Connections;

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) router: Router,
    /// For calls of methods that are not known before.
    pub(crate) interceptors: Vec<InterceptorRef>,
    pub(crate) encodings: Encodings,
    pub(crate) send_compressed: Encoding,
    pub(crate) max_receive: usize,
    pub(crate) max_send: usize,
    pub(crate) max_timeout: Option<Duration>,
    pub(crate) credit_step: usize,
    /// Of a call that has no HTTP/2 stream.
    #[cfg(feature = "tower")]
    pub(crate) stream_window: usize,
    pub(crate) max_assembling: usize,
    pub(crate) blocks: Blocks,
    pub(crate) config: Arc<Config>,
    pub(crate) listener: ListenerOptions,
    pub(crate) places: ConnectionLimit,
    pub(crate) connections: Connections,
    pub(crate) ledger: Ledger,
    pub(crate) end: End,
    pub(crate) observer: Option<Arc<dyn ConnectionObserver>>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<ServerTls>,
}

/// Header lists that are sent again and again.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// Of a response with messages, for each coding.
    responses: Vec<(Encoding, HeaderBlock)>,
    plain: HeaderBlock,
    /// Of a response that is a status only.
    pub(crate) end: HeaderBlock,
    /// The trailers of most.
    pub(crate) ok: HeaderBlock,
}

impl Blocks {
    pub(crate) fn response(&self, encoding: Encoding) -> &HeaderBlock {
        if encoding.is_identity() {
            return &self.plain;
        }
        let found = self.responses.iter().find(|(of, _)| *of == encoding);
        found.map_or(&self.plain, |(_, block)| block)
    }
}

/// Why a server can not be built. Each names the setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two services or methods of one name.
    #[error("`{path}` was added twice")]
    Twice {
        /// The method.
        path: String,
    },
    /// A placement for a method that the server does not have.
    #[error("`placement` names {path}, which the server does not have")]
    NoMethod {
        /// The method.
        path: String,
    },
    /// A value that no server can work with.
    #[error("`{setting}` is {value}, and has to be {wanted}")]
    Value {
        /// The setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// Two settings that contradict each other.
    #[error("`{first}` and `{second}` contradict each other: {why}")]
    Contradiction {
        /// One of them.
        first: &'static str,
        /// The other one.
        second: &'static str,
        /// Why they can not both be.
        why: String,
    },
}

/// Why a server does not serve. `{:?}` shows the text with all causes, as it is what a `main` that returns the
/// error prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The settings.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An address that is none.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// An address that can not be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A listener that has failed.
    #[error(transparent)]
    Accept(#[from] dunlin_transport::accept::AcceptError),
}

impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&dunlin_grpc::causes(self))
    }
}

/// Collects the settings of a [`Server`].
///
/// ```
/// use std::time::Duration;
///
/// use dunlin_server::Server;
///
/// let server = Server::builder()
///     .max_receive_message_size(1 << 20)
///     .max_timeout(Duration::from_secs(30))
///     .build()?;
/// # Ok::<(), dunlin_server::BuildError>(())
/// ```
#[must_use = "a builder does nothing until `build`, `bind` or `serve`"]
pub struct Builder {
    methods: Methods,
    placements: Vec<(String, Placement)>,
    interceptors: Vec<InterceptorRef>,
    #[cfg(feature = "tower")]
    pub(crate) layers: Vec<crate::tower::AnyLayer>,
    max_receive: usize,
    max_send: usize,
    max_timeout: Option<Duration>,
    max_assembling: usize,
    max_concurrent_streams: u32,
    max_header_list_size: u32,
    stream_window: u32,
    connection_window: u32,
    max_window: u32,
    encodings: Encodings,
    send_compressed: Encoding,
    listener: ListenerOptions,
    places: ConnectionLimit,
    connections: Connections,
    max_memory: usize,
    shutdown_delay: Duration,
    shutdown_grace: Duration,
    observer: Option<Arc<dyn ConnectionObserver>>,
    #[cfg(feature = "tls")]
    tls: Option<ServerTls>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("methods", &self.methods).finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            methods: Methods::default(),
            placements: Vec::new(),
            interceptors: Vec::new(),
            #[cfg(feature = "tower")]
            layers: Vec::new(),
            max_receive: 4 << 20,
            max_send: usize::MAX,
            max_timeout: None,
            max_assembling: 256 << 20,
            max_concurrent_streams: 256,
            max_header_list_size: 32 << 10,
            stream_window: 256 << 10,
            connection_window: 1 << 20,
            max_window: 8 << 20,
            encodings: Encodings::default(),
            send_compressed: Encoding::Identity,
            listener: ListenerOptions::default(),
            places: ConnectionLimit::new(10_000),
            connections: Connections::default(),
            max_memory: 1 << 30,
            shutdown_delay: Duration::ZERO,
            shutdown_grace: Duration::from_secs(30),
            observer: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl Builder {
    /// Adds a service.
    pub fn add_service(mut self, service: impl Service) -> Self {
        self.methods.hooks.add_service(service.name());
        service.register(&mut self.methods);
        self
    }

    /// Adds methods one by one, or the fallback for all others.
    pub fn methods(mut self, add: impl FnOnce(&mut Methods)) -> Self {
        add(&mut self.methods);
        self
    }

    /// Where a method's first poll happens, by its path `/SERVICE/METHOD`; decided by measurement by
    /// default.
    pub fn placement(mut self, path: impl Into<String>, placement: Placement) -> Self {
        self.placements.push((path.into(), placement));
        self
    }

    /// An [`Interceptor`] for all methods, within those that were added before; for some methods by
    /// [`only`](Interceptor::only) and [`except`](Interceptor::except). None, which costs nothing. Calls of
    /// methods that the server does not have are seen too.
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.push(InterceptorRef::new(interceptor));
        self
    }

    /// Bytes of a request message, when decompressed. 4 MiB. A larger one ends its call with
    /// RESOURCE_EXHAUSTED.
    pub fn max_receive_message_size(mut self, bytes: usize) -> Self {
        self.max_receive = bytes;
        self
    }

    /// Bytes of a response message, before it is compressed. No limit but that of the format, 4 GiB.
    pub fn max_send_message_size(mut self, bytes: usize) -> Self {
        self.max_send = bytes;
        self
    }

    /// Bytes of a connection's request messages that are not whole. 256 MiB. A call beyond that ends with
    /// RESOURCE_EXHAUSTED.
    pub fn max_assembling_bytes(mut self, bytes: usize) -> Self {
        self.max_assembling = bytes;
        self
    }

    /// The most time that a call gets, whatever its client asks for. No limit.
    pub fn max_timeout(mut self, timeout: Duration) -> Self {
        self.max_timeout = Some(timeout);
        self
    }

    /// Calls of a connection at a time: SETTINGS_MAX_CONCURRENT_STREAMS. 256. More are refused, and clients
    /// wait with them.
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.max_concurrent_streams = streams;
        self
    }

    /// Bytes of the headers of a request, with 32 for each field: SETTINGS_MAX_HEADER_LIST_SIZE. 32 KiB.
    pub fn max_header_list_size(mut self, bytes: u32) -> Self {
        self.max_header_list_size = bytes;
        self
    }

    /// Bytes of a stream that a client may send before they are read. 256 KiB, at least 65,535; it grows
    /// with the measured path, up to 8 MiB.
    pub fn stream_window_size(mut self, bytes: u32) -> Self {
        self.stream_window = bytes;
        self
    }

    /// Bytes of all streams of a connection together that a client may send before they are read. 1 MiB, at
    /// least 65,535; it grows as that of streams.
    pub fn connection_window_size(mut self, bytes: u32) -> Self {
        self.connection_window = bytes;
        self
    }

    /// The size up to which windows grow. 8 MiB; 0 keeps them as they are.
    pub fn max_window_size(mut self, bytes: u32) -> Self {
        self.max_window = bytes;
        self
    }

    /// Codings of requests that are taken, and that responses may have. All that are built in.
    pub fn accept_compressed(mut self, encodings: impl IntoIterator<Item = Encoding>) -> Self {
        self.encodings = Encodings::new(encodings);
        self
    }

    /// The coding of responses, for clients that take it. None.
    pub fn send_compressed(mut self, encoding: Encoding) -> Self {
        self.send_compressed = encoding;
        self
    }

    /// Connections at a time, over all addresses. 10,000; further ones wait to be accepted.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.places = ConnectionLimit::new(connections);
        self
    }

    /// Bytes that all connections together may hold for their peers: windows, output, requests that are not
    /// whole. 1 GiB. Close to it windows shrink; beyond it, connections above their fair share lose new
    /// streams, and end.
    pub fn max_memory(mut self, bytes: usize) -> Self {
        self.max_memory = bytes;
        self
    }

    /// Who is told of connections: that they begin, why they end, and which never came that far. Nobody.
    pub fn connection_observer(mut self, observer: impl ConnectionObserver) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Options of the listening sockets and of what they accept.
    pub fn listener_options(mut self, options: ListenerOptions) -> Self {
        self.listener = options;
        self
    }

    /// How long connections and calls are still taken once the end was asked for. None.
    ///
    /// What sends traffic here, such as a balancer that asks for the health of servers, gets this time to
    /// notice and to send it elsewhere: nothing is refused meanwhile. Services are told before it begins
    /// ([`on_shutdown`](Self::on_shutdown)).
    pub fn shutdown_delay(mut self, delay: Duration) -> Self {
        self.shutdown_delay = delay;
        self
    }

    /// How long calls may go on when a signal has asked for the end ([`serve`](Self::serve),
    /// [`BoundServer::serve_until`]), after the delay. 30 s. The rest is cut off.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Calls `hook` at each step of the end. It should do little: the end waits for it.
    ///
    /// The steps are: [`ShutdownPhase::Leaving`], the [delay](Self::shutdown_delay),
    /// [`ShutdownPhase::Draining`], GOAWAY and the wait for calls that are at work, the hard end. Every
    /// [`BoundServer`] goes through them itself.
    pub fn on_shutdown(mut self, hook: impl Fn(ShutdownPhase) + Send + Sync + 'static) -> Self {
        self.methods.on_shutdown(hook);
        self
    }

    /// Serves TLS; clear text otherwise.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The server.
    ///
    /// # Errors
    /// Names the settings that contradict each other, or are of no use.
    pub fn build(mut self) -> Result<Server, BuildError> {
        self.check()?;
        let hooks = std::mem::take(&mut self.methods.hooks);
        let streams = self.max_concurrent_streams.max(1) as usize;
        let blocks = self.blocks()?;
        let config = Config::default()
            .max_concurrent_streams(self.max_concurrent_streams)
            .max_header_list_size(self.max_header_list_size)
            .initial_window_size(self.stream_window)
            .connection_window_size(self.connection_window)
            .max_window_size(self.max_window);
        let router = router(self.methods, self.placements, &self.interceptors)?;
        let hooks = hooks.built(router.routes.values().map(|route| route.method.service()));
        let config = self.connections.engine(config);
        let settings = Settings {
            // All streams together never owe the connection more than half of its window.
            credit_step: (self.connection_window as usize / (2 * streams)).clamp(1, 16 << 10),
            #[cfg(feature = "tower")]
            stream_window: self.stream_window as usize,
            encodings: self.encodings,
            send_compressed: self.send_compressed,
            max_receive: self.max_receive,
            max_send: self.max_send,
            max_timeout: self.max_timeout,
            max_assembling: self.max_assembling,
            blocks,
            config: Arc::new(config),
            router,
            interceptors: self.interceptors,
            listener: self.listener,
            places: self.places,
            connections: self.connections,
            ledger: Ledger::new(self.max_memory),
            end: End { hooks, delay: self.shutdown_delay, grace: self.shutdown_grace },
            observer: self.observer,
            #[cfg(feature = "tls")]
            tls: self.tls,
        };
        let server = Server::new(settings);
        #[cfg(feature = "tower")]
        let server = server.with_layers(self.layers);
        Ok(server)
    }

    fn check(&self) -> Result<(), BuildError> {
        let value = |setting, value: &dyn fmt::Display, wanted| {
            Err(BuildError::Value { setting, value: value.to_string(), wanted })
        };
        if self.max_concurrent_streams == 0 {
            return value("max_concurrent_streams", &0, "at least 1");
        }
        if self.max_receive > u32::MAX as usize {
            return value("max_receive_message_size", &self.max_receive, "at most 4,294,967,295");
        }
        let windows =
            [("stream_window_size", self.stream_window), ("connection_window_size", self.connection_window)];
        for (setting, bytes) in windows {
            if !(65_535..=0x7fff_ffff).contains(&bytes) {
                return value(setting, &bytes, "from 65,535 to 2,147,483,647");
            }
        }
        self.connections.check()?;
        if self.max_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return value("max_timeout", &"0", "more than 0");
        }
        let contradiction =
            |first, second, why: String| Err(BuildError::Contradiction { first, second, why });
        if self.max_receive > self.max_assembling {
            let why = format!(
                "a message may have {} bytes, but all together {}",
                self.max_receive, self.max_assembling
            );
            return contradiction("max_receive_message_size", "max_assembling_bytes", why);
        }
        if !self.encodings.contains(self.send_compressed) {
            let why = format!("{} is not among those", self.send_compressed.name());
            return contradiction("send_compressed", "accept_compressed", why);
        }
        Ok(())
    }

    fn blocks(&self) -> Result<Blocks, BuildError> {
        let name = |_| BuildError::Value {
            setting: "accept_compressed",
            value: "a coding with an unusable name".to_owned(),
            wanted: "lower-case letters, digits and `-`",
        };
        let block = |encoding| head::response_block(encoding, &self.encodings).map_err(name);
        let responses = self.encodings.iter().map(|encoding| Ok((encoding, block(encoding)?)));
        Ok(Blocks {
            responses: responses.collect::<Result<_, _>>()?,
            plain: block(Encoding::Identity)?,
            end: head::response_block(Encoding::Identity, &Encodings::none()).map_err(name)?,
            ok: HeaderBlock::builder().field(Field::new("grpc-status", "0")).build().map_err(name)?,
        })
    }

    /// Builds the server and listens on an address: `HOST:PORT`, `unix:PATH` or `unix-abstract:NAME`. Port 0
    /// takes a free one.
    ///
    /// # Errors
    /// Settings or addresses that do not work.
    pub async fn bind(self, address: &str) -> Result<BoundServer, ServeError> {
        self.build()?.bind(address).await
    }

    /// Builds the server and serves an address until it is shut down by
    /// [`shutdown_signal`](crate::shutdown_signal).
    ///
    /// # Errors
    /// As [`bind`](Self::bind), and when the listener fails.
    pub async fn serve(self, address: &str) -> Result<(), ServeError> {
        let signal = crate::shutdown_signal();
        self.bind(address).await?.serve_until(signal).await.map(drop)
    }
}

fn router(
    methods: Methods,
    placements: Vec<(String, Placement)>,
    interceptors: &[InterceptorRef],
) -> Result<Router, BuildError> {
    let mut router = Router::default();
    for (path, _) in &placements {
        if !methods.entries.iter().any(|(method, _)| method.path() == path) {
            return Err(BuildError::NoMethod { path: path.clone() });
        }
    }
    for (method, handler) in methods.entries {
        let path: Box<str> = method.path().into();
        let placement =
            placements.iter().rev().find(|(of, _)| **of == *path).map(|(_, placement)| *placement);
        Chain::register(interceptors, &method);
        let chain = Chain::resolve(interceptors, Side::Server, &method).map(Arc::new);
        let route = Route {
            handler: if chain.is_some() { Arc::new(Intercepted(handler)) } else { handler },
            method,
            placement: placement.unwrap_or_default(),
            cost: Cost::default(),
            chain,
        };
        if router.routes.insert(path.clone(), Arc::new(route)).is_some() {
            return Err(BuildError::Twice { path: path.into() });
        }
    }
    // The path comes with each call, and so does who looks at it.
    let any = |handler: Arc<dyn Handler>, placement| {
        let handler = if interceptors.is_empty() { handler } else { Arc::new(Intercepted(handler)) };
        let method = Method::new("", "", "", CallKind::BidiStreaming);
        Arc::new(Route { method, handler, placement, cost: Cost::default(), chain: None })
    };
    router.fallback = methods.fallback.map(|handler| any(handler, Placement::Spawn));
    router.unknown = (!interceptors.is_empty()).then(|| any(Arc::new(Unknown), Placement::Auto));
    Ok(router)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_main_prints_of_an_address_that_is_taken_names_it_and_the_reason() {
        let taken = Server::builder().bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().to_string();
        let error = Server::builder().bind(&address).await.map(drop).unwrap_err();
        let (shown, text) = (format!("{error:?}"), error.to_string());
        assert!(shown.starts_with(&text) && shown.contains(&address), "{shown}");
        assert!(shown.len() > text.len() && !shown.contains("Os {"), "{shown}");
    }
}
