//! Reflection (`grpc.reflection.v1` and `v1alpha`): a server tells what it serves, and its schema.

#[cfg(feature = "server")]
mod builder;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod collect;
#[cfg(feature = "server")]
mod index;
#[cfg(feature = "server")]
mod service;

#[cfg(feature = "server")]
pub use builder::{ReflectionBuilder, ReflectionError};
#[cfg(feature = "client")]
pub use client::{FetchError, ReflectionClient};
#[cfg(feature = "server")]
pub use service::Reflection;

use dunlin_grpc::{CallKind, Method};

/// The full name of the service.
pub const NAME: &str = "grpc.reflection.v1.ServerReflection";
/// The full name of the service as it was called at first; many tools know this one only.
pub const NAME_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

const METHOD: &str = "ServerReflectionInfo";

/// The one method. The messages of both versions are the same but for their names.
const V1: Method = Method::new(
    NAME,
    METHOD,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    CallKind::BidiStreaming,
);
const V1_ALPHA: Method = Method::new(
    NAME_ALPHA,
    METHOD,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    CallKind::BidiStreaming,
);
