//! The options of the generator: one table, whichever way they come.

mod rules;
pub(super) mod schema;
mod table;

pub(crate) use rules::{Outside, Rules};
pub use table::{Form, OPTIONS, OptionInfo};

/// What to generate, and how.
///
/// Every option is a line of [`OPTIONS`]. The methods here, the parameters of `protoc-gen-dunlin`,
/// `dunlin.toml` and the custom options of `dunlin/options.proto` all set the same ones. Of several
/// that say something about a type or field, that with the longest path counts, and of those with
/// the same path the last.
///
/// ```
/// use dunlin_codegen::rust::Options;
///
/// let options = Options::default()
///     .boxed(".shop.Order.customer")
///     .strip_enum_prefix(true)
///     .type_attribute(".shop", "#[must_use]");
/// // The same, as parameters of a plugin.
/// let same = Options::default()
///     .parse("boxed=.shop.Order.customer,strip_enum_prefix,type_attribute=.shop=#[must_use]")?;
/// # assert_eq!(format!("{options:?}"), format!("{same:?}"));
/// # Ok::<(), dunlin_codegen::rust::OptionError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Options {
    pub(crate) rules: Rules,
}

/// An option that cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// No line of [`OPTIONS`] has the name.
    #[error("unknown option `{0}`; known are {known}", known = table::names())]
    Unknown(String),
    /// The value is not of the option's form.
    #[error("`{name}={value}`: expected {expected}")]
    Value {
        /// The option.
        name: &'static str,
        /// What stands behind the `=`.
        value: String,
        /// What may stand there.
        expected: String,
    },
}

/// Where an option is on or off: everywhere (`true`, `false`), below a path, or below a path to a
/// value.
///
/// Paths are full names with a leading dot, of packages, types, fields, oneofs and services, and mean
/// everything inside too.
///
/// ```
/// use dunlin_codegen::rust::Options;
///
/// let options = Options::default().views(false).views((".shop.Order", true)).boxed(".shop.Order");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    path: String,
    on: bool,
}

impl From<bool> for Scope {
    fn from(on: bool) -> Self {
        Self { path: ".".into(), on }
    }
}

impl From<&str> for Scope {
    fn from(path: &str) -> Self {
        Self { path: path.into(), on: true }
    }
}

impl From<String> for Scope {
    fn from(path: String) -> Self {
        Self { path, on: true }
    }
}

impl<P: Into<String>> From<(P, bool)> for Scope {
    fn from((path, on): (P, bool)) -> Self {
        Self { path: path.into(), on }
    }
}

impl Options {
    /// Sets an option by its name in [`OPTIONS`]. An argument is `true`, `false`, `.PATH`,
    /// `.PATH=VALUE` or a text, as the option's form says; a flag with an empty one is on.
    ///
    /// # Errors
    /// When no option has the name, or the argument has another form.
    pub fn set(mut self, name: &str, argument: &str) -> Result<Self, OptionError> {
        self.rules.set(name, argument)?;
        Ok(self)
    }

    /// Sets options from the parameter of a plugin: `NAME` or `NAME=ARGUMENT`, between commas. A comma
    /// in brackets or quotes belongs to the argument.
    ///
    /// # Errors
    /// As [`Options::set`].
    pub fn parse(self, parameter: &str) -> Result<Self, OptionError> {
        split(parameter).into_iter().try_fold(self, |options, part| {
            let (name, argument) = part.split_once('=').unwrap_or((part, ""));
            options.set(name.trim(), argument)
        })
    }

    /// These options after those of `first`: where both say something of the same path, these count.
    pub fn after(mut self, first: Self) -> Self {
        self.rules = self.rules.after(first.rules);
        self
    }

    fn flag(mut self, name: &'static str, scope: Scope) -> Self {
        self.rules.push(name, scope.path, if scope.on { "true" } else { "false" });
        self
    }

    fn text(mut self, name: &'static str, path: impl Into<String>, value: impl Into<String>) -> Self {
        self.rules.push(name, path, value);
        self
    }

    /// The path of the runtime; `::dunlin::protobuf` by default.
    pub fn runtime(self, path: impl Into<String>) -> Self {
        self.text("runtime", ".", path)
    }

    /// See [`Options::runtime`].
    pub fn runtime_path(&self) -> &str {
        self.rules.runtime()
    }

    /// The path of the RPC runtime, below which services find `grpc`, `server` and `client`.
    ///
    /// By default it is what stands before `::protobuf` in [`Options::runtime`]. Where that ends in
    /// something else, and for crates that are `no_std`, services are left out unless this is set: they
    /// need the standard library.
    pub fn rpc_runtime(self, path: impl Into<String>) -> Self {
        self.text("rpc_runtime", ".", path)
    }

    /// Whether the well-known types are those of the runtime (the default) or generated too.
    pub fn runtime_well_known_types(self, yes: bool) -> Self {
        self.text("well_known_types", ".", if yes { "runtime" } else { "generate" })
    }

    /// Types below `proto_path` (a package or a type) are found below `rust_path` instead of being
    /// generated.
    pub fn extern_path(self, proto_path: impl Into<String>, rust_path: impl Into<String>) -> Self {
        self.text("extern_path", proto_path, rust_path)
    }

    /// What a schema file or folder declares was generated into the module at `rust_path`, the one
    /// that holds the modules of packages: with `.extern_file("shop", "::shop_types")`, what
    /// `shop/v1/order.proto` declares in package `shop.v1` is in `::shop_types::shop::v1`.
    pub fn extern_file(self, file: impl Into<String>, rust_path: impl Into<String>) -> Self {
        self.text("extern_file", file, rust_path)
    }

    /// Generates only this schema file, or those in this folder, by the path that imports have; may be
    /// said several times. Without it, all files are generated.
    pub fn include_file(self, file: impl Into<String>) -> Self {
        self.text("include_file", ".", file)
    }

    /// Does not generate this schema file, or those in this folder. What uses their types needs an
    /// [`Options::extern_path`] for them.
    pub fn exclude_file(self, file: impl Into<String>) -> Self {
        self.text("exclude_file", ".", file)
    }

    /// Which messages get views that borrow; all by default.
    pub fn views(self, scope: impl Into<Scope>) -> Self {
        self.flag("views", scope.into())
    }

    /// Which singular message fields lie in a box. By default those on a cycle and those of large
    /// messages do; `false` is ignored on a cycle.
    pub fn boxed(self, scope: impl Into<Scope>) -> Self {
        self.flag("boxed", scope.into())
    }

    /// Which map fields are `HashMap` instead of `BTreeMap`; none by default.
    pub fn hash_map(self, scope: impl Into<Scope>) -> Self {
        self.flag("hash_map", scope.into())
    }

    /// Which string fields, and strings in map fields, are `SharedString` of the runtime instead of
    /// `String`; none by default.
    ///
    /// Short strings then lie in the value itself and long ones in buffers that they share, so that
    /// decoding allocates little and clones are cheap.
    pub fn shared_strings(self, scope: impl Into<Scope>) -> Self {
        self.flag("shared_strings", scope.into())
    }

    /// Which bytes fields, and bytes in map fields, are `Vec<u8>` instead of `Bytes`; none by default.
    ///
    /// A large `Bytes` shares the buffer that it was decoded from, a `Vec` is always a copy.
    pub fn byte_vec(self, scope: impl Into<Scope>) -> Self {
        self.flag("byte_vec", scope.into())
    }

    /// Which string fields, and strings in map fields, are bytes if their schema does not ask for UTF-8; none by
    /// default.
    ///
    /// Those are all strings of proto2 and those with `features.utf8_validation = NONE`. Other runtimes may write any
    /// bytes there, which a `String` cannot hold: without the option, decoding such a message is an error. Fields are
    /// `Vec<u8>` where [`Options::byte_vec`] says so. JSON has no way to write what is not UTF-8, and refuses it.
    pub fn raw_strings(self, scope: impl Into<Scope>) -> Self {
        self.flag("raw_strings", scope.into())
    }

    /// Which singular fields of `google.protobuf.StringValue` and its like are `Option<String>` and
    /// so on, members of oneofs plain scalars; none by default.
    ///
    /// Bytes, JSON and text are as before, but for unknown fields inside the wrapper, which have no
    /// place and are dropped. Needs the well-known types of the runtime.
    pub fn wrappers(self, scope: impl Into<Scope>) -> Self {
        self.flag("wrappers", scope.into())
    }

    /// Which enums have their name taken off the constants: `STATUS_OPEN` of `Status` is `OPEN`; none
    /// by default.
    ///
    /// A constant keeps its name if two would be the same without it. One that would start with a
    /// digit gets a `_` in front.
    pub fn strip_enum_prefix(self, scope: impl Into<Scope>) -> Self {
        self.flag("strip_enum_prefix", scope.into())
    }

    /// Which messages and enums implement `Serialize` and `Deserialize` of serde, by the rules of
    /// ProtoJSON; none by default. Needs the feature `serde` of the runtime.
    pub fn serde(self, scope: impl Into<Scope>) -> Self {
        self.flag("serde", scope.into())
    }

    /// Which messages show themselves to what reads any message; all by default.
    ///
    /// Without, `Message::as_reflect` is `None` and `register` leaves the message out. Binary, JSON
    /// and text work on the same tables as reflection does, so that there is no more to save.
    pub fn reflection(self, scope: impl Into<Scope>) -> Self {
        self.flag("reflection", scope.into())
    }

    /// Which services get a client; all by default.
    ///
    /// A method called like one that every client has (`new`, `with_options`, `channel`, `clone`) gets a
    /// `_` behind, in the client and on the trait.
    pub fn client(self, scope: impl Into<Scope>) -> Self {
        self.flag("client", scope.into())
    }

    /// Which services get what a server needs: the trait, and the struct that adds an implementation of
    /// it to a server; all by default.
    pub fn server(self, scope: impl Into<Scope>) -> Self {
        self.flag("server", scope.into())
    }

    /// Which services bring the descriptors of their package along, as `FILE_DESCRIPTOR_SET` in its module, so
    /// that a server can tell its schema (reflection); all by default.
    ///
    /// The bytes are a `google.protobuf.FileDescriptorSet` with all imports, without comments. A client alone
    /// has none.
    pub fn service_descriptors(self, scope: impl Into<Scope>) -> Self {
        self.flag("service_descriptors", scope.into())
    }

    /// Whether the code is for crates that are `no_std`, with `Box`, `String` and `Vec` by their paths in
    /// `alloc`; false by default.
    pub fn no_std(self, yes: bool) -> Self {
        self.flag("no_std", yes.into())
    }

    /// Whether the generated code holds the descriptors of its schemas, as `FILE_DESCRIPTOR_SET`
    /// beside the modules of packages; false by default.
    ///
    /// The bytes are a `google.protobuf.FileDescriptorSet` with all imports, without comments.
    pub fn embed_descriptors(self, yes: bool) -> Self {
        self.flag("embed_descriptors", yes.into())
    }

    /// An attribute for the messages, enums and oneofs at or below `path`.
    pub fn type_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.text("type_attribute", path, attribute)
    }

    /// An attribute for the messages at or below `path`.
    pub fn message_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.text("message_attribute", path, attribute)
    }

    /// An attribute for the enums at or below `path`.
    pub fn enum_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.text("enum_attribute", path, attribute)
    }

    /// An attribute for the enums of oneofs at or below `path`, as in `.shop.Order.payment`.
    pub fn oneof_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.text("oneof_attribute", path, attribute)
    }

    /// An attribute for the fields at or below `path`, those in oneofs too; a path to a oneof means
    /// the member of the struct that holds it.
    pub fn field_attribute(self, path: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.text("field_attribute", path, attribute)
    }
}

/// The parts between commas, except for commas in brackets and quotes.
fn split(parameter: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0usize;
    let mut is_quoted = false;
    let mut start = 0;
    for (at, c) in parameter.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&parameter[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&parameter[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_brackets_and_quotes_belong_to_the_value() {
        assert_eq!(
            split("a=b, x_attribute=.x=#[derive(A, B)],x_attribute=.y=#[doc = \"1,2\"],,views=false"),
            ["a=b", "x_attribute=.x=#[derive(A, B)]", "x_attribute=.y=#[doc = \"1,2\"]", "views=false"]
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for bad in [
            "x",
            "views=2",
            "views=.a=2",
            "views=a",
            "extern_path=a",
            "extern_path=.a",
            "type_attribute=a=b",
            "runtime=",
            "well_known_types=x",
            "include_file",
            "embed_descriptors=.a",
        ] {
            assert!(Options::default().parse(bad).is_err(), "{bad}");
        }
        let error = Options::default().parse("well_known_types=x").unwrap_err();
        assert_eq!(error.to_string(), "`well_known_types=x`: expected runtime or generate");
    }

    #[test]
    fn the_longest_path_counts_and_then_the_last() {
        let options = Options::default().parse("views=.a.B,views=.a=false,views=.c,views=.c=false").unwrap();
        for (name, want) in
            [("a.B", true), ("a.B.Inner", true), ("a.C", false), ("c.D", false), ("e.F", true), ("a", false)]
        {
            assert_eq!(options.rules.flag("views", name), Some(want).filter(|_| name != "e.F"), "{name}");
        }
    }
}
