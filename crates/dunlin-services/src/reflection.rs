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

/// The full name of the service.
pub const NAME: &str = "grpc.reflection.v1.ServerReflection";
/// The full name of the service as it was called at first; many tools know this one only.
pub const NAME_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// The one method. The messages of both versions are the same but for their names.
#[cfg(any(feature = "client", feature = "server"))]
mod method {
    use dunlin_grpc::{CallKind, Method};

    const INFO: &str = "ServerReflectionInfo";

    pub(super) const V1: Method = Method::new(
        super::NAME,
        INFO,
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        CallKind::BidiStreaming,
    );
    pub(super) const V1_ALPHA: Method = Method::new(
        super::NAME_ALPHA,
        INFO,
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        CallKind::BidiStreaming,
    );
}
