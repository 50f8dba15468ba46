//! Which names metrics and spans have.

use std::ffi::OsStr;

/// Whose names metrics have.
///
/// | | on servers | on clients | labels |
/// |---|---|---|---|
/// | `Grpc` | `grpc.server.call.started`, `.duration`, `.sent_total_compressed_message_size`, `.rcvd_total_compressed_message_size` | `grpc.client.call.duration`; the four names of servers with `grpc.client.attempt` | `grpc.method`, `grpc.status`, on clients `grpc.target` |
/// | `OpenTelemetry` | `rpc.server.call.duration` | `rpc.client.call.duration` | `rpc.system.name`, `rpc.method`, [`rpc.response.status_code`](STATUS_CODE), `error.type`, on clients `server.address`, `server.port` |
/// | `Prometheus` | `grpc_server_started_total`, `_handled_total`, `_msg_received_total`, `_msg_sent_total`, `_in_flight`, `_panics_total`; by a setting `_handling_seconds` | the same with `grpc_client`, but no panics | `grpc_type`, `grpc_service`, `grpc_method`, for what was handled `grpc_code` |
///
/// Methods that a server does not have are `other`, `_OTHER` and `other`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Naming {
    /// gRPC's own (gRFC A66).
    #[default]
    Grpc,
    /// The semantic conventions of OpenTelemetry for RPC. The variable `OTEL_SEMCONV_STABILITY_OPT_IN` may ask
    /// for the older ones besides; see [`Conventions`].
    OpenTelemetry,
    /// Those of dashboards for Prometheus, as go-grpc-middleware has them. They alone count what is in flight, and
    /// are there with zeros before the first call.
    Prometheus,
}

/// Which edition of OpenTelemetry's conventions for RPC is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conventions {
    /// The current one.
    #[default]
    Current,
    /// The current one, and that of v1.37 (`rpc.server.duration` in milliseconds, `rpc.grpc.status_code`)
    /// beside it, for those who move from the one to the other.
    Both,
}

impl Conventions {
    /// The variable that [`from_env`](Self::from_env) reads.
    pub const VARIABLE: &'static str = "OTEL_SEMCONV_STABILITY_OPT_IN";

    /// What `OTEL_SEMCONV_STABILITY_OPT_IN` asks for: [`Both`](Self::Both) if one of its words is `rpc/dup`.
    /// Nothing was ever emitted by the older conventions alone, so that `rpc` and no variable at all mean
    /// the current ones.
    pub fn from_env() -> Self {
        std::env::var_os(Self::VARIABLE).map(|value| Self::parse(&value)).unwrap_or_default()
    }

    fn parse(value: &OsStr) -> Self {
        let value = value.to_string_lossy();
        match value.split(',').any(|word| word.trim() == "rpc/dup") {
            true => Self::Both,
            false => Self::Current,
        }
    }

    pub(crate) fn has_older(self) -> bool {
        self == Self::Both
    }
}

/// The attribute that has the status. It is `rpc.response.status_code` in all releases up to v1.44 and has
/// another name in what comes after them, so it is written here alone.
pub const STATUS_CODE: &str = "rpc.response.status_code";

/// What stands for the name of a method that is not known, by gRPC.
pub(crate) const OTHER: &str = "other";
/// The same, by OpenTelemetry.
pub(crate) const OTEL_OTHER: &str = "_OTHER";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_conventions_are_followed_if_one_of_the_words_asks_for_it() {
        for (value, want) in [
            ("", Conventions::Current),
            ("http", Conventions::Current),
            ("rpc", Conventions::Current),
            ("rpc/dup", Conventions::Both),
            ("http, rpc/dup", Conventions::Both),
            ("rpc,rpc/dup", Conventions::Both), // the latter counts more
            ("rpc/duplicate", Conventions::Current),
        ] {
            assert_eq!(Conventions::parse(OsStr::new(value)), want, "{value:?}");
        }
    }
}
