//! The services, one a file.

pub mod chat;
pub mod order;
pub mod price;
pub mod product;
pub mod upload;
