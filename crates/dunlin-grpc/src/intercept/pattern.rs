//! Which methods an interceptor is for.

use std::fmt;
use std::future::Future;

use super::{CallContext, CallView, Direction, Interceptor, Interest, MessageRef, Next, Side};
use crate::{Method, Status};

/// Methods by their names: `SERVICE/METHOD`, or `SERVICE` for all of its methods, where `*` stands for any
/// number of any characters but `/`.
///
/// ```
/// use dunlin_grpc::intercept::Pattern;
/// use dunlin_grpc::{CallKind, Method};
///
/// let get = Method::dynamic("shop.v1.ShopService", "GetProduct", CallKind::Unary);
/// for pattern in ["*", "shop.v1.*", "shop.v1.ShopService", "*/Get*", "shop.v1.ShopService/GetProduct"] {
///     assert!(pattern.parse::<Pattern>()?.matches(&get), "{pattern}");
/// }
/// assert!(!"shop.*/Delete*".parse::<Pattern>()?.matches(&get));
/// # Ok::<(), dunlin_grpc::intercept::InvalidPattern>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    service: String,
    method: String,
}

/// A text that is no [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern for methods: SERVICE/METHOD or SERVICE, with `*` for any characters")]
pub struct InvalidPattern(String);

impl std::str::FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let path = text.strip_prefix('/').unwrap_or(text);
        let (service, method) = path.rsplit_once('/').unwrap_or((path, "*"));
        if service.is_empty() || method.is_empty() {
            return Err(InvalidPattern(text.to_owned()));
        }
        Ok(Self { service: service.to_owned(), method: method.to_owned() })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.method)
    }
}

impl Pattern {
    /// Whether this is one of the methods.
    pub fn matches(&self, method: &Method) -> bool {
        is_match(&self.service, method.service()) && is_match(&self.method, method.name())
    }
}

/// Linear in both: the parts between stars are looked for from the left, each once.
fn is_match(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// An interceptor for some methods; made by [`Interceptor::only`] and [`Interceptor::except`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Selected<I> {
    inner: I,
    only: Vec<Pattern>,
    except: Vec<Pattern>,
}

impl<I> Selected<I> {
    pub(super) fn new(inner: I) -> Self {
        Self { inner, only: Vec::new(), except: Vec::new() }
    }

    /// For methods of this pattern too. If nothing else was said, only for those.
    ///
    /// # Panics
    /// If the pattern is none.
    pub fn only(mut self, pattern: &str) -> Self {
        self.only.push(parse(pattern));
        self
    }

    /// Not for methods of this pattern, whatever else is said.
    ///
    /// # Panics
    /// If the pattern is none.
    pub fn except(mut self, pattern: &str) -> Self {
        self.except.push(parse(pattern));
        self
    }

    fn selects(&self, method: &Method) -> bool {
        (self.only.is_empty() || self.only.iter().any(|pattern| pattern.matches(method)))
            && !self.except.iter().any(|pattern| pattern.matches(method))
    }
}

fn parse(pattern: &str) -> Pattern {
    match pattern.parse() {
        Ok(pattern) => pattern,
        Err(error) => panic!("{error}"),
    }
}

impl<I: Interceptor> Interceptor for Selected<I> {
    fn call(&self, cx: &mut CallContext, next: Next<'_>) -> impl Future<Output = Result<(), Status>> + Send {
        self.inner.call(cx, next)
    }

    fn on_message(
        &self,
        call: &dyn CallView,
        direction: Direction,
        message: MessageRef<'_>,
    ) -> Result<(), Status> {
        self.inner.on_message(call, direction, message)
    }

    fn on_start(&self, call: &dyn CallView) {
        self.inner.on_start(call);
    }

    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        self.inner.on_end(call, result);
    }

    fn interest(&self) -> Interest {
        self.inner.interest()
    }

    fn applies_to(&self, side: Side, method: &Method) -> bool {
        self.selects(method) && self.inner.applies_to(side, method)
    }

    fn on_register(&self, method: &Method) {
        self.inner.on_register(method);
    }

    fn only(self, pattern: &str) -> Selected<Self> {
        Selected::new(self).only(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CallKind;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false), // the star does not make one letter two
            ("*b*", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("**", "abc", true),
        ] {
            assert_eq!(is_match(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn exceptions_count_more_than_selections() {
        struct All;
        impl Interceptor for All {}
        let method = |service, name| Method::dynamic(service, name, CallKind::Unary);
        let selected = All.only("shop.*").only("*/Check").except("*/Delete*").except("grpc.*");
        for (service, name, want) in [
            ("shop.v1.Shop", "Get", true),
            ("shop.v1.Shop", "DeleteAll", false),
            ("other.Other", "Check", true),
            ("other.Other", "Get", false),
            ("grpc.health.v1.Health", "Check", false),
        ] {
            assert_eq!(selected.applies_to(Side::Server, &method(service, name)), want, "{service}/{name}");
        }
        assert!("/".parse::<Pattern>().is_err());
        assert!("a/".parse::<Pattern>().is_err());
    }
}
