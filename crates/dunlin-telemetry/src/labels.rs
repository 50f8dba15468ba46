//! What tells the series of an instrument apart.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use dunlin_grpc::intercept::Side;
use dunlin_grpc::{CallKind, Code, Method};

use crate::instrument::Labels;
use crate::naming::{OTEL_OTHER, OTHER, STATUS_CODE};

/// A name with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Label {
    /// As the family of names has it, such as `grpc.method`.
    pub name: &'static str,
    /// What it is here.
    pub value: LabelValue,
}

/// The value of a [`Label`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelValue {
    /// A text.
    Text(Cow<'static, str>),
    /// A number, such as a port.
    Number(i64),
}

impl fmt::Display for LabelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl Label {
    pub(crate) fn text(name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        Self { name, value: LabelValue::Text(value.into()) }
    }

    fn number(name: &'static str, value: impl Into<i64>) -> Self {
        Self { name, value: LabelValue::Number(value.into()) }
    }
}

/// Calls that share their series, but for the status.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) side: Side,
    /// `None` for all methods that are not known.
    pub(crate) method: Option<Method>,
    /// Of clients; `None` for all targets that have no series of their own.
    pub(crate) target: Option<Arc<str>>,
}

impl Key {
    /// What calls share that have no series of their own.
    pub(crate) fn other(side: Side) -> Self {
        Self { side, method: None, target: None }
    }

    fn full_name(&self, other: &'static str) -> Cow<'static, str> {
        match &self.method {
            Some(method) => full_name(method).to_owned().into(),
            None => other.into(),
        }
    }

    /// Those of an instrument. `code` is that of the call, if there is a series for each.
    pub(crate) fn labels(&self, labels: Labels, code: Option<Code>) -> Vec<Label> {
        let mut out = Vec::with_capacity(6);
        match labels {
            Labels::Grpc | Labels::GrpcStatus => {
                out.push(Label::text("grpc.method", self.full_name(OTHER)));
                if self.side == Side::Client {
                    let target = self.target.as_deref();
                    let target = target.map_or(OTHER.into(), |target| Cow::Owned(canonical(target)));
                    out.push(Label::text("grpc.target", target));
                }
                out.extend(code.map(|code| Label::text("grpc.status", code.name())));
            }
            Labels::Rpc => {
                out.push(Label::text("rpc.system.name", "grpc"));
                out.push(Label::text("rpc.method", self.full_name(OTEL_OTHER)));
                if let Some(code) = code {
                    out.push(Label::text(STATUS_CODE, code.name()));
                    out.extend(is_error(self.side, code).then(|| Label::text("error.type", code.name())));
                }
                self.server(&mut out);
            }
            Labels::OldRpc => {
                out.push(Label::text("rpc.system", "grpc"));
                if let Some(method) = &self.method {
                    out.push(Label::text("rpc.service", method.service().to_owned()));
                    out.push(Label::text("rpc.method", method.name().to_owned()));
                }
                out.extend(code.map(|code| Label::number("rpc.grpc.status_code", code.number())));
                self.server(&mut out);
            }
            Labels::Classic | Labels::ClassicCode => {
                let method = self.method.as_ref();
                // The server takes what it does not know for streams both ways.
                let kind = method.map_or(CallKind::BidiStreaming, Method::kind);
                let of = |get: fn(&Method) -> &str| -> Cow<'static, str> {
                    method.map_or(OTHER.into(), |method| get(method).to_owned().into())
                };
                out.push(Label::text("grpc_type", grpc_type(kind)));
                out.push(Label::text("grpc_service", of(Method::service)));
                out.push(Label::text("grpc_method", of(Method::name)));
                out.extend(code.map(|code| Label::text("grpc_code", code.go_name())));
            }
            Labels::Own => {}
        }
        out
    }

    /// On servers they would come from the peer, who may say what it likes.
    fn server(&self, out: &mut Vec<Label>) {
        let Some(target) = &self.target else { return };
        let (address, port) = server(target);
        out.push(Label::text("server.address", address.to_owned()));
        out.extend(port.map(|port| Label::number("server.port", port)));
    }
}

/// `pkg.Service/Method`.
pub(crate) fn full_name(method: &Method) -> &str {
    let path = method.path();
    path.strip_prefix('/').unwrap_or(path)
}

/// Whether OpenTelemetry takes a status for an error: on clients all but OK, on servers those that the server
/// is to blame for.
pub(crate) fn is_error(side: Side, code: Code) -> bool {
    match side {
        Side::Client => code != Code::Ok,
        Side::Server => matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ),
    }
}

fn grpc_type(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Unary => "unary",
        CallKind::ClientStreaming => "client_stream",
        CallKind::ServerStreaming => "server_stream",
        CallKind::BidiStreaming => "bidi_stream",
    }
}

/// Schemes of targets that have no authority of their own.
const SCHEMES: [&str; 5] = ["dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:"];

/// A target with its scheme: names are looked up in the DNS if nothing else is said.
fn canonical(target: &str) -> String {
    match target.contains("://") || SCHEMES.iter().any(|scheme| target.starts_with(scheme)) {
        true => target.to_owned(),
        false => format!("dns:///{target}"),
    }
}

/// What a target says of the server: its name or address, and its port.
pub(crate) fn server(target: &str) -> (&str, Option<u16>) {
    if let Some(path) = target.strip_prefix("unix://").or_else(|| target.strip_prefix("unix:")) {
        return (path, None);
    }
    let hosts = match target.strip_prefix("dns:") {
        // `dns://SERVER/NAME` names who is asked, too.
        Some(rest) => {
            rest.strip_prefix("//").map_or(rest, |rest| rest.split_once('/').map_or(rest, |(_, name)| name))
        }
        None => target.strip_prefix("ipv4:").or_else(|| target.strip_prefix("ipv6:")).unwrap_or(target),
    };
    if hosts.contains(',') || hosts.contains("://") || hosts.starts_with("unix-abstract:") {
        return (target, None);
    }
    match authority(hosts) {
        // It was no host with a port.
        (host, None) if host.contains(':') && !host.contains("::") => (target, None),
        found => found,
    }
}

/// A host, and its port if it has one.
pub(crate) fn authority(text: &str) -> (&str, Option<u16>) {
    let bare = |host| str::trim_end_matches(str::trim_start_matches(host, '['), ']');
    match text.rsplit_once(':') {
        // The last colon of an IPv6 address is none before a port.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (bare(host), Some(port)),
            Err(_) => (text, None),
        },
        _ => (bare(text), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_of_a_target_is_found_as_the_conventions_have_it() {
        for (target, address, port) in [
            ("grpc.io:50051", "grpc.io", Some(50051)),
            ("dns://1.2.3.4/grpc.io:50051", "grpc.io", Some(50051)),
            ("dns:///grpc.io", "grpc.io", None),
            ("dns:grpc.io:443", "grpc.io", Some(443)),
            ("unix:///run/containerd/containerd.sock", "/run/containerd/containerd.sock", None),
            ("unix:/run/shop.sock", "/run/shop.sock", None),
            ("zk://zookeeper:2181/my-server", "zk://zookeeper:2181/my-server", None),
            (
                "ipv4:198.51.100.123:50051,198.51.100.124:50051",
                "ipv4:198.51.100.123:50051,198.51.100.124:50051",
                None,
            ),
            ("ipv4:198.51.100.123:50051", "198.51.100.123", Some(50051)),
            ("ipv6:[::1]:50051", "::1", Some(50051)),
            ("[::1]:1", "::1", Some(1)),
            ("::1", "::1", None),
            ("host:http", "host:http", None), // no port
        ] {
            assert_eq!(server(target), (address, port), "{target}");
        }
    }

    #[test]
    fn a_target_without_a_scheme_is_one_of_the_dns() {
        for (target, want) in [
            ("shop:50051", "dns:///shop:50051"),
            ("dns:///shop:50051", "dns:///shop:50051"),
            ("unix:/run/shop.sock", "unix:/run/shop.sock"),
            ("xds:///shop", "xds:///shop"),
        ] {
            assert_eq!(canonical(target), want);
        }
    }

    #[test]
    fn a_client_takes_all_but_ok_for_an_error_and_a_server_what_is_its_own_fault() {
        let of = |side| Code::ALL.into_iter().filter(move |code| is_error(side, *code)).count();
        assert_eq!((of(Side::Client), of(Side::Server)), (16, 6));
        assert!(!is_error(Side::Server, Code::NotFound));
    }
}
