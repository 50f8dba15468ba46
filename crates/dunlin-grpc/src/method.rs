//! Methods: what can be called, and how.

use std::fmt;
use std::sync::Arc;

/// How many messages each side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// One request, one response.
    Unary,
    /// Any number of requests, one response.
    ClientStreaming,
    /// One request, any number of responses.
    ServerStreaming,
    /// Any number of both, in any order.
    BidiStreaming,
}

impl CallKind {
    /// Whether the client sends exactly one message.
    pub const fn has_one_request(self) -> bool {
        matches!(self, Self::Unary | Self::ServerStreaming)
    }

    /// Whether the server sends exactly one message.
    pub const fn has_one_response(self) -> bool {
        matches!(self, Self::Unary | Self::ClientStreaming)
    }

    /// The kind of a method whose descriptor says which sides stream.
    pub const fn new(client_streams: bool, server_streams: bool) -> Self {
        match (client_streams, server_streams) {
            (false, false) => Self::Unary,
            (true, false) => Self::ClientStreaming,
            (false, true) => Self::ServerStreaming,
            (true, true) => Self::BidiStreaming,
        }
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unary => "unary",
            Self::ClientStreaming => "client streaming",
            Self::ServerStreaming => "server streaming",
            Self::BidiStreaming => "bidirectional streaming",
        })
    }
}

/// What the schema says of calling a method twice (`idempotency_level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Idempotency {
    /// Nothing.
    Unknown,
    /// Twice is as once.
    Idempotent,
    /// It changes nothing.
    NoSideEffects,
}

/// A method of a service. Generated code has a constant for each.
///
/// ```
/// use dunlin_grpc::{CallKind, Method};
///
/// const GET: Method = Method::new("shop.v1.Shop", "Get", "/shop.v1.Shop/Get", CallKind::Unary);
/// assert_eq!(Method::dynamic("shop.v1.Shop", "Get", CallKind::Unary), GET);
/// ```
#[derive(Clone)]
pub struct Method {
    text: Text,
    kind: CallKind,
    idempotency: Idempotency,
}

#[derive(Clone)]
enum Text {
    Static {
        service: &'static str,
        name: &'static str,
        path: &'static str,
    },
    /// A path, and where the name of the method begins in it.
    Shared {
        path: Arc<str>,
        name: usize,
    },
}

impl Method {
    /// A method whose path is `/SERVICE/NAME`.
    pub const fn new(service: &'static str, name: &'static str, path: &'static str, kind: CallKind) -> Self {
        Self { text: Text::Static { service, name, path }, kind, idempotency: Idempotency::Unknown }
    }

    /// A method whose names are only known when the program runs.
    pub fn dynamic(service: &str, name: &str, kind: CallKind) -> Self {
        let path = format!("/{service}/{name}").into();
        let text = Text::Shared { path, name: service.len() + 2 };
        Self { text, kind, idempotency: Idempotency::Unknown }
    }

    /// The method of a path, if it has the form of one.
    pub fn from_path(path: &str, kind: CallKind) -> Option<Self> {
        let (service, name) = split_path(path)?;
        Some(Self::dynamic(service, name, kind))
    }

    /// Calling it twice is as calling it once.
    pub const fn idempotent(self) -> Self {
        self.with_idempotency(Idempotency::Idempotent)
    }

    /// Calling it changes nothing.
    pub const fn no_side_effects(self) -> Self {
        self.with_idempotency(Idempotency::NoSideEffects)
    }

    const fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// The full name of the service.
    pub fn service(&self) -> &str {
        match &self.text {
            Text::Static { service, .. } => service,
            Text::Shared { path, name } => &path[1..name - 1],
        }
    }

    /// The name in the service.
    pub fn name(&self) -> &str {
        match &self.text {
            Text::Static { name, .. } => name,
            Text::Shared { path, name } => &path[*name..],
        }
    }

    /// `/SERVICE/NAME`.
    pub fn path(&self) -> &str {
        match &self.text {
            Text::Static { path, .. } => path,
            Text::Shared { path, .. } => path,
        }
    }

    /// How many messages each side sends.
    pub fn kind(&self) -> CallKind {
        self.kind
    }

    /// What the schema says of calling it twice.
    pub fn idempotency(&self) -> Idempotency {
        self.idempotency
    }
}

impl PartialEq for Method {
    fn eq(&self, other: &Self) -> bool {
        self.path() == other.path() && self.kind == other.kind && self.idempotency == other.idempotency
    }
}

impl Eq for Method {}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({}, {:?})", self.path(), self.kind)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// The service and the method that a path names: it is split at its last slash.
pub fn split_path(path: &str) -> Option<(&str, &str)> {
    let (service, name) = path.strip_prefix('/')?.rsplit_once('/')?;
    (!service.is_empty() && !name.is_empty()).then_some((service, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_at_its_last_slash() {
        assert_eq!(split_path("/a.B/C"), Some(("a.B", "C")));
        assert_eq!(split_path("/a/b/C"), Some(("a/b", "C")));
        for path in ["", "/", "a/b", "/a", "/a/", "//b"] {
            assert_eq!(split_path(path), None, "{path}");
        }
        let method = Method::from_path("/a/b/C", CallKind::Unary).unwrap();
        assert_eq!((method.service(), method.name(), method.path()), ("a/b", "C", "/a/b/C"));
    }
}
