//! Every attack on a server and a client of our own, over sockets, and honest work of the same shape.

mod client;
mod honest;
mod memory;
mod on_server;
mod server;
