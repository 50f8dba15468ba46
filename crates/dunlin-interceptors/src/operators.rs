//! The services by which operators look at a server.

use std::sync::LazyLock;

use dunlin_grpc::Method;
use dunlin_grpc::intercept::{OPERATORS_SERVICES, Pattern};

/// Whether the method is of such a service.
pub(crate) fn is_for_operators(method: &Method) -> bool {
    static PATTERNS: LazyLock<Vec<Pattern>> =
        LazyLock::new(|| OPERATORS_SERVICES.iter().filter_map(|pattern| pattern.parse().ok()).collect());
    PATTERNS.iter().any(|pattern| pattern.matches(method))
}
