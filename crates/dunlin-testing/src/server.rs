//! Servers that live as long as a test wants.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::{Channel, ChannelBuilder};
use dunlin_grpc::intercept::Interceptor;
use dunlin_server::{Drained, Methods, ServeError, Server, Service, ShutdownHandle};
use dunlin_transport::pipe::{self, PipeConnector};
use dunlin_transport::{Listener, SocketOptions};
use tokio::task::{AbortHandle, JoinHandle};

use crate::fault::{self, Faults};

/// A server for one test, and the way to it. Dropping it cuts off what is at work and ends it.
///
/// ```
/// # use dunlin_client::Client;
/// # use dunlin_grpc::{CallKind, Method, Status};
/// # use dunlin_protobuf::wkt::StringValue;
/// # use dunlin_testing::{Mock, TestServer};
/// # const GREET: Method = Method::new("hello.Greeter", "Greet", "/hello.Greeter/Greet", CallKind::Unary);
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Status> {
/// # let shop = Mock::new();
/// # shop.on(GREET).reply(StringValue::default());
/// // With generated code: `TestServer::new(ShopServiceServer::new(shop))`.
/// let test = TestServer::new(&shop);
/// // And `ShopServiceClient::new(test.channel())`.
/// let client = Client::new(test.channel());
/// # client.unary::<_, StringValue>(GREET, StringValue::default()).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "the server ends when this is dropped"]
pub struct TestServer {
    way: Way,
    channel: Channel,
    shutdown: ShutdownHandle,
    /// `None` once it is stopped.
    serving: Option<JoinHandle<Result<Drained, ServeError>>>,
    /// What stands before the server, if there are faults.
    front: Option<AbortHandle>,
    change_channel: Arc<[ChannelChange]>,
}

type ChannelChange = Box<dyn Fn(ChannelBuilder) -> ChannelBuilder + Send + Sync>;

#[derive(Clone, Debug)]
enum Way {
    InProcess(PipeConnector),
    Tcp(SocketAddr),
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("target", &self.target()).finish_non_exhaustive()
    }
}

impl TestServer {
    /// Serves this service within the process.
    ///
    /// # Panics
    /// Outside of a runtime of tokio.
    pub fn new(service: impl Service) -> Self {
        Self::builder().add_service(service).start()
    }

    /// Serves this service on a free port of 127.0.0.1, for clients of any kind.
    ///
    /// # Panics
    /// Outside of a runtime of tokio, or if the system gives no port.
    pub fn tcp(service: impl Service) -> Self {
        Self::builder().add_service(service).tcp().start()
    }

    /// A server with more services, with interceptors, limits, faults.
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder {
            server: Server::builder(),
            change_channel: Vec::new(),
            is_tcp: false,
            faults: None,
        }
    }

    /// The channel to the server, the same each time; it connects when it is first used.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A channel with connections of its own.
    pub fn new_channel(&self) -> Channel {
        connect(&self.way, &self.change_channel)
    }

    /// A channel to the server, to be built with further settings.
    pub fn channel_builder(&self) -> ChannelBuilder {
        builder(&self.way, &self.change_channel)
    }

    /// What clients elsewhere connect to: `127.0.0.1:PORT`, or `in-process`, which only
    /// [`channel_builder`](Self::channel_builder) can reach.
    pub fn target(&self) -> String {
        match &self.way {
            Way::Tcp(address) => address.to_string(),
            Way::InProcess(_) => IN_PROCESS.to_owned(),
        }
    }

    /// Connections that are open.
    pub fn connection_count(&self) -> usize {
        self.shutdown.connection_count()
    }

    /// Begins to shut down as a server does that is asked to end: no more calls, and those that are at work
    /// get `grace`.
    pub fn shut_down(&self, grace: Duration) {
        self.shutdown.shut_down(grace);
    }

    /// Shuts down, and waits until everything has ended: how many calls were cut off after `grace`.
    ///
    /// # Panics
    /// If the listener has failed.
    pub async fn stop(mut self, grace: Duration) -> Drained {
        self.shut_down(grace);
        match self.serving.take() {
            Some(serving) => match serving.await {
                Ok(Ok(drained)) => drained,
                Ok(Err(error)) => panic!("the server under test has failed: {error}"),
                Err(error) => panic!("the server under test has ended: {error}"),
            },
            None => Drained::default(),
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(front) = &self.front {
            front.abort();
        }
        if self.serving.is_some() {
            self.shutdown.shut_down(Duration::ZERO);
        }
    }
}

/// Collects the settings of a [`TestServer`].
///
/// ```
/// use std::time::Duration;
///
/// # use dunlin_grpc::{CallKind, Method, Status};
/// # use dunlin_testing::{Mock, Recorder, TestServer};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let (shop, mock) = (&Mock::new(), Mock::new());
/// let seen = Recorder::new();
/// let test = TestServer::builder()
///     .add_service(shop)
///     .interceptor(seen.clone())
///     .server(|server| server.max_timeout(Duration::from_secs(30)).max_receive_message_size(1 << 20))
///     .channel(|channel| channel.connect_timeout(Duration::from_secs(1)))
///     .start();
/// # }
/// ```
#[must_use = "a builder does nothing until `start`"]
pub struct TestServerBuilder {
    server: dunlin_server::Builder,
    change_channel: Vec<ChannelChange>,
    is_tcp: bool,
    faults: Option<Faults>,
}

impl fmt::Debug for TestServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServerBuilder").field("server", &self.server).finish_non_exhaustive()
    }
}

impl TestServerBuilder {
    /// Adds a service.
    pub fn add_service(self, service: impl Service) -> Self {
        self.server(|server| server.add_service(service))
    }

    /// Adds methods one by one.
    pub fn methods(self, add: impl FnOnce(&mut Methods)) -> Self {
        self.server(|server| server.methods(add))
    }

    /// An interceptor of the server, within those that were added before.
    pub fn interceptor(self, interceptor: impl Interceptor) -> Self {
        self.server(|server| server.interceptor(interceptor))
    }

    /// Any setting of the server: limits, interceptors, compression. Settings of its listener and TLS have
    /// no effect here.
    pub fn server(mut self, change: impl FnOnce(dunlin_server::Builder) -> dunlin_server::Builder) -> Self {
        self.server = change(self.server);
        self
    }

    /// Any setting of the channels to the server.
    pub fn channel(
        mut self,
        change: impl Fn(ChannelBuilder) -> ChannelBuilder + Send + Sync + 'static,
    ) -> Self {
        self.change_channel.push(Box::new(change));
        self
    }

    /// An interceptor of the channels to the server, such as a recorder.
    pub fn channel_interceptor(self, interceptor: impl Interceptor + Clone) -> Self {
        self.channel(move |channel| channel.interceptor(interceptor.clone()))
    }

    /// These faults, for all that reaches the server; those that are added later too. Within the
    /// interceptors that were added before, so that a recorder among those sees them.
    pub fn faults(mut self, faults: &Faults) -> Self {
        self.faults = Some(faults.clone());
        self.interceptor(faults.clone())
    }

    /// On a free port of 127.0.0.1, in place of within the process.
    pub fn tcp(mut self) -> Self {
        self.is_tcp = true;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// Outside of a runtime of tokio, if settings contradict each other, or if the system gives no port.
    pub fn start(self) -> TestServer {
        let server = match self.server.build() {
            Ok(server) => server,
            Err(error) => panic!("the server under test can not be built: {error}"),
        };
        let (way, listener) = if self.is_tcp { listen_tcp() } else { listen_in_process() };
        let (listener, front) = match self.faults {
            None => (listener, None),
            Some(faults) => {
                let (behind, served) = pipe::listen(BACKLOG, CAPACITY);
                let front = tokio::spawn(fault::stand_before(listener, behind, faults));
                (served, Some(front.abort_handle()))
            }
        };
        let bound = server.on(listener);
        let shutdown = bound.shutdown_handle();
        let serving = Some(tokio::spawn(bound.serve()));
        let change_channel: Arc<[ChannelChange]> = self.change_channel.into();
        let channel = connect(&way, &change_channel);
        TestServer { way, channel, shutdown, serving, front, change_channel }
    }
}

const IN_PROCESS: &str = "in-process";
/// Connections that may wait to be accepted.
const BACKLOG: usize = 128;
/// Bytes of a pipe, each way.
const CAPACITY: usize = pipe::DEFAULT_CAPACITY;

fn listen_in_process() -> (Way, Listener) {
    let (connector, listener) = pipe::listen(BACKLOG, CAPACITY);
    (Way::InProcess(connector), listener)
}

fn listen_tcp() -> (Way, Listener) {
    let bind = || {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((Way::Tcp(address), Listener::from_std_tcp(listener, SocketOptions::default())?))
    };
    bind().unwrap_or_else(|error: std::io::Error| panic!("the system gives no port for a test: {error}"))
}

fn builder(way: &Way, changes: &[ChannelChange]) -> ChannelBuilder {
    let builder = match way {
        Way::InProcess(connector) => Channel::builder(IN_PROCESS).in_process(connector),
        Way::Tcp(address) => Channel::builder(address.to_string()),
    };
    changes.iter().fold(builder, |builder, change| change(builder))
}

fn connect(way: &Way, changes: &[ChannelChange]) -> Channel {
    match builder(way, changes).connect_lazy() {
        Ok(channel) => channel,
        Err(error) => panic!("the channel to the server under test can not be built: {error}"),
    }
}
