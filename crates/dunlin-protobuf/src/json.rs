//! ProtoJSON.
