//! The numbers behind the instruments.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::instrument::{Instrument, Kind};
use crate::labels::Label;
#[cfg(feature = "opentelemetry")]
use crate::meter::{Bound, MeterInstrument};
use crate::reading::Value;

/// An instrument in use.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) of: &'static Instrument,
    bounds: Arc<[f64]>,
    #[cfg(feature = "opentelemetry")]
    pub(crate) meter: Option<MeterInstrument>,
}

impl Active {
    pub(crate) fn new(of: &'static Instrument, bounds: Option<&Arc<[f64]>>) -> Self {
        let bounds = bounds.map_or_else(|| of.bounds.into(), Arc::clone);
        Self {
            of,
            bounds,
            #[cfg(feature = "opentelemetry")]
            meter: None,
        }
    }

    #[cfg(feature = "opentelemetry")]
    pub(crate) fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    pub(crate) fn series(&self, labels: impl FnOnce() -> Vec<Label>) -> Series {
        let cell = match self.of.kind {
            Kind::Counter => Cell::Count(AtomicU64::new(0)),
            Kind::Gauge => Cell::Level(AtomicI64::new(0)),
            Kind::Histogram => Cell::Spread(Spread::new(Arc::clone(&self.bounds))),
        };
        #[cfg(not(feature = "opentelemetry"))]
        let _ = labels;
        Series {
            cell,
            #[cfg(feature = "opentelemetry")]
            meter: self.meter.as_ref().map(|meter| meter.bind(labels())),
        }
    }
}

/// One series of an instrument. Nothing here takes a lock or memory, unless the meter does.
#[derive(Debug)]
pub(crate) struct Series {
    cell: Cell,
    #[cfg(feature = "opentelemetry")]
    meter: Option<Bound>,
}

#[derive(Debug)]
enum Cell {
    Count(AtomicU64),
    Level(AtomicI64),
    Spread(Spread),
}

#[derive(Debug)]
struct Spread {
    bounds: Arc<[f64]>,
    /// One more than there are bounds.
    counts: Box<[AtomicU64]>,
    /// The bits of an `f64`.
    sum: AtomicU64,
}

impl Spread {
    fn new(bounds: Arc<[f64]>) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0.0_f64.to_bits()) }
    }

    fn record(&self, value: f64) {
        // A bound belongs to the bucket below it.
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let add = |sum| Some((f64::from_bits(sum) + value).to_bits());
        // `add` never gives up.
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    fn read(&self) -> Value {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Value::Spread { sum: f64::from_bits(self.sum.load(Ordering::Relaxed)), count, buckets }
    }
}

impl Series {
    /// More of what is counted.
    pub(crate) fn add(&self, number: u64) {
        match &self.cell {
            Cell::Count(count) => {
                count.fetch_add(number, Ordering::Relaxed);
            }
            Cell::Level(level) => {
                level.fetch_add(number.cast_signed(), Ordering::Relaxed);
            }
            Cell::Spread(spread) => spread.record(number as f64),
        }
        #[cfg(feature = "opentelemetry")]
        if let Some(meter) = &self.meter {
            meter.add(number);
        }
    }

    /// One less of what is there.
    pub(crate) fn take_one(&self) {
        if let Cell::Level(level) = &self.cell {
            level.fetch_sub(1, Ordering::Relaxed);
        }
        #[cfg(feature = "opentelemetry")]
        if let Some(meter) = &self.meter {
            meter.take_one();
        }
    }

    /// A value that is sorted into a bucket.
    pub(crate) fn record(&self, value: f64) {
        if let Cell::Spread(spread) = &self.cell {
            spread.record(value);
        }
        #[cfg(feature = "opentelemetry")]
        if let Some(meter) = &self.meter {
            meter.record(value);
        }
    }

    pub(crate) fn read(&self) -> Value {
        match &self.cell {
            Cell::Count(count) => Value::Count(count.load(Ordering::Relaxed)),
            Cell::Level(level) => Value::Level(level.load(Ordering::Relaxed)),
            Cell::Spread(spread) => spread.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_is_in_the_bucket_below() {
        let spread = Spread::new([0.0, 1.0, 2.0].as_slice().into());
        for value in [0.0, 0.5, 1.0, 1.5, 3.0] {
            spread.record(value);
        }
        let buckets = vec![(0.0, 1), (1.0, 2), (2.0, 1), (f64::INFINITY, 1)];
        assert_eq!(spread.read(), Value::Spread { sum: 6.0, count: 5, buckets });
    }

    #[test]
    fn values_of_many_threads_are_all_in_the_sum() {
        let spread = Spread::new([1.0].as_slice().into());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| spread.record(0.5)));
            }
        });
        let buckets = vec![(1.0, 40_000), (f64::INFINITY, 0)];
        assert_eq!(spread.read(), Value::Spread { sum: 20_000.0, count: 40_000, buckets });
    }
}
