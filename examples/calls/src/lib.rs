//! The services that the programs in `src/bin` implement and call.

dunlin::include_generated!();
