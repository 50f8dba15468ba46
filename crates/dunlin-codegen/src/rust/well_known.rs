//! The well-known types that the runtime has.

use dunlin_protobuf::table::Kind;
use dunlin_protobuf::{Registry, wkt};

use super::options::{Outside, Rules};

/// Where the runtime has its types; package `google.protobuf` may hold others too.
pub(super) struct Types {
    registry: Registry,
    path: Option<String>,
}

/// The enums that stand beside the messages; a registry has only those.
const ENUMS: &[&str] = &["Edition", "NullValue", "SymbolVisibility", "Syntax"];
const PACKAGE: &str = "google.protobuf";

impl Types {
    pub(super) fn new(options: &Rules) -> Self {
        let mut registry = Registry::new();
        wkt::register(&mut registry);
        wkt::compiler::register(&mut registry);
        Self { registry, path: options.has_runtime_types().then(|| format!("{}::wkt", options.runtime())) }
    }

    /// Where a type is that is declared outside messages.
    pub(super) fn outside(&self, full_name: &str) -> Option<Outside<'_>> {
        let path = self.path.as_ref()?;
        let name = full_name.strip_prefix(PACKAGE)?.strip_prefix('.')?;
        let is_known = ENUMS.contains(&name) || self.registry.table(full_name).is_some();
        is_known.then_some(Outside::Below(PACKAGE, path))
    }
}

/// The kind of scalar that a wrapper message holds.
pub(super) fn wrapped(full_name: &str) -> Option<Kind> {
    Some(match full_name.strip_prefix(PACKAGE)? {
        ".BoolValue" => Kind::Bool,
        ".BytesValue" => Kind::Bytes,
        ".DoubleValue" => Kind::Double,
        ".FloatValue" => Kind::Float,
        ".Int32Value" => Kind::Int32,
        ".Int64Value" => Kind::Int64,
        ".StringValue" => Kind::String,
        ".UInt32Value" => Kind::Uint32,
        ".UInt64Value" => Kind::Uint64,
        _ => return None,
    })
}
