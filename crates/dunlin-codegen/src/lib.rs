//! Code generation for Dunlin.
//!
//! So far the plugin protocol of protoc, from the side of the compiler: [`plugin::run`] hands a
//! request to a `protoc-gen-...` program, and [`output::Output`] collects the files that come back,
//! insertion points included.
//!
//! ```
//! use dunlin_codegen::output::Output;
//! use dunlin_protobuf::plugin::{CodeGeneratorResponse, File};
//!
//! let file = File { name: Some("a.txt".into()), content: Some("hello\n".into()), ..Default::default() };
//! let mut output = Output::default();
//! output.apply(CodeGeneratorResponse { file: vec![file], ..Default::default() })?;
//! assert_eq!(output.files()["a.txt"], b"hello\n");
//! # Ok::<(), dunlin_codegen::output::OutputError>(())
//! ```

pub mod output;
pub mod plugin;
pub mod rust;
