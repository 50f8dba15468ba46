//! Test helpers of Dunlin.
//!
//! So far the golden-file runner: a case is a file, what comes of it is another file beside it, and
//! setting `DUNLIN_UPDATE=1` rewrites the expectations, so that the difference can be reviewed.

pub mod golden;
