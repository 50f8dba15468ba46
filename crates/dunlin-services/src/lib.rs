//! The standard services of gRPC servers, and their clients.
//!
//! - [`health`]: which services of a server can be used. Kubernetes, balancers and clients ask it.
//! - [`reflection`]: what a server serves, and its schema. Tools such as grpcurl ask it, and programs that
//!   learn their schema when they run.
//!
//! ```
//! # #[cfg(feature = "server")]
//! # async fn run() -> Result<(), dunlin_server::ServeError> {
//! use dunlin_server::Server;
//! use dunlin_services::{HealthReporter, Reflection};
//!
//! let health = HealthReporter::new();
//! Server::builder()
//!     // .add_service(ShopServer::new(shop))
//!     .add_service(health.service())
//!     .add_service(Reflection::new())
//!     .serve("0.0.0.0:50051")
//!     .await
//! # }
//! ```
//!
//! The types to know are [`HealthReporter`] and [`Reflection`] on servers, [`HealthClient`] and
//! [`ReflectionClient`] on clients. To serve some of it apart from the public port, see
//! [`serve_all`](dunlin_server::serve_all).
//!
//! Both sides are features, `server` and `client`, and on by default.

pub mod health;
pub mod reflection;

pub use health::ServingStatus;
#[cfg(feature = "client")]
pub use health::{HealthClient, HealthWatch};
#[cfg(feature = "server")]
pub use health::{HealthReporter, HealthService, PeriodicCheck};
#[cfg(feature = "server")]
pub use reflection::Reflection;
#[cfg(feature = "client")]
pub use reflection::ReflectionClient;

/// Where generated code finds what services and clients are made of.
#[cfg(any(feature = "client", feature = "server"))]
mod rpc {
    #[cfg(feature = "client")]
    pub(crate) use dunlin_client as client;
    pub(crate) use dunlin_grpc as grpc;
    #[cfg(feature = "server")]
    pub(crate) use dunlin_server as server;
}

#[cfg(feature = "client")]
mod generated_client {
    include!("generated/client/mod.rs");
}

#[cfg(feature = "server")]
mod generated_server {
    include!("generated/server/mod.rs");
}

/// As much of a text of the peer as a message needs.
#[cfg(feature = "server")]
fn shown(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}
