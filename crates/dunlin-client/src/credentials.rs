//! Who a caller says it is.

use std::fmt;
use std::sync::Arc;

use dunlin_grpc::{Metadata, Method, Status};

use crate::dial::BoxFuture;

/// Metadata that says who calls, made for each call; it may have to be fetched.
pub trait CallCredentials: Send + Sync + 'static {
    /// The metadata for a call of `method`, on a server that is called by `authority`.
    ///
    /// # Errors
    /// UNAUTHENTICATED or UNAVAILABLE, usually. Codes that only an application's answer can have become
    /// INTERNAL.
    fn metadata<'a>(
        &'a self,
        method: &'a Method,
        authority: &'a str,
    ) -> BoxFuture<'a, Result<Metadata, Status>>;

    /// Whether they may go over a connection that others can read. They may not.
    fn allows_clear_text(&self) -> bool {
        false
    }
}

/// Credentials of a channel or a call, several of which can be put together.
#[derive(Clone, Default)]
pub struct Credentials(Vec<Arc<dyn CallCredentials>>);

impl Credentials {
    /// These.
    pub fn new(credentials: impl CallCredentials) -> Self {
        Self(vec![Arc::new(credentials)])
    }

    /// And these.
    #[must_use]
    pub fn and(mut self, credentials: impl CallCredentials) -> Self {
        self.0.push(Arc::new(credentials));
        self
    }

    pub(crate) fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of them may go over clear text.
    pub(crate) fn allow_clear_text(&self) -> bool {
        self.0.iter().all(|credentials| credentials.allows_clear_text())
    }

    pub(crate) async fn metadata(self, method: Method, authority: Arc<str>) -> Result<Metadata, Status> {
        let mut all = Metadata::new();
        for credentials in self.0 {
            let metadata = credentials.metadata(&method, &authority).await;
            all.extend(&metadata.map_err(Status::from_control_plane)?);
        }
        Ok(all)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.0.len())
    }
}

/// A bearer token that does not change: `authorization: Bearer TOKEN`.
#[derive(Clone)]
pub struct Token {
    text: String,
    allows_clear_text: bool,
}

impl Token {
    /// This token.
    pub fn new(token: impl fmt::Display) -> Self {
        Self { text: format!("Bearer {token}"), allows_clear_text: false }
    }

    /// Lets it go over clear text, where everyone on the way can read it. For tests, and for connections
    /// that something else protects.
    #[must_use]
    pub fn danger_allow_clear_text(mut self) -> Self {
        self.allows_clear_text = true;
        self
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl CallCredentials for Token {
    fn metadata<'a>(&'a self, _: &'a Method, _: &'a str) -> BoxFuture<'a, Result<Metadata, Status>> {
        Box::pin(async {
            let mut metadata = Metadata::new();
            metadata
                .insert_sensitive("authorization", &self.text)
                .map_err(|error| Status::unauthenticated(error.to_string()).with_source(error))?;
            Ok(metadata)
        })
    }

    fn allows_clear_text(&self) -> bool {
        self.allows_clear_text
    }
}
