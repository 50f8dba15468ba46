//! Unix sockets, by path and by abstract name.

#[cfg(not(unix))]
mod absent;
#[cfg(unix)]
mod present;

#[cfg(not(unix))]
pub use absent::UnixStream;
#[cfg(not(unix))]
pub(crate) use absent::{UnixListening, bind, connect};
#[cfg(unix)]
pub(crate) use present::{UnixListening, bind, connect};
#[cfg(unix)]
pub use tokio::net::UnixStream;
