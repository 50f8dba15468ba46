//! Channels: where calls go.

mod connections;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dunlin_grpc::intercept::{Chain, Interceptor, InterceptorRef, Side};
use dunlin_grpc::{Encoding, Encodings, Metadata, Method, Status, head};
use dunlin_http2::{Config, HeaderBlock};
#[cfg(feature = "tls")]
use dunlin_transport::ClientTls;
use dunlin_transport::http_proxy::ProxySettings;
use dunlin_transport::pipe::PipeConnector;
use dunlin_transport::{Connector, Endpoint, SocketOptions};
use tokio::sync::{mpsc, watch};

use crate::backoff::Backoff;
use crate::call::ClientCall;
use crate::credentials::Credentials;
use crate::dial::{Dial, Dialer};
use crate::keepalive::{self, Configs};
use crate::manager::{self, Command};
use crate::picker::{Link, Pick, PickInfo, Picker, Queueing, ShutDown};
use crate::resolve::{Resolution, Resolver, SystemResolver};
use crate::target::{Target, TargetError};

/// How a channel is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has no connection, and nobody has asked for one.
    Idle,
    /// It looks for the addresses, or connects.
    Connecting,
    /// Calls are sent at once.
    Ready,
    /// Connecting failed; it is tried again after a while.
    TransientFailure,
    /// It was shut down, for good.
    Shutdown,
}

/// Where calls go: connections to a target, made when they are needed. Cheap to clone; all clones are one
/// channel, which ends with the last of them and the calls in progress.
#[derive(Clone)]
pub struct Channel(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) settings: Arc<ChannelSettings>,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    shared: Mutex<Shared>,
    blocks: Mutex<HashMap<Box<str>, HeaderBlock>>,
    chains: Mutex<HashMap<Box<str>, Option<Arc<Chain>>>>,
    state: watch::Sender<State>,
    /// Someone called since this was looked at last.
    is_active: AtomicBool,
    /// Connections that are not closed yet, also those that take no more calls.
    pub(crate) open: Arc<watch::Sender<usize>>,
}

pub(crate) struct ChannelSettings {
    pub(crate) target: Target,
    pub(crate) interceptors: Vec<InterceptorRef>,
    pub(crate) authority: Arc<str>,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) dialer: Dialer,
    pub(crate) http2: Configs,
    pub(crate) encodings: Arc<Encodings>,
    /// Metadata has what the protocol's fields tell, too.
    pub(crate) shows_protocol: bool,
    pub(crate) backoff: Backoff,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_connections: usize,
    pub(crate) credentials: Credentials,
    pub(crate) is_secure: bool,
    pub(crate) connection_window: u32,
    pub(crate) encoding: Encoding,
    user_agent: String,
}

struct Shared {
    picker: Arc<dyn Picker>,
    waiters: Vec<Waker>,
    /// Why connecting failed last.
    failure: Option<String>,
    /// Of the manager, until it is started.
    unstarted: Option<mpsc::UnboundedReceiver<Command>>,
    is_connect_asked: bool,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("target", self.target()).field("state", &self.state()).finish()
    }
}

/// Why a channel can not be made, or connected. `{:?}` shows the text with all causes, as it is what a `main`
/// that returns the error prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The target is none.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The authority or the user agent has characters that they can not have.
    #[error("`{setting}` is `{value}`, which no header field can have")]
    Field {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// Connecting failed.
    #[error(transparent)]
    Connect(#[from] Status),
}

impl fmt::Debug for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&dunlin_grpc::causes(self))
    }
}

impl Inner {
    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn shared(&self) -> MutexGuard<'_, Shared> {
        match self.shared.lock() {
            Ok(shared) => shared,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub(crate) fn set_state(&self, state: State) {
        self.state.send_if_modified(|old| std::mem::replace(old, state) != state);
    }

    /// What calls go by from now on. Those that wait are woken.
    pub(crate) fn publish(&self, state: State, picker: Arc<dyn Picker>, failure: Option<String>) {
        let (waiters, old) = {
            let mut shared = self.shared();
            let old = std::mem::replace(&mut shared.picker, picker);
            shared.is_connect_asked = state != State::Idle;
            if failure.is_some() || state == State::Ready {
                shared.failure = failure;
            }
            (std::mem::take(&mut shared.waiters), old)
        };
        drop(old);
        self.set_state(state);
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Whether someone called since this was asked last.
    pub(crate) fn take_activity(&self) -> bool {
        self.is_active.swap(false, Ordering::Relaxed)
    }

    /// Lets the manager run, if it does not.
    fn start(self: &Arc<Self>, shared: &mut Shared) {
        if let Some(commands) = shared.unstarted.take() {
            tokio::spawn(manager::run(Arc::downgrade(self), commands));
        }
        if !std::mem::replace(&mut shared.is_connect_asked, true) {
            let _ = self.commands.send(Command::Connect);
        }
    }
}

impl Channel {
    /// A channel to a target, such as `localhost:50051`, `dns:///shop.example:443` or `unix:/run/shop.sock`;
    /// see [`Target`].
    pub fn builder(target: impl Into<String>) -> ChannelBuilder {
        ChannelBuilder::new(target.into())
    }

    /// A channel to a server in this process.
    ///
    /// # Panics
    /// Never: the target is one.
    pub fn in_process(connector: &PipeConnector) -> Self {
        let builder = Self::builder("in-process").in_process(connector);
        builder.connect_lazy().expect("the target and the settings are known to be good")
    }

    /// What it is to reach.
    pub fn target(&self) -> &Target {
        &self.0.settings.target
    }

    /// How it is connected.
    pub fn state(&self) -> State {
        *self.0.state.borrow()
    }

    /// Waits until the state is another one than `last`, and gives it. Short-lived states may be missed.
    pub async fn state_change(&self, last: State) -> State {
        let mut states = self.0.state.subscribe();
        // The sender is in this channel, so this fails never.
        states.wait_for(|state| *state != last).await.map_or(State::Shutdown, |state| *state)
    }

    /// Connects if it is idle, and waits for the outcome.
    ///
    /// # Errors
    /// UNAVAILABLE with every address that was tried, if none can be had. The channel goes on trying. The source
    /// of the status is the [`ConnectError`] of the last address, or what [`Dial`] gave; there is none if that
    /// was reached and did not become ready.
    ///
    /// [`ConnectError`]: crate::ConnectError
    pub async fn connect(&self) -> Result<(), Status> {
        const METHOD: Method = Method::new("", "", "", dunlin_grpc::CallKind::Unary);
        std::future::poll_fn(|cx| self.poll_pick(&METHOD, false, cx)).await.map(drop)
    }

    /// Tries to connect at once, if it waits after a failure.
    pub fn reset_backoff(&self) {
        let _ = self.0.commands.send(Command::ResetBackoff);
    }

    /// Takes no more calls, and waits until those in progress have ended and all connections are closed: what
    /// was sent has left this process, and servers see an orderly end. As long as a call goes on, which a
    /// timeout may bound.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// # async fn run(channel: dunlin_client::Channel) {
    /// let _ = tokio::time::timeout(Duration::from_secs(5), channel.close()).await;
    /// # }
    /// ```
    pub async fn close(&self) {
        self.shut_down();
        // Both senders are in this channel, so waiting fails never.
        let _ = self.0.state.subscribe().wait_for(|state| *state == State::Shutdown).await;
        let _ = self.0.open.subscribe().wait_for(|open| *open == 0).await;
    }

    /// Takes no more calls. Those in progress go on; [`close`](Self::close) waits for them.
    pub fn shut_down(&self) {
        let unstarted = self.0.shared().unstarted.take();
        if unstarted.is_some() {
            // Nobody has called, so there is nothing to end.
            return self.0.publish(State::Shutdown, Arc::new(ShutDown), None);
        }
        let _ = self.0.commands.send(Command::ShutDown);
    }

    pub(crate) fn target_text(&self) -> &str {
        self.target().as_str()
    }

    /// The interceptors of a method: those of the channel, and within them those of a call.
    pub(crate) fn chain(&self, method: &Method, of_call: &[InterceptorRef]) -> Option<Arc<Chain>> {
        let of_channel = &self.settings().interceptors;
        if !of_call.is_empty() {
            let all = of_channel.iter().chain(of_call);
            return Chain::resolve(all, Side::Client, method).map(Arc::new);
        }
        if of_channel.is_empty() {
            return None;
        }
        let mut chains = match self.0.chains.lock() {
            Ok(chains) => chains,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(chain) = chains.get(method.path()) {
            return chain.clone();
        }
        let chain = Chain::resolve(of_channel, Side::Client, method).map(Arc::new);
        if chains.len() < MAX_BLOCKS {
            chains.insert(method.path().into(), chain.clone());
        }
        chain
    }

    pub(crate) fn settings(&self) -> &ChannelSettings {
        &self.0.settings
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.0.shared().failure.clone()
    }

    /// The connection for a call.
    pub(crate) fn poll_pick(
        &self,
        method: &Method,
        waits_for_ready: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Arc<Link>, Status>> {
        self.0.is_active.store(true, Ordering::Relaxed);
        let mut shared = self.0.shared();
        match shared.picker.pick(&PickInfo { method }) {
            Pick::Complete(link) => return Poll::Ready(Ok(link)),
            Pick::Drop(status) => return Poll::Ready(Err(status)),
            Pick::Fail(status) if !waits_for_ready => return Poll::Ready(Err(status)),
            Pick::Fail(_) | Pick::Queue => {}
        }
        if !shared.waiters.iter().any(|waker| waker.will_wake(cx.waker())) {
            shared.waiters.push(cx.waker().clone());
        }
        self.0.start(&mut shared);
        Poll::Pending
    }

    /// The headers of a method, the same for all its calls.
    pub(crate) fn block(&self, method: &Method) -> Result<HeaderBlock, Status> {
        let mut blocks = match self.0.blocks.lock() {
            Ok(blocks) => blocks,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(block) = blocks.get(method.path()) {
            return Ok(block.clone());
        }
        let settings = self.settings();
        let scheme = if settings.is_secure { "https" } else { "http" };
        let block = head::request_block(
            scheme,
            &settings.authority,
            method.path(),
            &settings.user_agent,
            &settings.encodings,
        );
        let block = block.map_err(|error| Status::internal(error.to_string()).with_source(error))?;
        // Methods that a program calls are few; a proxy may call whatever it is asked for.
        if blocks.len() < MAX_BLOCKS {
            blocks.insert(method.path().into(), block.clone());
        }
        Ok(block)
    }

    /// A call that was not looked at by any server goes on to the next connection.
    pub(crate) fn begin_again(self, call: Arc<ClientCall>) {
        tokio::spawn(async move {
            let pick = async {
                loop {
                    let wait = call.waits_for_ready;
                    let look = |cx: &mut Context<'_>| match call.poll_cancelled(cx) {
                        Poll::Ready(status) => Poll::Ready(Err(status)),
                        Poll::Pending => self.poll_pick(&call.method, wait, cx),
                    };
                    let link = std::future::poll_fn(look).await?;
                    match call.begin_on(&link) {
                        Ok(()) => return Ok(()),
                        Err(status) => match call.cancelled() {
                            Some(cancelled) => return Err(cancelled),
                            None => drop(status),
                        },
                    }
                    // The manager is about to hear that this connection is gone.
                    tokio::task::yield_now().await;
                }
            };
            let result = match call.deadline {
                None => pick.await,
                Some(deadline) => match tokio::time::timeout_at(deadline.into(), pick).await {
                    Ok(result) => result,
                    Err(_) => Err(call.deadline_exceeded(self.failure())),
                },
            };
            if let Err(status) = result {
                call.finish(Err(status), Metadata::new());
            }
        });
    }
}

/// Methods whose headers and interceptors are kept.
const MAX_BLOCKS: usize = 1024;

/// Collects the settings of a [`Channel`].
#[must_use = "a builder does nothing until `connect` or `connect_lazy`"]
pub struct ChannelBuilder {
    target: String,
    custom_target: Option<Target>,
    interceptors: Vec<InterceptorRef>,
    authority: Option<String>,
    resolver: Option<Arc<dyn Resolver>>,
    dialer: Option<Dialer>,
    options: SocketOptions,
    proxy: ProxySettings,
    #[cfg(feature = "tls")]
    tls: Option<ClientTls>,
    is_custom_secure: bool,
    config: Config,
    connection_window: u32,
    encoding: Encoding,
    encodings: Encodings,
    shows_protocol: bool,
    backoff: Backoff,
    connect_timeout: Duration,
    idle_timeout: Duration,
    max_connections: usize,
    credentials: Credentials,
    user_agent: Option<String>,
}

impl fmt::Debug for ChannelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBuilder").field("target", &self.target).finish_non_exhaustive()
    }
}

impl ChannelBuilder {
    fn new(target: String) -> Self {
        Self {
            target,
            custom_target: None,
            interceptors: Vec::new(),
            authority: None,
            resolver: None,
            dialer: None,
            options: SocketOptions::default(),
            proxy: ProxySettings::default(),
            #[cfg(feature = "tls")]
            tls: None,
            is_custom_secure: false,
            config: Config::default(),
            connection_window: 1 << 20,
            encoding: Encoding::Identity,
            encodings: Encodings::default(),
            shows_protocol: false,
            backoff: Backoff::default(),
            connect_timeout: Duration::from_secs(20),
            idle_timeout: manager::IDLE_TIMEOUT,
            max_connections: 10,
            credentials: Credentials::default(),
            user_agent: None,
        }
    }

    /// TLS; clear text otherwise.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// An [`Interceptor`] for all calls, within those that were added before; for some methods by
    /// [`only`](Interceptor::only) and [`except`](Interceptor::except). None, which costs nothing.
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.push(InterceptorRef::new(interceptor));
        self
    }

    /// What servers are called by, and what their certificates have to be for. That of the target.
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// Finds the addresses in place of the system. The target can then be any text.
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Makes connections in place of the built-in way; `is_secure` if others can not read them.
    pub fn dial(mut self, dial: impl Dial, is_secure: bool) -> Self {
        self.dialer = Some(Dialer::Custom(Arc::new(dial)));
        self.is_custom_secure = is_secure;
        self
    }

    /// Connects to a server in this process. The target is only a name then.
    pub fn in_process(mut self, connector: &PipeConnector) -> Self {
        self.dialer = Some(Dialer::InProcess(connector.clone()));
        let name = std::mem::take(&mut self.target);
        let authority = name.rsplit('/').next().unwrap_or_default().to_owned();
        self.custom_target = Some(Target::custom(name, authority));
        self.resolver = Some(Arc::new(Nowhere));
        self.is_custom_secure = true;
        self
    }

    /// Codings of responses that are taken. All that are built in.
    pub fn accept_compressed(mut self, encodings: impl IntoIterator<Item = Encoding>) -> Self {
        self.encodings = Encodings::new(encodings);
        self
    }

    /// Metadata of responses has `content-type`, `grpc-accept-encoding` and `grpc-status-details-bin`, too: for
    /// tools that show all that came. Off.
    pub fn show_protocol_fields(mut self, show: bool) -> Self {
        self.shows_protocol = show;
        self
    }

    /// What the requests of all calls are compressed with, where a call says nothing else; the servers have
    /// to understand it. Nothing.
    pub fn send_compressed(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Credentials of all calls. They need TLS, unless they say otherwise.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials.extend(&credentials);
        self
    }

    /// The application's part of `user-agent`, before ours.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Bytes of a stream that a server may send before they are read. 256 KiB, at least 65,535; it grows with
    /// the measured path.
    pub fn stream_window_size(mut self, bytes: u32) -> Self {
        self.config = self.config.initial_window_size(bytes.max(65_535));
        self
    }

    /// Bytes of all streams of a connection together that a server may send before they are read. 1 MiB, at
    /// least 65,535; it grows as that of streams.
    pub fn connection_window_size(mut self, bytes: u32) -> Self {
        self.connection_window = bytes.max(65_535);
        self.config = self.config.connection_window_size(self.connection_window);
        self
    }

    /// Bytes of the headers of a response, with 32 for each field. 32 KiB.
    pub fn max_header_list_size(mut self, bytes: u32) -> Self {
        self.config = self.config.max_header_list_size(bytes);
        self
    }

    /// The channel, without a connection yet: the first call makes it.
    ///
    /// # Errors
    /// A target or a setting that can not be.
    pub fn connect_lazy(self) -> Result<Channel, ChannelError> {
        let target = match (self.custom_target, &self.resolver) {
            (Some(target), _) => target,
            (None, None) => self.target.parse()?,
            (None, Some(_)) => self.target.parse().unwrap_or_else(|_| {
                let authority = self.target.rsplit('/').next().unwrap_or_default().to_owned();
                Target::custom(self.target.clone(), authority)
            }),
        };
        #[cfg(feature = "tls")]
        let has_tls = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let has_tls = false;
        let default_port = if has_tls { 443 } else { 80 };
        let authority: Arc<str> = self.authority.unwrap_or_else(|| target.authority().to_owned()).into();
        let user_agent = head::user_agent(self.user_agent.as_deref());
        for (setting, value) in [("authority", &*authority), ("user_agent", &user_agent)] {
            if value.is_empty() || value.bytes().any(|byte| !matches!(byte, 0x20..=0x7e)) {
                return Err(ChannelError::Field { setting, value: value.to_owned() });
            }
        }
        let is_secure = if self.dialer.is_some() { self.is_custom_secure } else { has_tls };
        // The socket notices what was written and never arrived, also while other octets come.
        let options = match keepalive::user_timeout(&self.config) {
            Some(timeout) => self.options.or_user_timeout(timeout),
            None => self.options,
        };
        // How long all of it may take is the manager's part.
        #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "TLS changes it"))]
        let mut connector = Connector::new().options(options).proxy(self.proxy).timeout(Duration::MAX);
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls {
            connector = connector.tls(tls);
        }
        let resolver =
            self.resolver.unwrap_or_else(|| Arc::new(SystemResolver::new(target.clone(), default_port)));
        let settings = ChannelSettings {
            target,
            interceptors: self.interceptors,
            authority,
            resolver,
            dialer: self.dialer.unwrap_or(Dialer::System(connector)),
            http2: Configs::new(self.config),
            encodings: Arc::new(self.encodings),
            shows_protocol: self.shows_protocol,
            backoff: self.backoff,
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
            max_connections: self.max_connections,
            credentials: self.credentials,
            is_secure,
            connection_window: self.connection_window,
            encoding: self.encoding,
            user_agent,
        };
        let (commands, unstarted) = mpsc::unbounded_channel();
        let shared = Shared {
            picker: Arc::new(Queueing),
            waiters: Vec::new(),
            failure: None,
            unstarted: Some(unstarted),
            is_connect_asked: false,
        };
        Ok(Channel(Arc::new(Inner {
            settings: Arc::new(settings),
            commands,
            shared: Mutex::new(shared),
            blocks: Mutex::default(),
            chains: Mutex::default(),
            state: watch::Sender::new(State::Idle),
            is_active: AtomicBool::new(false),
            open: Arc::default(),
        })))
    }

    /// The channel, once it is connected.
    ///
    /// # Errors
    /// As [`connect_lazy`](Self::connect_lazy), and UNAVAILABLE with every address that was tried.
    pub async fn connect(self) -> Result<Channel, ChannelError> {
        let channel = self.connect_lazy()?;
        channel.connect().await?;
        Ok(channel)
    }
}

/// A server in this process has no address; there has to be one to dial.
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self) -> crate::dial::BoxFuture<'_, Result<Resolution, Status>> {
        Box::pin(std::future::ready(Ok(Resolution::new([Endpoint::Host {
            host: "in-process".into(),
            port: 0,
        }]))))
    }
}
