//! Calls, counted and timed.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

use dunlin_grpc::intercept::{CallView, Counts, Interceptor, Interest, Panicked, Pattern, Side};
use dunlin_grpc::{Code, Method, Status};
use foldhash::fast::FixedState;

use crate::connections::Connections;
use crate::instrument::{CONNECTIONS, Instrument, Kind, Labels, Measure, instruments};
use crate::labels::Key;
use crate::naming::{Conventions, Naming};
use crate::reading::{Point, Reading};
use crate::series::{Active, Series};
use crate::table::Table;

/// Metrics of calls, for servers and clients: an [`Interceptor`], to be added outermost. Cheap to clone; all
/// clones count into the same series, so one value may serve several servers and channels.
///
/// What was measured is [read](Self::read) from it, by the feature `prometheus` also as a collector of the
/// crate `prometheus-client`; by the feature `opentelemetry` it goes to a
/// meter (`MetricsBuilder::meter`) besides.
///
/// Series of a method are made when it is first called, or when a server is built that has it. On servers,
/// methods that they do not have share one, whatever peers may call them.
///
/// Messages and bytes are counted when their call ends.
///
/// ```
/// use dunlin_telemetry::{Metrics, Naming};
///
/// let metrics = Metrics::new(Naming::Prometheus);
/// // Server::builder().interceptor(metrics.clone()).connection_observer(metrics.clone())
/// assert!(metrics.read().iter().any(|reading| reading.name == "grpc_server_started_total"));
/// ```
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    naming: Naming,
    server: OneSide,
    client: OneSide,
    entries: Table<Entry>,
    recognized: Vec<Pattern>,
    pub(crate) connections: Connections,
}

/// The instruments of servers, or those of clients.
struct OneSide {
    side: Side,
    /// With a series for each method.
    by_method: Box<[Active]>,
    /// With a series for each method and status.
    by_status: Box<[Active]>,
    needs_counts: bool,
    needs_time: bool,
    /// Of what has no entry of its own.
    other: OnceLock<Entry>,
}

/// The series of a method; on clients, of a method and target.
struct Entry {
    key: Key,
    by_method: Box<[Series]>,
    by_status: [OnceLock<Box<[Series]>>; Code::ALL.len()],
}

impl Entry {
    fn new(key: Key, of: &OneSide) -> Self {
        let series = |active: &Active| active.series(|| key.labels(active.of.labels, None));
        let by_method = of.by_method.iter().map(series).collect();
        Self { key, by_method, by_status: [const { OnceLock::new() }; Code::ALL.len()] }
    }

    fn is(&self, side: Side, method: &Method, target: &str) -> bool {
        let of = &self.key;
        of.side == side
            && of.method.as_ref().is_some_and(|own| own.path() == method.path())
            && of.target.as_deref().unwrap_or_default() == target
    }

    fn of_status(&self, code: Code, of: &OneSide) -> &[Series] {
        self.by_status[code as usize].get_or_init(|| {
            let series = |active: &Active| active.series(|| self.key.labels(active.of.labels, Some(code)));
            of.by_status.iter().map(series).collect()
        })
    }
}

impl Metrics {
    /// With these names, and the defaults of [`MetricsBuilder`].
    pub fn new(naming: Naming) -> Self {
        Self::builder().naming(naming).build()
    }

    /// Metrics with settings.
    pub fn builder() -> MetricsBuilder {
        MetricsBuilder::default()
    }

    /// All that was measured so far. Values are read one by one while calls go on, so they may differ by
    /// the calls of this moment.
    pub fn read(&self) -> Vec<Reading> {
        let inner = &*self.inner;
        let sides = [&inner.server, &inner.client].into_iter().flat_map(|of| of.read(&inner.entries));
        let mut all: Vec<Reading> = sides.chain(inner.connections.read()).collect();
        all.iter_mut().for_each(Reading::unite);
        all
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    fn find(&self, side: Side, method: &Method, target: &str) -> &Entry {
        let (inner, of) = (&*self.inner, self.inner.side(side));
        // Fixed: what is in the table came from the program, or is bounded by `max_methods`.
        let hash = FixedState::with_seed(side as u64).hash_one((method.path(), target));
        let is_it = |entry: &Entry| entry.is(side, method, target);
        let make = || {
            let target = (side == Side::Client).then(|| target.into());
            Entry::new(Key { side, method: Some(method.clone()), target }, of)
        };
        match inner.entries.get_or_add(hash, is_it, make) {
            Some(entry) => entry,
            None => of.other(),
        }
    }

    fn entry(&self, call: &dyn CallView) -> &Entry {
        let (side, method) = (call.side(), call.method());
        let is_known =
            call.is_registered() || self.inner.recognized.iter().any(|pattern| pattern.matches(method));
        match is_known {
            true => self.find(side, method, call.target()),
            false => self.inner.side(side).other(),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("naming", &self.inner.naming).finish_non_exhaustive()
    }
}

impl Inner {
    fn side(&self, side: Side) -> &OneSide {
        match side {
            Side::Server => &self.server,
            Side::Client => &self.client,
        }
    }
}

impl OneSide {
    fn new(side: Side, all: Vec<Active>) -> Self {
        let has = |wanted: &[Measure]| all.iter().any(|active| wanted.contains(&active.of.measure));
        let needs_time = has(&[Measure::Seconds, Measure::Milliseconds]);
        let needs_counts = has(&[
            Measure::SentBytes,
            Measure::ReceivedBytes,
            Measure::SentMessages,
            Measure::ReceivedMessages,
        ]);
        let (by_status, by_method): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|active| active.of.labels.has_status());
        Self {
            side,
            by_method: by_method.into(),
            by_status: by_status.into(),
            needs_counts,
            needs_time,
            other: OnceLock::new(),
        }
    }

    fn other(&self) -> &Entry {
        self.other.get_or_init(|| Entry::new(Key::other(self.side), self))
    }

    fn read(&self, entries: &Table<Entry>) -> Vec<Reading> {
        let entries: Vec<&Entry> =
            entries.iter().filter(|entry| entry.key.side == self.side).chain(self.other.get()).collect();
        let point = |entry: &Entry, labels: Labels, code, series: &Series| Point {
            labels: entry.key.labels(labels, code),
            value: series.read(),
        };
        let by_method = self.by_method.iter().enumerate().map(|(at, active)| {
            let points =
                entries.iter().map(|entry| point(entry, active.of.labels, None, &entry.by_method[at]));
            active.reading(points.collect())
        });
        let by_status = self.by_status.iter().enumerate().map(|(at, active)| {
            let points = entries.iter().flat_map(|entry| {
                Code::ALL.into_iter().zip(&entry.by_status).filter_map(move |(code, series)| {
                    Some(point(entry, active.of.labels, Some(code), &series.get()?[at]))
                })
            });
            active.reading(points.collect())
        });
        by_method.chain(by_status).collect()
    }
}

impl Active {
    pub(crate) fn reading(&self, series: Vec<Point>) -> Reading {
        let of = self.of;
        Reading { name: of.name, unit: of.unit, help: of.help, kind: of.kind, series }
    }
}

/// What is known of a call that is over.
struct Ended {
    seconds: f64,
    counts: Counts,
    has_panicked: bool,
}

impl Ended {
    fn note(&self, measure: Measure, series: &Series) {
        match measure {
            Measure::Ended => series.add(1),
            Measure::InFlight => series.take_one(),
            Measure::Seconds => series.record(self.seconds),
            Measure::Milliseconds => series.record(self.seconds * 1e3),
            Measure::SentBytes => series.add(self.counts.sent_bytes),
            Measure::ReceivedBytes => series.add(self.counts.received_bytes),
            Measure::SentMessages if self.counts.sent > 0 => series.add(self.counts.sent),
            Measure::ReceivedMessages if self.counts.received > 0 => series.add(self.counts.received),
            Measure::Panics if self.has_panicked => series.add(1),
            _ => {}
        }
    }
}

impl Interceptor for Metrics {
    fn interest(&self) -> Interest {
        Interest::ENDS
    }

    fn on_register(&self, method: &Method) {
        let entry = self.find(Side::Server, method, "");
        // Dashboards of this family count on zeros.
        if self.inner.naming == Naming::Prometheus {
            let of = &self.inner.server;
            for code in Code::ALL {
                zero(&of.by_status, entry.of_status(code, of));
            }
            zero(&of.by_method, &entry.by_method);
        }
    }

    fn on_start(&self, call: &dyn CallView) {
        let entry = self.entry(call);
        for (active, series) in self.inner.side(call.side()).by_method.iter().zip(&entry.by_method) {
            if matches!(active.of.measure, Measure::Started | Measure::InFlight) {
                series.add(1);
            }
        }
    }

    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        let (entry, of) = (self.entry(call), self.inner.side(call.side()));
        let mut ended = Ended { seconds: 0.0, counts: Counts::default(), has_panicked: false };
        if of.needs_time {
            let now = tokio::time::Instant::now().into_std();
            ended.seconds = now.saturating_duration_since(call.began()).as_secs_f64();
        }
        if of.needs_counts {
            ended.counts = call.counts();
        }
        let code = match result {
            Ok(()) => Code::Ok,
            Err(status) => {
                ended.has_panicked = Panicked::of(status).is_some();
                status.code()
            }
        };
        for (active, series) in of.by_method.iter().zip(&entry.by_method) {
            ended.note(active.of.measure, series);
        }
        for (active, series) in of.by_status.iter().zip(entry.of_status(code, of)) {
            ended.note(active.of.measure, series);
        }
    }
}

fn zero(of: &[Active], series: &[Series]) {
    for (_, series) in of.iter().zip(series).filter(|(active, _)| active.of.kind == Kind::Counter) {
        series.add(0);
    }
}

/// Collects the settings of [`Metrics`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct MetricsBuilder {
    naming: Naming,
    conventions: Conventions,
    has_handling_time: bool,
    buckets: Option<Arc<[f64]>>,
    max_methods: usize,
    recognized: Vec<Pattern>,
    #[cfg(feature = "opentelemetry")]
    meter: Option<opentelemetry::metrics::Meter>,
}

impl Default for MetricsBuilder {
    fn default() -> Self {
        Self {
            naming: Naming::default(),
            conventions: Conventions::from_env(),
            has_handling_time: false,
            buckets: None,
            max_methods: 1_000,
            recognized: Vec::new(),
            #[cfg(feature = "opentelemetry")]
            meter: None,
        }
    }
}

impl MetricsBuilder {
    /// Whose names metrics have. Those of [`Naming::Grpc`].
    pub fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// Which edition of OpenTelemetry's conventions is followed. What
    /// [the environment](Conventions::from_env) says.
    pub fn conventions(mut self, conventions: Conventions) -> Self {
        self.conventions = conventions;
        self
    }

    /// Whether there is `grpc_server_handling_seconds` and `grpc_client_handling_seconds`, of
    /// [`Naming::Prometheus`]. No, since a histogram has many series; the other families always have theirs.
    pub fn handling_time(mut self, is_wanted: bool) -> Self {
        self.has_handling_time = is_wanted;
        self
    }

    /// Upper bounds, in seconds, of the buckets of durations. Those that the family of names recommends.
    /// They are sorted; what is no number is left out.
    pub fn duration_buckets(mut self, seconds: impl IntoIterator<Item = f64>) -> Self {
        let mut bounds: Vec<f64> = seconds.into_iter().filter(|bound| bound.is_finite()).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        self.buckets = Some(bounds.into());
        self
    }

    /// How many methods, on clients pairs of a method and a target, have series of their own. 1,000. All
    /// further ones share the series `other`.
    pub fn max_methods(mut self, methods: usize) -> Self {
        self.max_methods = methods;
        self
    }

    /// Methods of this [`Pattern`] have series of their own even though the server knows them only by its
    /// fallback, as proxies do. None: they share the series `other`. What peers may name is bounded by
    /// [`max_methods`](Self::max_methods) alone then.
    pub fn recognize(mut self, pattern: Pattern) -> Self {
        self.recognized.push(pattern);
        self
    }

    /// Gives all that is measured to a meter of OpenTelemetry too. Its name should be that of the program or
    /// of this library. None.
    #[cfg(feature = "opentelemetry")]
    pub fn meter(mut self, meter: &opentelemetry::metrics::Meter) -> Self {
        self.meter = Some(meter.clone());
        self
    }

    /// The metrics.
    pub fn build(self) -> Metrics {
        let milliseconds: Option<Arc<[f64]>> =
            self.buckets.as_ref().map(|seconds| seconds.iter().map(|bound| bound * 1e3).collect());
        let activate = |of: &'static Instrument| {
            let bounds = match of.measure {
                Measure::Seconds => self.buckets.as_ref(),
                Measure::Milliseconds => milliseconds.as_ref(),
                _ => None,
            };
            #[cfg_attr(not(feature = "opentelemetry"), expect(unused_mut, reason = "a meter changes it"))]
            let mut active = Active::new(of, bounds);
            #[cfg(feature = "opentelemetry")]
            {
                let meter = self.meter.as_ref();
                active.meter = meter.map(|meter| crate::meter::MeterInstrument::new(meter, &active));
            }
            active
        };
        let side = |side| {
            let of = instruments(self.naming, self.conventions, self.has_handling_time, side);
            OneSide::new(side, of.into_iter().map(activate).collect())
        };
        let inner = Inner {
            naming: self.naming,
            server: side(Side::Server),
            client: side(Side::Client),
            entries: Table::new(self.max_methods),
            connections: Connections::new(CONNECTIONS.iter().map(activate).collect()),
            recognized: self.recognized,
        };
        Metrics { inner: Arc::new(inner) }
    }
}
