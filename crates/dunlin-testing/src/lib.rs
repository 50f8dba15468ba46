//! What tests of programs with Dunlin are made of: servers within the test, mocks, recorded calls, faults.
//!
//! ```
//! use dunlin_client::Client;
//! use dunlin_grpc::{CallKind, Code, Method, Status};
//! use dunlin_protobuf::wkt::StringValue;
//! use dunlin_testing::{Faults, Mock, Recorder, TestServer};
//!
//! const GREET: Method = Method::new("hello.Greeter", "Greet", "/hello.Greeter/Greet", CallKind::Unary);
//!
//! # fn text(value: &str) -> StringValue { StringValue { value: value.into(), ..Default::default() } }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Status> {
//! // A service that answers as the test wants, on a server within the process.
//! let mock = Mock::new();
//! mock.on(GREET).with(|name: StringValue| Ok(text(&format!("hello {}", name.value))));
//!
//! // The first call fails, whatever the service does.
//! let faults = Faults::new();
//! faults.on(GREET).fail(Status::unavailable("not yet")).once();
//!
//! let recorder = Recorder::new();
//! let test = TestServer::builder()
//!     .add_service(&mock)
//!     .faults(&faults)
//!     .channel_interceptor(recorder.clone())
//!     .start();
//!
//! let client = Client::new(test.channel());
//! let status = client.unary::<_, StringValue>(GREET, text("you")).await.unwrap_err();
//! assert_eq!(status.code(), Code::Unavailable);
//! let reply: StringValue = client.unary(GREET, text("you")).await?;
//! assert_eq!(reply.value, "hello you");
//!
//! let calls = recorder.of(GREET).assert_count(2);
//! calls[0].assert_code(Code::Unavailable);
//! calls[1].assert_request(&text("you")).assert_response(&text("hello you"));
//! mock.verify();
//! # Ok(())
//! # }
//! ```
//!
//! [`TestServer`] serves services, real ones and [`Mock`]s, within the process or on a free port.
//! [`Recorder`] and [`Faults`] stand on either side of calls. With generated code a method is a constant,
//! such as `shop_service::GET_PRODUCT`.
//!
//! # Time
//!
//! All of it goes by the clock of tokio, so that a test may stop it: by `#[tokio::test(start_paused = true)]`
//! (the feature `test-util` of tokio), deadlines, delays and backoff take no time at all, and end in the
//! order that they should. That holds for servers within the process only: while a socket is waited for,
//! a clock that is stopped runs ahead.
//!
//! # Panics
//!
//! What a test has set up wrongly, and what it asserts, ends in a panic that tells what was seen.

mod fault;
mod mock;
mod record;
mod server;

pub use fault::{FaultRule, Faults, FaultyDialer, On, Target};
pub use mock::{MethodName, Mock, MockMethod, MockRule};
pub use record::{Calls, RecordedCall, Recorder};
pub use server::{TestServer, TestServerBuilder};

pub use dunlin_http2::ErrorCode;
