//! Every method of the shop, called over a socket as anyone would call it.

mod access;
mod chat;
mod files;
mod orders;
mod prices;
mod products;
mod running;
mod support;
