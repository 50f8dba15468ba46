//! From a target to addresses.

use std::fmt;

use dunlin_grpc::Status;
use dunlin_transport::{ConnectError, Endpoint};

use crate::dial::BoxFuture;
use crate::target::{Kind, Target};

/// What a target is at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolution {
    /// Where it can be reached, the preferred ones first.
    pub endpoints: Vec<Endpoint>,
}

impl Resolution {
    /// These addresses.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { endpoints: endpoints.into_iter().collect() }
    }
}

/// Finds the addresses of a target. It is asked before the first connection, and again when connecting
/// failed.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses, as they are now.
    ///
    /// # Errors
    /// UNAVAILABLE, usually. Codes that only an application's answer can have become INTERNAL.
    fn resolve(&self) -> BoxFuture<'_, Result<Resolution, Status>>;
}

/// The resolver of what is written in the target itself, and of the system.
pub(crate) struct SystemResolver {
    target: Target,
    default_port: u16,
}

impl fmt::Debug for SystemResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemResolver({})", self.target)
    }
}

impl SystemResolver {
    pub(crate) fn new(target: Target, default_port: u16) -> Self {
        Self { target, default_port }
    }

    async fn look_up(&self) -> Result<Resolution, Status> {
        match self.target.kind() {
            Kind::Fixed(endpoints) => Ok(Resolution::new(endpoints.iter().cloned())),
            Kind::FixedHosts(hosts) => {
                let endpoints = hosts.iter().map(|host| format!("{host}:{}", self.default_port).parse());
                let endpoints = endpoints.collect::<Result<Vec<Endpoint>, _>>();
                endpoints.map(Resolution::new).map_err(|error| Status::internal(error.to_string()))
            }
            Kind::Dns { host, port } => {
                let port = port.unwrap_or(self.default_port);
                let failed = |error: ConnectError, why: &dyn fmt::Display| {
                    Status::unavailable(format!("cannot look up {host}: {why}")).with_source(error)
                };
                let endpoint = || Endpoint::Host { host: (&**host).into(), port };
                let found = match tokio::net::lookup_host((&**host, port)).await {
                    Ok(found) => found,
                    Err(source) => {
                        let why = source.to_string();
                        return Err(failed(ConnectError::Lookup { endpoint: endpoint(), source }, &why));
                    }
                };
                let endpoints: Vec<Endpoint> = found.map(Endpoint::Ip).collect();
                if endpoints.is_empty() {
                    let error = ConnectError::NoAddress { endpoint: endpoint() };
                    return Err(failed(error, &"the name has no address"));
                }
                Ok(Resolution::new(endpoints))
            }
            Kind::Other => {
                Err(Status::internal(format!("no resolver for {}: give the channel one", self.target)))
            }
        }
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self) -> BoxFuture<'_, Result<Resolution, Status>> {
        Box::pin(self.look_up())
    }
}
