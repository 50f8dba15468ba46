//! What is measured, by which name: one table for each family of names and each side.

use dunlin_grpc::intercept::Side;

use crate::naming::{Conventions, Naming};

/// What an instrument does with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Adds them up; never goes down.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Sorts them into buckets.
    Histogram,
}

/// What an instrument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Started,
    Ended,
    InFlight,
    Panics,
    Seconds,
    Milliseconds,
    SentBytes,
    ReceivedBytes,
    SentMessages,
    ReceivedMessages,
    /// Of connections; said by who counts it.
    Connections,
}

/// What tells the series of an instrument apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Labels {
    /// `grpc.method`, on clients `grpc.target`.
    Grpc,
    /// The same and `grpc.status`.
    GrpcStatus,
    /// Of the current conventions of OpenTelemetry.
    Rpc,
    /// Of those before.
    OldRpc,
    /// `grpc_type`, `grpc_service`, `grpc_method`.
    Classic,
    /// The same and `grpc_code`.
    ClassicCode,
    /// None, or one that the value of a connection brings along.
    Own,
}

impl Labels {
    /// Whether there is a series for each status.
    pub(crate) fn has_status(self) -> bool {
        matches!(self, Self::GrpcStatus | Self::Rpc | Self::OldRpc | Self::ClassicCode)
    }
}

/// One row of the tables.
#[derive(Debug)]
pub(crate) struct Instrument {
    pub(crate) name: &'static str,
    /// By UCUM.
    pub(crate) unit: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) measure: Measure,
    pub(crate) labels: Labels,
    /// Upper bounds of the buckets; the last one has none.
    pub(crate) bounds: &'static [f64],
}

/// Seconds, by gRFC A66.
const LATENCY: &[f64] = &[
    0.0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008,
    0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4,
    0.5, 0.65, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];
/// Bytes, by gRFC A66.
const SIZE: &[f64] = &[
    0.0,
    1024.0,
    2048.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];
/// Seconds, by OpenTelemetry.
const RPC_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The default of OpenTelemetry's SDKs, which is what the older conventions have for milliseconds.
const RPC_MILLISECONDS: &[f64] =
    &[0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10_000.0];
/// Seconds, by the default of Prometheus' Go client.
const CLASSIC_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const fn counter(
    name: &'static str,
    unit: &'static str,
    measure: Measure,
    labels: Labels,
    help: &'static str,
) -> Instrument {
    Instrument { name, unit, help, kind: Kind::Counter, measure, labels, bounds: &[] }
}

const fn gauge(
    name: &'static str,
    unit: &'static str,
    measure: Measure,
    labels: Labels,
    help: &'static str,
) -> Instrument {
    Instrument { name, unit, help, kind: Kind::Gauge, measure, labels, bounds: &[] }
}

const fn histogram(
    name: &'static str,
    unit: &'static str,
    measure: Measure,
    labels: Labels,
    bounds: &'static [f64],
    help: &'static str,
) -> Instrument {
    Instrument { name, unit, help, kind: Kind::Histogram, measure, labels, bounds }
}

use Labels::{Classic, ClassicCode, Grpc, GrpcStatus, OldRpc, Own, Rpc};
use Measure::{
    Connections, Ended, InFlight, Milliseconds, Panics, ReceivedBytes, ReceivedMessages, Seconds, SentBytes,
    SentMessages, Started,
};

#[rustfmt::skip]
static GRPC_SERVER: [Instrument; 4] = [
    counter("grpc.server.call.started", "{call}", Started, Grpc, "Calls that have begun."),
    histogram("grpc.server.call.duration", "s", Seconds, GrpcStatus, LATENCY,
        "Time from the headers of a request to the end of its response."),
    histogram("grpc.server.call.sent_total_compressed_message_size", "By", SentBytes, GrpcStatus, SIZE,
        "Compressed bytes of all response messages of a call."),
    histogram("grpc.server.call.rcvd_total_compressed_message_size", "By", ReceivedBytes, GrpcStatus, SIZE,
        "Compressed bytes of all request messages of a call."),
];

#[rustfmt::skip]
static GRPC_CLIENT: [Instrument; 5] = [
    counter("grpc.client.attempt.started", "{attempt}", Started, Grpc, "Attempts that have begun."),
    histogram("grpc.client.attempt.duration", "s", Seconds, GrpcStatus, LATENCY,
        "Time from the begin of an attempt to its end."),
    histogram("grpc.client.attempt.sent_total_compressed_message_size", "By", SentBytes, GrpcStatus, SIZE,
        "Compressed bytes of all request messages of an attempt."),
    histogram("grpc.client.attempt.rcvd_total_compressed_message_size", "By", ReceivedBytes, GrpcStatus, SIZE,
        "Compressed bytes of all response messages of an attempt."),
    histogram("grpc.client.call.duration", "s", Seconds, GrpcStatus, LATENCY,
        "Time from the begin of a call to its end."),
];

static RPC_SERVER: [Instrument; 1] = [histogram(
    "rpc.server.call.duration",
    "s",
    Seconds,
    Rpc,
    RPC_SECONDS,
    "Duration of an incoming Remote Procedure Call.",
)];

static RPC_CLIENT: [Instrument; 1] = [histogram(
    "rpc.client.call.duration",
    "s",
    Seconds,
    Rpc,
    RPC_SECONDS,
    "Duration of an outgoing Remote Procedure Call.",
)];

static OLD_RPC_SERVER: [Instrument; 1] = [histogram(
    "rpc.server.duration",
    "ms",
    Milliseconds,
    OldRpc,
    RPC_MILLISECONDS,
    "Duration of an incoming Remote Procedure Call.",
)];

static OLD_RPC_CLIENT: [Instrument; 1] = [histogram(
    "rpc.client.duration",
    "ms",
    Milliseconds,
    OldRpc,
    RPC_MILLISECONDS,
    "Duration of an outgoing Remote Procedure Call.",
)];

#[rustfmt::skip]
static CLASSIC_SERVER: [Instrument; 7] = [
    counter("grpc_server_started_total", "", Started, Classic, "Total number of RPCs started on the server."),
    counter("grpc_server_handled_total", "", Ended, ClassicCode,
        "Total number of RPCs completed on the server, regardless of success or failure."),
    counter("grpc_server_msg_received_total", "", ReceivedMessages, Classic,
        "Total number of RPC stream messages received on the server."),
    counter("grpc_server_msg_sent_total", "", SentMessages, Classic,
        "Total number of gRPC stream messages sent by the server."),
    gauge("grpc_server_in_flight", "", InFlight, Classic, "RPCs that the server is handling."),
    counter("grpc_server_panics_total", "", Panics, Classic, "Total number of RPCs whose handler panicked."),
    histogram("grpc_server_handling_seconds", "s", Seconds, Classic, CLASSIC_SECONDS,
        "Histogram of response latency (seconds) of gRPC that had been application-level handled by the server."),
];

#[rustfmt::skip]
static CLASSIC_CLIENT: [Instrument; 6] = [
    counter("grpc_client_started_total", "", Started, Classic, "Total number of RPCs started on the client."),
    counter("grpc_client_handled_total", "", Ended, ClassicCode,
        "Total number of RPCs completed by the client, regardless of success or failure."),
    counter("grpc_client_msg_received_total", "", ReceivedMessages, Classic,
        "Total number of RPC stream messages received by the client."),
    counter("grpc_client_msg_sent_total", "", SentMessages, Classic,
        "Total number of gRPC stream messages sent by the client."),
    gauge("grpc_client_in_flight", "", InFlight, Classic, "RPCs that the client waits for."),
    histogram("grpc_client_handling_seconds", "s", Seconds, Classic, CLASSIC_SECONDS,
        "Histogram of response latency (seconds) of the gRPC until it is finished by the application."),
];

/// Of connections, which no family of names has.
#[rustfmt::skip]
pub(crate) static CONNECTIONS: [Instrument; 6] = [
    gauge("dunlin.server.connection.open", "{connection}", Connections, Own, "Connections that are open."),
    counter("dunlin.server.connection.opened", "{connection}", Connections, Own,
        "Connections that came as far as HTTP/2."),
    counter("dunlin.server.connection.refused", "{connection}", Connections, Own,
        "Connections closed for want of a place."),
    counter("dunlin.server.connection.handshake_failures", "{connection}", Connections, Own,
        "Connections that ended before HTTP/2."),
    counter("dunlin.server.connection.closed", "{connection}", Connections, Own, "Connections that have ended."),
    counter("dunlin.server.connection.limits_exceeded", "{connection}", Connections, Own,
        "Connections that were ended because their peer broke a limit."),
];

/// The instruments of a family on a side.
pub(crate) fn instruments(
    naming: Naming,
    conventions: Conventions,
    has_handling_time: bool,
    side: Side,
) -> Vec<&'static Instrument> {
    let is_server = side == Side::Server;
    match naming {
        Naming::Grpc if is_server => GRPC_SERVER.iter().collect(),
        Naming::Grpc => GRPC_CLIENT.iter().collect(),
        Naming::OpenTelemetry => {
            let (current, older) = match side {
                Side::Server => (&RPC_SERVER, &OLD_RPC_SERVER),
                Side::Client => (&RPC_CLIENT, &OLD_RPC_CLIENT),
            };
            let older: &[Instrument] = if conventions.has_older() { older } else { &[] };
            current.iter().chain(older).collect()
        }
        Naming::Prometheus => {
            let all: &[Instrument] = if is_server { &CLASSIC_SERVER } else { &CLASSIC_CLIENT };
            all.iter().filter(|one| has_handling_time || one.kind != Kind::Histogram).collect()
        }
    }
}
