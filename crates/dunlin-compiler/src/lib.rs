//! The Protocol Buffers schema compiler of Dunlin: `.proto` text to linked descriptors.
//!
//! ```
//! use dunlin_compiler::{Compiler, DescriptorOptions, loader::Sources};
//!
//! let sources = Sources::new()
//!     .file("shop.proto", r#"syntax = "proto3"; import "money.proto"; message Order { Money total = 1; }"#)
//!     .file("money.proto", r#"syntax = "proto3"; message Money { int64 units = 1; }"#);
//! let compilation = Compiler::new(sources).compile(["shop.proto"])?;
//! let set = compilation.file_descriptor_set(DescriptorOptions { include_imports: true, ..Default::default() });
//! assert_eq!(set.file.len(), 2);
//! # Ok::<(), dunlin_compiler::Diagnostics>(())
//! ```
//!
//! The types to know are [`Compiler`], which turns paths into a [`Compilation`], the [`loader`]s
//! that it gets files from, and [`Diagnostics`], which say everything that is wrong at once. The
//! [`syntax`] tree keeps every token and comment, for tools that rewrite sources.
//!
//! The phases, each in a module of its own: source text, tokens and tree ([`syntax`]), lowering to
//! a descriptor with unresolved names, linking on [`dunlin_protobuf::pool`], interpretation of
//! options, checks, output. What this crate does not do: generate code, or speak RPC.

mod compilation;
mod compile;
pub mod diagnostic;
mod element;
pub mod loader;
mod lower;
mod options;
mod parallel;
pub mod render;
pub mod syntax;
pub mod wellknown;

pub use compilation::{Compilation, CompiledFile, DescriptorOptions};
pub use compile::{Compiler, Limits};
pub use diagnostic::{Diagnostic, Diagnostics};

pub(crate) use lower::to_float as lower_float;
