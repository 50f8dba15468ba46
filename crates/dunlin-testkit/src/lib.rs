//! Test helpers of Dunlin, free of the crates that they test.
//!
//! [`golden`] runs golden files: a case is a file, what comes of it is another file beside it, and
//! setting `DUNLIN_UPDATE=1` rewrites the expectations, so that the difference can be reviewed.
//! [`http2`] writes and reads HTTP/2 frames, well-formed or not.

pub mod golden;
pub mod http2;
