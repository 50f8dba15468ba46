//! Everything put together: the store, the services, and what stands around them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dunlin::interceptors::{Deadlines, Logging, RateLimit, Recovery, RequestId};
use dunlin::server::tls::{ClientCerts, Identity, TlsConfigError, TrustRoots};
use dunlin::server::{BoundServer, Drained, ServeError, ServerTls, ShutdownPhase, serve_all};
use dunlin::services::{HealthReporter, PeriodicCheck, Reflection};
use dunlin::{CallView, Server, Status};
use tempfile::TempDir;

use crate::auth::{self, Caller, Tokens, TokensError};
use crate::closing::Closing;
use crate::config::Config;
use crate::proto::{
    ChatServiceServer, OrderServiceServer, PriceServiceServer, ProductServiceServer, UploadServiceServer,
    chat_service, order_service, price_service, product_service, upload_service,
};
use crate::services::chat::Chats;
use crate::services::order::Orders;
use crate::services::price::{Market, Prices};
use crate::services::product::Products;
use crate::services::upload::Uploads;
use crate::store::{self, Lock, OpenError, Store};
use crate::{seed, validation};

/// How often the database is asked whether it is there.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// What a call of one request and one response gets, if its caller does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the shop does not open. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Tokens that everybody knows, where everybody can reach the shop.
    #[error(
        "{address} can be reached from elsewhere, and without --tokens everybody knows the tokens; \
         name a file of tokens, or listen on 127.0.0.1"
    )]
    DemoTokens {
        /// The address.
        address: String,
    },
    /// The tokens.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// The database.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The files.
    #[error("can not keep files in {}; choose another folder with --data", path.display())]
    Files {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The first products.
    #[error("can not fill the shop; see --seed")]
    Seed(#[source] Status),
    /// The certificate or its key.
    #[error("can not serve TLS; see --tls-cert, --tls-key and --tls-client-ca")]
    Tls(#[source] TlsConfigError),
    /// An address.
    #[error("can not listen on {address}; choose another address with {flag}")]
    Listen {
        /// The address.
        address: String,
        /// What names it.
        flag: &'static str,
        /// Why not.
        source: ServeError,
    },
}

impl StartError {
    /// Whether the command line is at fault.
    pub fn is_usage(&self) -> bool {
        let is_address = |source: &ServeError| matches!(source, ServeError::Endpoint(_));
        matches!(self, Self::DemoTokens { .. })
            || matches!(self, Self::Listen { source, .. } if is_address(source))
    }
}

/// A shop that listens, and answers once it is [served](Self::serve_until).
#[derive(Debug)]
pub struct Shop {
    main: BoundServer,
    probes: Option<BoundServer>,
    /// Where everything is.
    pub store: Store,
    /// Where prices come from.
    pub market: Market,
    /// Products that are on the shelf.
    pub products: u32,
    _check: PeriodicCheck,
    // The last to go.
    _place: Place,
}

/// Where a shop has its things.
#[derive(Debug)]
enum Place {
    /// A folder that is gone with the shop, as what is in memory.
    Scratch(TempDir),
    /// One that no other shop uses meanwhile: this one removes files there that its database does not know.
    Locked { folder: PathBuf, _lock: Lock },
}

impl Place {
    fn of(config: &Config) -> Result<Self, OpenError> {
        let failed = |path: &Path, source| OpenError::Folder { path: path.to_owned(), source };
        if config.memory {
            let scratch = tempfile::tempdir().map_err(|source| failed(&std::env::temp_dir(), source))?;
            return Ok(Self::Scratch(scratch));
        }
        let folder = config.data.clone();
        std::fs::create_dir_all(&folder).map_err(|source| failed(&folder, source))?;
        let lock = store::lock(&folder)?;
        Ok(Self::Locked { folder, _lock: lock })
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Scratch(folder) => folder.path(),
            Self::Locked { folder, .. } => folder,
        }
    }
}

impl Shop {
    /// Opens the database, makes the services, and listens.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        let tokens = tokens(config)?;
        let tls = tls(config)?;
        let place = Place::of(config)?;
        let store = match place {
            Place::Scratch(_) => Store::in_memory()?,
            Place::Locked { .. } => Store::open(&config.database())?,
        };
        let products = seed::seed(&store, config.seed).await.map_err(StartError::Seed)?;

        let closing = Closing::default();
        let market = Market::new(Duration::from_millis(config.market_latency));
        let folder = place.folder().join("files");
        let max_upload = u64::from(config.max_upload) << 20;
        let uploads = Uploads::open(store.clone(), folder.clone(), max_upload).await;
        let uploads = uploads.map_err(|source| StartError::Files { path: folder, source })?;
        let (health, check) = health(&store);

        let mut builder = Server::builder()
            // From the outermost to the innermost.
            .interceptor(RequestId::new())
            .interceptor(Logging::new())
            .interceptor(Recovery::new())
            .interceptor(auth::interceptor(tokens));
        if config.rate_limit > 0 {
            builder = builder.interceptor(RateLimit::per_second(config.rate_limit.into()).by(whose));
        }
        builder = builder
            .interceptor(Deadlines::new().default_timeout(DEFAULT_TIMEOUT).unary_only())
            .interceptor(validation::interceptor())
            .add_service(ProductServiceServer::new(Products {
                store: store.clone(),
                closing: closing.clone(),
            }))
            .add_service(OrderServiceServer::new(Orders { store: store.clone(), closing: closing.clone() }))
            .add_service(PriceServiceServer::new(Prices::new(store.clone(), market.clone())))
            .add_service(ChatServiceServer::new(Chats::new(closing.clone())))
            .add_service(UploadServiceServer::new(uploads))
            .add_service(health.service())
            .add_service(Reflection::new())
            .shutdown_grace(Duration::from_secs(config.grace))
            .on_shutdown(move |phase| {
                if phase == ShutdownPhase::Draining {
                    closing.begin();
                }
            });
        if let Some(tls) = tls {
            builder = builder.tls(tls);
        }
        let main = bind(builder, &config.listen, "--listen").await?;
        let probes = match &config.probe_listen {
            Some(address) => {
                let builder = Server::builder().add_service(health.service());
                Some(bind(builder, address, "--probe-listen").await?)
            }
            None => None,
        };
        Ok(Self { main, probes, store, market, products, _check: check, _place: place })
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.main.local_addr().to_string()
    }

    /// Where it answers health checks only.
    pub fn probe_address(&self) -> Option<String> {
        self.probes.as_ref().map(|probes| probes.local_addr().to_string())
    }

    /// Answers until `signal` is ready, and lets calls end then.
    ///
    /// # Errors
    /// If a listener fails.
    pub async fn serve_until(self, signal: impl Future<Output = ()> + Send) -> Result<Drained, ServeError> {
        let Self { main, probes, store, _check, _place, .. } = self;
        let drained = serve_all(std::iter::once(main).chain(probes), signal).await;
        // The database is closed, and tidied up, before whatever it lies in.
        drop(store);
        drained
    }
}

async fn bind(
    builder: dunlin::server::Builder,
    address: &str,
    flag: &'static str,
) -> Result<BoundServer, StartError> {
    let bound = builder.bind(address).await;
    bound.map_err(|source| StartError::Listen { address: address.to_owned(), flag, source })
}

fn tokens(config: &Config) -> Result<Tokens, StartError> {
    match &config.tokens {
        Some(path) => Ok(Tokens::from_file(path)?),
        None if is_local(&config.listen) => Ok(Tokens::demo()),
        None => Err(StartError::DemoTokens { address: config.listen.clone() }),
    }
}

/// Whether only this machine can reach an address; true for those that are none, which is told elsewhere.
fn is_local(address: &str) -> bool {
    match address.parse::<SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        Err(_) => !address.contains(':') || address.starts_with("unix") || address.starts_with("localhost:"),
    }
}

fn tls(config: &Config) -> Result<Option<ServerTls>, StartError> {
    let (Some(certificate), Some(key)) = (&config.tls_cert, &config.tls_key) else { return Ok(None) };
    let mut tls = ServerTls::builder().identity(Identity::from_pem_files(certificate, key));
    if let Some(roots) = &config.tls_client_ca {
        tls = tls.client_certs(ClientCerts::Required(TrustRoots::from_pem_file(roots)));
    }
    tls.build().map(Some).map_err(StartError::Tls)
}

/// All services are as the database is.
fn health(store: &Store) -> (HealthReporter, PeriodicCheck) {
    let health = HealthReporter::new();
    let store = store.clone();
    let check = health.check_every("", PROBE_INTERVAL, move || {
        let store = store.clone();
        async move { store.probe().await }
    });
    let services = [
        product_service::NAME,
        order_service::NAME,
        price_service::NAME,
        chat_service::NAME,
        upload_service::NAME,
    ];
    (health, check.also(services).failure_threshold(2).spawn())
}

/// Whose calls are counted together: those of a caller, or of an address.
fn whose(call: &dyn CallView) -> Option<String> {
    match call.extension::<Caller>() {
        Some(caller) => Some(format!("caller {}", caller.name)),
        None => {
            let peer = call.peer()?;
            let host = peer.rsplit_once(':').map_or(&*peer, |(host, _port)| host);
            Some(format!("address {host}"))
        }
    }
}
