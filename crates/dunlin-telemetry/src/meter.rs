//! Instruments of an OpenTelemetry meter.

use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, StringValue};

use crate::instrument::Kind;
use crate::labels::{Label, LabelValue};
use crate::series::Active;

/// An instrument of a meter.
#[derive(Clone, Debug)]
pub(crate) enum MeterInstrument {
    Counter(Counter<u64>),
    UpDown(UpDownCounter<i64>),
    /// Of times.
    Histogram(Histogram<f64>),
    /// Of sizes.
    Sizes(Histogram<u64>),
}

impl MeterInstrument {
    pub(crate) fn new(meter: &Meter, active: &Active) -> Self {
        let of = active.of;
        match of.kind {
            Kind::Counter => {
                let builder = meter.u64_counter(of.name).with_description(of.help);
                Self::Counter(builder.with_unit(of.unit).build())
            }
            Kind::Gauge => {
                let builder = meter.i64_up_down_counter(of.name).with_description(of.help);
                Self::UpDown(builder.with_unit(of.unit).build())
            }
            Kind::Histogram if of.unit == "By" => {
                let builder = meter.u64_histogram(of.name).with_description(of.help).with_unit(of.unit);
                Self::Sizes(builder.with_boundaries(active.bounds().to_vec()).build())
            }
            Kind::Histogram => {
                let builder = meter.f64_histogram(of.name).with_description(of.help).with_unit(of.unit);
                Self::Histogram(builder.with_boundaries(active.bounds().to_vec()).build())
            }
        }
    }

    /// With attributes that are made once.
    pub(crate) fn bind(&self, labels: Vec<Label>) -> Bound {
        Bound { instrument: self.clone(), attributes: labels.into_iter().map(attribute).collect() }
    }
}

fn attribute(label: Label) -> KeyValue {
    match label.value {
        LabelValue::Text(text) => KeyValue::new(label.name, StringValue::from(text)),
        LabelValue::Number(number) => KeyValue::new(label.name, number),
    }
}

/// An instrument with the attributes of one series.
#[derive(Debug)]
pub(crate) struct Bound {
    instrument: MeterInstrument,
    attributes: Box<[KeyValue]>,
}

impl Bound {
    pub(crate) fn add(&self, number: u64) {
        match &self.instrument {
            MeterInstrument::Counter(counter) => counter.add(number, &self.attributes),
            MeterInstrument::UpDown(level) => level.add(number.cast_signed(), &self.attributes),
            MeterInstrument::Sizes(sizes) => sizes.record(number, &self.attributes),
            MeterInstrument::Histogram(histogram) => histogram.record(number as f64, &self.attributes),
        }
    }

    pub(crate) fn take_one(&self) {
        if let MeterInstrument::UpDown(level) = &self.instrument {
            level.add(-1, &self.attributes);
        }
    }

    pub(crate) fn record(&self, value: f64) {
        if let MeterInstrument::Histogram(histogram) = &self.instrument {
            histogram.record(value, &self.attributes);
        }
    }
}
