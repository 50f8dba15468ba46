//! Ours, with the types that `dunlin` generates.

use crate::case::Case;
use crate::data::Data;

pub const PEER: &str = "dunlin";

/// None yet: the types are to be generated first. [`crate::prost::cases`] is the pattern to follow.
pub fn cases(_data: &Data) -> Vec<Case> {
    Vec::new()
}
