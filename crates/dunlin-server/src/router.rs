//! Which method serves a path.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use dunlin_grpc::intercept::Chain;
use dunlin_grpc::{Method, Status, split_path};

use crate::placement::{Cost, Placement};
use crate::running::Handler;

/// A method that is served.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) placement: Placement,
    /// Of the method; calls of a route for any method have their own.
    pub(crate) chain: Option<Arc<Chain>>,
    pub(crate) cost: Cost,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("method", &self.method).finish_non_exhaustive()
    }
}

/// All methods of a server.
#[derive(Debug, Default)]
pub(crate) struct Router {
    pub(crate) routes: HashMap<Box<str>, Arc<Route>>,
    pub(crate) fallback: Option<Arc<Route>>,
    /// What answers all else, where interceptors look.
    pub(crate) unknown: Option<Arc<Route>>,
}

impl Router {
    /// What serves a path, or the status if nothing does.
    pub(crate) fn find(&self, path: &str) -> Result<Arc<Route>, Status> {
        let found = self.routes.get(path).or(self.fallback.as_ref()).or(self.unknown.as_ref());
        found.map(Arc::clone).ok_or_else(|| self.missing(path))
    }

    /// Why no method has the path.
    pub(crate) fn missing(&self, path: &str) -> Status {
        let Some((service, name)) = split_path(path) else {
            return Status::unimplemented(format!("the path `{}` is not /SERVICE/METHOD", shown(path)));
        };
        let is_of_service = |route: &&Arc<Route>| route.method.service() == service;
        let message = match self.routes.values().any(|route| is_of_service(&route)) {
            true => format!("service {} has no method {}", shown(service), shown(name)),
            false => format!("service {} is not served here", shown(service)),
        };
        Status::unimplemented(message)
    }
}

/// As much of a text of the peer as a message needs.
fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

/// What a method answers that is in the schema and not in the implementation.
pub fn unimplemented(method: &Method) -> Status {
    Status::unimplemented(format!("method {} of {} is not implemented", method.name(), method.service()))
}
