//! The Rust generator: descriptors to structs.
//!
//! A package becomes a module, a message a struct, what is declared inside a message a module
//! named like it. Each package is one file; `mod.rs` holds the tree of modules.
//!
//! ```
//! use dunlin_codegen::rust::{Options, generate};
//! use dunlin_protobuf::descriptor::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};
//! use dunlin_protobuf::dynamic::DynamicPool;
//!
//! let file = FileDescriptorProto {
//!     name: Some("shop.proto".into()),
//!     package: Some("shop".into()),
//!     message_type: vec![DescriptorProto { name: Some("Order".into()), ..Default::default() }],
//!     ..Default::default()
//! };
//! let set = FileDescriptorSet { file: vec![file], ..Default::default() };
//! let pool = DynamicPool::from_file_descriptor_set(set)?;
//! let files = generate(&pool, &["shop.proto".into()], &Options::default());
//! assert_eq!(files[0].name, "shop.rs");
//! assert!(files[0].content.contains("pub struct Order {"));
//! # Ok::<(), dunlin_protobuf::pool::PoolErrors>(())
//! ```

mod code;
mod comments;
mod enumeration;
mod message;
mod model;
mod names;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::{EnumView, FieldView, FileView, MessageView};
use dunlin_protobuf::table::{Kind, Shape};

pub use code::Code;
use code::literal;
use model::{Flavor, Model};

/// What to generate, and how.
pub struct Options {
    pub(crate) runtime: String,
    pub(crate) views: bool,
    pub(crate) no_std: bool,
    extern_paths: Vec<(String, String)>,
    attributes: Vec<(String, String)>,
    hash_maps: Vec<String>,
    services: Option<Box<dyn ServiceGenerator>>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("runtime", &self.runtime)
            .field("views", &self.views)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            runtime: "::dunlin::protobuf".into(),
            views: true,
            no_std: false,
            extern_paths: Vec::new(),
            attributes: Vec::new(),
            hash_maps: Vec::new(),
            services: None,
        }
    }
}

/// Writes what a service becomes; the hook for generators of RPC code.
pub trait ServiceGenerator {
    /// Writes the code of the service at `index` of `file`, into the module of its package.
    fn service(&self, file: &FileView<'_>, index: usize, code: &mut Code);
}

impl Options {
    /// The path of the runtime crate; `::dunlin::protobuf` by default.
    pub fn runtime(mut self, path: impl Into<String>) -> Self {
        self.runtime = path.into();
        self
    }

    /// See [`Options::runtime`].
    pub fn runtime_path(&self) -> &str {
        &self.runtime
    }

    /// Whether messages get views that borrow; true by default.
    pub fn views(mut self, views: bool) -> Self {
        self.views = views;
        self
    }

    /// Generates code for crates that are `no_std`: `Box`, `String` and `Vec` by their paths in `alloc`.
    pub fn no_std(mut self) -> Self {
        self.no_std = true;
        self
    }

    /// Types below `proto_path` (a package or a type, with a leading dot) are found below
    /// `rust_path` instead of being generated.
    pub fn extern_path(mut self, proto_path: impl Into<String>, rust_path: impl Into<String>) -> Self {
        self.extern_paths.push((proto_path.into(), rust_path.into()));
        self
    }

    /// An attribute for the types, fields and enums at or below `path` (with a leading dot; `.` is
    /// everything).
    pub fn attribute(mut self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.attributes.push((path.into(), attribute.into()));
        self
    }

    /// The map fields at or below `path` are `HashMap` instead of `BTreeMap`.
    pub fn hash_map(mut self, path: impl Into<String>) -> Self {
        self.hash_maps.push(path.into());
        self
    }

    /// What writes the services; without it they are left out.
    pub fn services(mut self, generator: impl ServiceGenerator + 'static) -> Self {
        self.services = Some(Box::new(generator));
        self
    }

    pub(crate) fn extern_path_of(&self, full_name: &str) -> Option<(&str, &str)> {
        let own = self.extern_paths.iter().filter(|(path, _)| is_below(path, full_name));
        let longest = own.max_by_key(|(path, _)| path.len());
        longest.map(|(path, rust)| (path.as_str(), rust.as_str()))
    }

    pub(crate) fn attributes<'o>(&'o self, full_name: &str) -> impl Iterator<Item = &'o str> {
        let full_name = full_name.to_owned();
        self.attributes
            .iter()
            .filter(move |(path, _)| is_below(path, &full_name))
            .map(|(_, text)| text.as_str())
    }

    pub(crate) fn is_hash_map(&self, full_name: &str) -> bool {
        self.hash_maps.iter().any(|path| is_below(path, full_name))
    }
}

/// True if `full_name` is `path`, or something inside it.
fn is_below(path: &str, full_name: &str) -> bool {
    let path = path.trim_start_matches('.');
    path.is_empty()
        || full_name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A file of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// The name, without folders.
    pub name: String,
    /// The text.
    pub content: String,
}

/// Generates the files at these paths of a pool: one file of Rust for each package, and `mod.rs`
/// that includes them all.
///
/// The pool must have been made from a descriptor set; comments become documentation if that has
/// source info.
pub fn generate(pool: &Arc<DynamicPool>, paths: &[String], options: &Options) -> Vec<GeneratedFile> {
    let model = Model::new(pool, options);
    let mut packages: BTreeMap<String, Vec<FileView<'_>>> = BTreeMap::new();
    for path in paths {
        if let Some(id) = pool.descriptors().file_by_path(path) {
            let file = pool.descriptors().file(id);
            // All of it is elsewhere.
            if options.extern_path_of(file.package()).is_some() {
                continue;
            }
            packages.entry(file.package().to_owned()).or_default().push(file);
        }
    }
    let mut files = Vec::new();
    let mut tree = Vec::new();
    // Names that differ, and not only in case: some file systems do not tell those apart.
    let mut taken = vec!["mod".to_owned()];
    for (package, views) in &packages {
        let stem = if package.is_empty() { "_" } else { package };
        let mut name = stem.to_owned();
        while taken.contains(&name.to_lowercase()) {
            name.push('_');
        }
        taken.push(name.to_lowercase());
        let name = format!("{name}.rs");
        tree.push((model.package_module(package), name.clone()));
        files.push(GeneratedFile { name, content: package_file(&model, package, views) });
    }
    files.push(GeneratedFile { name: "mod.rs".into(), content: module_tree(tree) });
    files
}

fn package_file(model: &Model<'_>, package: &str, files: &[FileView<'_>]) -> String {
    let mut code = Code::default();
    let paths: Vec<_> = files.iter().map(FileView::path).collect();
    code.line(format!("// Generated by dunlin from {}.", paths.join(", ")));
    let module = model.package_module(package);
    let mut register = Vec::new();
    let mut constants = Vec::new();
    for file in files {
        let (messages, enums) = model::top_level(file);
        contents(model, messages, enums, &mut register, &mut code);
        let extensions = file.fields().filter(|f| f.is_extension() && f.extension_scope().is_none());
        extension_constants(model, extensions.collect(), module, &mut constants, &mut register, &mut code);
        if let Some(generator) = &model.options.services {
            let count = file.proto().map_or(0, |proto| proto.service.len());
            for index in 0..count {
                generator.service(file, index, &mut code);
            }
        }
    }
    code.gap();
    code.line("/// Adds the messages and extensions of this package to a registry.");
    let runtime = &model.options.runtime;
    let unused = if register.is_empty() { "_" } else { "registry" };
    code.block(format!("pub fn register({unused}: &mut {runtime}::Registry) {{"), "}", |code| {
        register.iter().for_each(|line| code.line(line));
    });
    // The modules of other packages carry it; nothing stands around this one.
    if package.is_empty() { allow_each_item(&code.into_text()) } else { code.into_text() }
}

/// What generated code is not to be warned about: names and documentation are the schema's.
const ALLOW: &str = "#[allow(clippy::all, dead_code, deprecated, missing_docs, nonstandard_style, rustdoc::all, unreachable_pub)]";

fn allow_each_item(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in text.lines() {
        if ["pub ", "impl ", "const "].iter().any(|start| line.starts_with(start)) {
            out.push_str(ALLOW);
            out.push('\n');
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Enums and messages, each message followed by the module of what is declared in it.
fn contents<'p>(
    model: &Model<'p>,
    messages: Vec<MessageView<'p>>,
    enums: Vec<EnumView<'p>>,
    register: &mut Vec<String>,
    code: &mut Code,
) {
    for e in &enums {
        if !model.is_external(model.enum_place(e.id())) {
            enumeration::enumeration(model, e, code);
        }
    }
    for view in messages.into_iter().filter(|m| !m.is_map_entry()) {
        let place = model.message_place(view.id());
        if model.is_external(place) {
            continue;
        }
        let built = model.message(view);
        message::message(model, &built, code);
        register.push(format!("registry.add_message::<{}>();", from_package(model, view)));
        let nested: Vec<_> = view.declared_messages().collect();
        let enums: Vec<_> = view.declared_enums().collect();
        let extensions: Vec<_> = view.declared_extensions().collect();
        let has_types = nested.iter().any(|m| !m.is_map_entry()) || !enums.is_empty();
        if !has_types && extensions.is_empty() && built.oneofs.is_empty() {
            continue;
        }
        code.gap();
        let inner = model.inner_module(view);
        let name = inner.last().expect("the module of a message has a name").clone();
        code.line(format!("/// What is declared inside [`{}`].", place.name));
        code.block(format!("pub mod {name} {{"), "}", |code| {
            message::oneofs(model, &built, code);
            contents(model, nested, enums, register, code);
            extension_constants(model, extensions, inner, &mut Vec::new(), register, code);
        });
    }
}

/// The path of a message from the module of its package.
fn from_package(model: &Model<'_>, view: MessageView<'_>) -> String {
    let depth = model.package_module(view.file().package()).len();
    let place = model.message_place(view.id());
    let mut parts = place.modules[depth..].to_vec();
    parts.push(place.name.clone());
    parts.join("::")
}

fn extension_constants(
    model: &Model<'_>,
    extensions: Vec<FieldView<'_>>,
    module: &[String],
    taken: &mut Vec<String>,
    register: &mut Vec<String>,
    code: &mut Code,
) {
    for view in extensions {
        let Some(of) = view.containing_message() else { continue };
        let Some(table) = model.pool.extension_table(&of.full_name(), view.number()) else { continue };
        let kind = table.kind();
        let value = model.value_type(&view, kind, Flavor::Owned, module);
        let value = match table.cardinality() {
            Shape::Repeated | Shape::Packed if kind == Kind::Enum => {
                format!("{}::slot::EnumValues<{value}>", model.options.runtime)
            }
            Shape::Repeated | Shape::Packed => format!("{}<{value}>", model.std("Vec", module)),
            _ => value,
        };
        let runtime = &model.options.runtime;
        let name = model.constant_name(names::constant(view.name()), module, taken);
        let extended = model.message_path(of.id(), Flavor::Owned, module);
        code.gap();
        let lines = comments::lines(view.file().location(&view.path()));
        code.doc(lines.iter().map(String::as_str));
        code.block(
            format!("pub const {name}: {runtime}::Extension<{extended}, {value}> = {{"),
            "};",
            |code| {
                code.line(format!("use {runtime}::generated::*;"));
                let field = message::field_table(model, "", table, &view, module);
                code.line(format!("static FIELD: FieldTable = {field};"));
                code.line("Extension::new(&FIELD)");
            },
        );
        let package = model.package_module(view.file().package()).len();
        let path: String = module[package..].iter().map(|m| format!("{m}::")).collect();
        register.push(format!("registry.add_extension({}, {path}{name}.field());", literal(&of.full_name())));
    }
}

/// The tree of modules, each of which includes the file of its package.
fn module_tree(packages: Vec<(&[String], String)>) -> String {
    #[derive(Default)]
    struct Node<'n> {
        file: Option<String>,
        children: BTreeMap<&'n str, Node<'n>>,
    }
    fn write(node: &Node<'_>, code: &mut Code, depth: usize) {
        if let Some(file) = &node.file {
            code.line(format!("include!({});", literal(file)));
        }
        for (name, child) in &node.children {
            code.gap();
            if depth == 0 {
                code.line(ALLOW);
            }
            code.block(format!("pub mod {name} {{"), "}", |code| write(child, code, depth + 1));
        }
    }
    let mut root = Node::default();
    for (modules, file) in packages {
        let mut node = &mut root;
        for part in modules {
            node = node.children.entry(part).or_default();
        }
        node.file = Some(file);
    }
    let mut code = Code::default();
    code.line("// Generated by dunlin.");
    write(&root, &mut code, 0);
    code.into_text()
}
