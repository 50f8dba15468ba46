//! Names of requests.

use dunlin_grpc::Status;
use dunlin_grpc::intercept::{CallContext, Interceptor, Next, Side};

/// The name of a request. Interceptors and methods find it as an extension of the call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CurrentRequestId(String);

tokio::task_local! {
    static CURRENT: CurrentRequestId;
}

impl CurrentRequestId {
    /// Of the call that is being handled by this task.
    pub fn get() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn random() -> Self {
        Self(format!("{:032x}", fastrand::u128(..)))
    }

    /// A name that someone else chose, if it is safe to log and to pass on.
    fn checked(name: &str) -> Option<Self> {
        let is_fine = (1..=MAX_LEN).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        is_fine.then(|| Self(name.to_owned()))
    }
}

/// Longer names are replaced.
const MAX_LEN: usize = 128;

/// Names each request. A server takes the name that the client has sent, or makes one, and sends it back; a
/// client sends that of the call that is being handled, or makes one.
#[derive(Clone, Debug)]
#[must_use]
pub struct RequestId {
    header: String,
    trusts: bool,
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestId {
    /// In `x-request-id`.
    pub fn new() -> Self {
        Self { header: "x-request-id".to_owned(), trusts: true }
    }

    /// In another header.
    pub fn header(mut self, name: impl Into<String>) -> Self {
        self.header = name.into();
        self
    }

    /// Takes no name of clients: for servers that everyone can reach.
    pub fn untrusting(mut self) -> Self {
        self.trusts = false;
        self
    }
}

impl Interceptor for RequestId {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        let given = match cx.side() {
            Side::Server if self.trusts => {
                cx.incoming().get(&self.header).and_then(CurrentRequestId::checked)
            }
            Side::Server => None,
            Side::Client => CurrentRequestId::get(),
        };
        let id = given.unwrap_or_else(CurrentRequestId::random);
        cx.insert_header(&self.header, id.as_str())?;
        cx.insert_extension(id.clone());
        match cx.side() {
            Side::Server => CURRENT.scope(id, next.run(cx)).await,
            Side::Client => next.run(cx).await,
        }
    }
}
