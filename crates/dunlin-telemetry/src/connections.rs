//! Connections of servers, counted.

use std::sync::OnceLock;

use dunlin_http2::{ConnectionError, Limit};
use dunlin_transport::accept::HandshakeError;
use dunlin_transport::{Address, CloseReason, ConnectionInfo, ConnectionObserver};

use crate::instrument::CONNECTIONS;
use crate::labels::Label;
use crate::metrics::Metrics;
use crate::reading::{Point, Reading};
use crate::series::{Active, Series};

/// Why connections end.
const REASONS: [&str; 7] = ["shutdown", "by_peer", "protocol", "timeout", "keepalive", "limit", "io"];

const REASON: &str = "dunlin.reason";
const LIMIT: &str = "dunlin.limit";

/// The instruments of connections. Their series are there once the first connection is.
pub(crate) struct Connections {
    instruments: Box<[Active]>,
    series: OnceLock<All>,
}

/// In the order of `CONNECTIONS`.
struct All {
    open: Series,
    opened: Series,
    refused: Series,
    handshake_failures: Box<[Series]>,
    closed: Box<[Series]>,
    limits_exceeded: Box<[Series]>,
}

impl Connections {
    /// Out of `CONNECTIONS`.
    pub(crate) fn new(instruments: Box<[Active]>) -> Self {
        assert_eq!(instruments.len(), CONNECTIONS.len(), "all instruments of connections");
        Self { instruments, series: OnceLock::new() }
    }

    fn all(&self) -> &All {
        self.series.get_or_init(|| {
            let one = |at: usize| self.instruments[at].series(Vec::new);
            let many = |at: usize, name, values: Vec<&'static str>| {
                let series = |value| self.instruments[at].series(|| vec![Label::text(name, value)]);
                values.into_iter().map(series).collect()
            };
            All {
                open: one(0),
                opened: one(1),
                refused: one(2),
                handshake_failures: many(3, REASON, HandshakeError::KINDS.into()),
                closed: many(4, REASON, REASONS.into()),
                limits_exceeded: many(5, LIMIT, limits()),
            }
        })
    }

    pub(crate) fn read(&self) -> Vec<Reading> {
        let Some(all) = self.series.get() else { return Vec::new() };
        let one = |series: &Series| vec![Point { labels: Vec::new(), value: series.read() }];
        let many = |name, values: Vec<&'static str>, series: &[Series]| {
            let point = |(value, series): (_, &Series)| Point {
                labels: vec![Label::text(name, value)],
                value: series.read(),
            };
            values.into_iter().zip(series).map(point).collect()
        };
        let points: [Vec<Point>; 6] = [
            one(&all.open),
            one(&all.opened),
            one(&all.refused),
            many(REASON, HandshakeError::KINDS.into(), &all.handshake_failures),
            many(REASON, REASONS.into(), &all.closed),
            many(LIMIT, limits(), &all.limits_exceeded),
        ];
        self.instruments.iter().zip(points).map(|(active, points)| active.reading(points)).collect()
    }
}

fn limits() -> Vec<&'static str> {
    Limit::ALL.iter().map(|limit| limit.setting()).collect()
}

fn reason(reason: &CloseReason) -> &'static str {
    match reason {
        CloseReason::Shutdown => "shutdown",
        CloseReason::ByPeer => "by_peer",
        CloseReason::Protocol(ConnectionError::Abuse { .. }) => "limit",
        CloseReason::Protocol(ConnectionError::Timeout { .. }) => "timeout",
        CloseReason::Protocol(_) => "protocol",
        CloseReason::Unresponsive(_) => "keepalive",
        _ => "io",
    }
}

/// Adds one to the series of a value.
fn count(series: &[Series], values: &[&str], value: &str) {
    let found = values.iter().position(|known| *known == value);
    if let Some(series) = found.and_then(|at| series.get(at)) {
        series.add(1);
    }
}

/// By `Builder::connection_observer` of a server: `dunlin.server.connection.open`, `.opened`, `.refused`,
/// `.handshake_failures` and `.closed` with `dunlin.reason`, `.limits_exceeded` with `dunlin.limit`, which is
/// the name of the setting. They have these names in all families.
impl ConnectionObserver for Metrics {
    fn opened(&self, _: &ConnectionInfo) {
        let all = self.inner().connections.all();
        all.opened.add(1);
        all.open.add(1);
    }

    fn closed(&self, _: &ConnectionInfo, why: &CloseReason) {
        let all = self.inner().connections.all();
        all.open.take_one();
        count(&all.closed, &REASONS, reason(why));
        if let CloseReason::Protocol(ConnectionError::Abuse { limit, .. }) = why {
            count(&all.limits_exceeded, &limits(), limit.setting());
        }
    }

    fn refused(&self) {
        self.inner().connections.all().refused.add(1);
    }

    fn handshake_failed(&self, _: &Address, error: &HandshakeError) {
        count(&self.inner().connections.all().handshake_failures, &HandshakeError::KINDS, error.kind());
    }
}
