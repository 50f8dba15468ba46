//! Who calls, and whether they may.

#[cfg(feature = "jwt")]
pub(crate) mod jwt;
#[cfg(feature = "tls")]
pub(crate) mod mtls;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use dunlin_grpc::intercept::{CallContext, CallView, Interceptor, Next, Side};
use dunlin_grpc::{Code, Method, Status};

use crate::operators::is_for_operators;

/// Finds out who calls. The identity is what methods get by `cx.extension::<Identity>()`.
pub trait Authenticator: Send + Sync + 'static {
    /// Whoever a call may come from.
    type Identity: Any + Send + Sync;

    /// Who makes this call.
    ///
    /// # Errors
    /// UNAUTHENTICATED if that can not be told.
    fn authenticate(
        &self,
        call: &dyn CallView,
    ) -> impl Future<Output = Result<Self::Identity, Status>> + Send;
}

type Permission<I> = Arc<dyn Fn(&dyn CallView, &I) -> bool + Send + Sync>;

/// Lets only those pass who say who they are, and may do what they ask for. Who is not known is told
/// UNAUTHENTICATED, who is known and may not PERMISSION_DENIED.
///
/// The services of operators are for everyone, unless [`everywhere`](Self::everywhere) says otherwise. For
/// some methods only, or for all but some: [`only`](Interceptor::only), [`except`](Interceptor::except).
#[must_use]
pub struct Auth<A: Authenticator> {
    authenticator: A,
    permissions: Vec<Permission<A::Identity>>,
    includes_operators: bool,
}

impl<A: Authenticator> fmt::Debug for Auth<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("permissions", &self.permissions.len()).finish_non_exhaustive()
    }
}

impl<A: Authenticator> Auth<A> {
    /// By this authenticator.
    pub fn new(authenticator: A) -> Self {
        Self { authenticator, permissions: Vec::new(), includes_operators: false }
    }

    /// Lets pass only those for whom this is `true`; all that were given have to be.
    pub fn allow(
        mut self,
        may: impl Fn(&dyn CallView, &A::Identity) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.permissions.push(Arc::new(may));
        self
    }

    /// For the services of operators too.
    pub fn everywhere(mut self) -> Self {
        self.includes_operators = true;
        self
    }
}

impl<V, F, I> Auth<Bearer<V>>
where
    V: Fn(String) -> F + Send + Sync + 'static,
    F: Future<Output = Result<I, Status>> + Send,
    I: Any + Send + Sync,
{
    /// By the token of `authorization: Bearer TOKEN`.
    pub fn bearer(verify: V) -> Self {
        Self::new(Bearer { verify })
    }
}

impl<V, F, I> Auth<Header<V>>
where
    V: Fn(String) -> F + Send + Sync + 'static,
    F: Future<Output = Result<I, Status>> + Send,
    I: Any + Send + Sync,
{
    /// By a key in a header of this name, such as `x-api-key`.
    pub fn api_key(header: impl Into<String>, verify: V) -> Self {
        Self::new(Header { name: header.into(), verify })
    }
}

impl<A: Authenticator> Interceptor for Auth<A> {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        let identity = self.authenticator.authenticate(&**cx).await.map_err(refusal)?;
        if !self.permissions.iter().all(|may| may(&**cx, &identity)) {
            let message = format!("{} is not permitted to this caller", cx.method().path());
            return Err(Status::permission_denied(message));
        }
        cx.insert_extension(identity);
        next.run(cx).await
    }

    fn applies_to(&self, side: Side, method: &Method) -> bool {
        side == Side::Server && (self.includes_operators || !is_for_operators(method))
    }
}

/// What an authenticator may say: NOT_FOUND of a user is not NOT_FOUND of what was asked for.
fn refusal(status: Status) -> Status {
    match status.code() {
        Code::NotFound | Code::InvalidArgument | Code::FailedPrecondition => {
            Status::unauthenticated(status.message().to_owned()).with_source(status)
        }
        _ => status.from_control_plane(),
    }
}

/// The token of `authorization: Bearer TOKEN`.
fn bearer_token(call: &dyn CallView) -> Result<&str, Status> {
    let Some(value) = call.incoming().get("authorization") else {
        return Err(Status::unauthenticated("`authorization` is missing"));
    };
    let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token.map(|(_, token)| token.trim()) {
        Some(token) if !token.is_empty() => Ok(token),
        _ => Err(Status::unauthenticated("`authorization` is not `Bearer TOKEN`")),
    }
}

/// An [`Authenticator`] by bearer tokens; made by [`Auth::bearer`].
#[derive(Debug)]
pub struct Bearer<V> {
    verify: V,
}

impl<V, F, I> Authenticator for Bearer<V>
where
    V: Fn(String) -> F + Send + Sync + 'static,
    F: Future<Output = Result<I, Status>> + Send,
    I: Any + Send + Sync,
{
    type Identity = I;

    async fn authenticate(&self, call: &dyn CallView) -> Result<I, Status> {
        (self.verify)(bearer_token(call)?.to_owned()).await
    }
}

/// An [`Authenticator`] by a header; made by [`Auth::api_key`].
#[derive(Debug)]
pub struct Header<V> {
    name: String,
    verify: V,
}

impl<V, F, I> Authenticator for Header<V>
where
    V: Fn(String) -> F + Send + Sync + 'static,
    F: Future<Output = Result<I, Status>> + Send,
    I: Any + Send + Sync,
{
    type Identity = I;

    async fn authenticate(&self, call: &dyn CallView) -> Result<I, Status> {
        let missing = || Status::unauthenticated(format!("`{}` is missing", self.name));
        let key = call.incoming().get(&self.name).ok_or_else(missing)?;
        (self.verify)(key.to_owned()).await
    }
}

/// An [`Authenticator`] by keys that are known, compared in a time that tells nothing of them.
#[derive(Clone, Default)]
#[must_use]
pub struct ApiKeys<I> {
    header: String,
    keys: Vec<(Box<[u8]>, I)>,
}

impl<I> fmt::Debug for ApiKeys<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<I: Any + Clone + Send + Sync> ApiKeys<I> {
    /// In a header of this name. None yet.
    pub fn new(header: impl Into<String>) -> Self {
        Self { header: header.into(), keys: Vec::new() }
    }

    /// Who has this key.
    pub fn key(mut self, key: impl AsRef<[u8]>, identity: I) -> Self {
        self.keys.push((key.as_ref().into(), identity));
        self
    }
}

impl<I: Any + Clone + Send + Sync> Authenticator for ApiKeys<I> {
    type Identity = I;

    async fn authenticate(&self, call: &dyn CallView) -> Result<I, Status> {
        let missing = || Status::unauthenticated(format!("`{}` is missing", self.header));
        let given = call.incoming().get(&self.header).ok_or_else(missing)?.as_bytes();
        let mut found = None;
        for (key, identity) in &self.keys {
            if is_equal(key, given) {
                found = Some(identity);
            }
        }
        found.cloned().ok_or_else(|| Status::unauthenticated(format!("`{}` is not known", self.header)))
    }
}

/// Compares without telling by its time where they differ.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |differing, (a, b)| std::hint::black_box(differing | (a ^ b)));
    a.len() == b.len() && differing == 0
}
