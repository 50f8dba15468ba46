//! Sockets and connection tasks.
