//! What services need around their calls.
//!
//! Each is an [`Interceptor`](dunlin_grpc::intercept::Interceptor), and is added to a server or a channel. Those
//! that are added first stand outermost; the order that serves most is that of the table.
//!
//! | interceptor | what it does | sides |
//! |---|---|---|
//! | [`RequestId`] | names each request, and passes the name on | both |
//! | [`Logging`] | a line for each call | both |
//! | [`Recovery`] | what callers are told of a panic, and who hears of it | both |
//! | [`Auth`] | who calls, and whether they may | server |
//! | [`RateLimit`] | so many calls a second, for each key | both |
//! | [`ConcurrencyLimit`] | so many calls at a time; the rest waits a little, or is shed | both |
//! | [`Deadlines`] | a timeout for those who have none, and not too long a one | both |
//! | [`Validation`] | messages that are not as they should be are refused | both |
//!
//! ```
//! use std::time::Duration;
//!
//! use dunlin_grpc::Status;
//! use dunlin_interceptors::{Auth, Deadlines, Logging, RateLimit, Recovery};
//!
//! struct User(String);
//!
//! let server = dunlin_server::Server::builder()
//!     .interceptor(Logging::new())
//!     .interceptor(Recovery::new())
//!     .interceptor(Auth::bearer(async |token: String| match &*token {
//!         "secret" => Ok(User("ann".into())),
//!         _ => Err(Status::unauthenticated("unknown token")),
//!     }))
//!     .interceptor(RateLimit::per_second(100.0).by_peer())
//!     .interceptor(Deadlines::new().max_timeout(Duration::from_secs(60)));
//! ```
//!
//! [`Auth`], [`RateLimit`] and [`ConcurrencyLimit`] leave the services alone by which operators look at a
//! server, [`OPERATORS_SERVICES`](dunlin_grpc::intercept::OPERATORS_SERVICES), unless told otherwise.

mod auth;
mod concurrency;
mod deadlines;
mod logging;
mod operators;
mod rate_limit;
mod recovery;
mod refusal;
mod request_id;
mod validation;

#[cfg(feature = "jwt")]
pub use auth::jwt::{Claims, InvalidJwks, Jwt, KeySource};
#[cfg(feature = "tls")]
pub use auth::mtls::{Certificate, MutualTls};
pub use auth::{ApiKeys, Auth, Authenticator};
pub use concurrency::ConcurrencyLimit;
pub use deadlines::Deadlines;
pub use logging::Logging;
pub use rate_limit::RateLimit;
pub use recovery::Recovery;
pub use request_id::{CurrentRequestId, RequestId};
pub use validation::{Validate, Validation, Violations};
