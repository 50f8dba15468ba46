//! Metrics as a collector of `prometheus-client`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::instrument::Kind;
use crate::labels::Label;
use crate::metrics::Metrics;
use crate::reading::{Reading, Value};

/// By `registry.register_collector(Box::new(metrics.clone()))`. Dots of names and labels become `_`, and the
/// unit follows the name, as for all metrics of OpenTelemetry that Prometheus reads:
/// `grpc_server_call_duration_seconds`.
impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for reading in self.read() {
            // A family without series has nothing to say.
            if reading.series.is_empty() {
                continue;
            }
            let (name, unit) = split_name(&reading);
            let metric_type = match reading.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(&name, reading.help, unit.as_ref(), metric_type)?;
            for point in &reading.series {
                let labels: Vec<(String, String)> = point.labels.iter().map(pair).collect();
                if labels.is_empty() {
                    value(&mut family, &point.value)?;
                } else {
                    value(&mut family.encode_family(&labels)?, &point.value)?;
                }
            }
        }
        Ok(())
    }
}

/// The name without what the encoder adds, and the unit that it adds.
fn split_name(reading: &Reading) -> (String, Option<Unit>) {
    let name = reading.name.replace('.', "_");
    let unit = match reading.unit {
        "s" => Some(Unit::Seconds),
        "ms" => Some(Unit::Other("milliseconds".to_owned())),
        "By" => Some(Unit::Bytes),
        _ => None,
    };
    let name = match &unit {
        Some(unit) => name.strip_suffix(unit.as_str()).and_then(|name| name.strip_suffix('_')),
        None => name.strip_suffix("_total"),
    }
    .unwrap_or(&name);
    (name.to_owned(), unit)
}

fn pair(label: &Label) -> (String, String) {
    (label.name.replace('.', "_"), label.value.to_string())
}

fn value(encoder: &mut MetricEncoder<'_>, value: &Value) -> Result<(), fmt::Error> {
    match value {
        Value::Count(count) => encoder.encode_counter::<NoLabelSet, _, u64>(count, None),
        Value::Level(level) => encoder.encode_gauge(level),
        Value::Spread { sum, count, buckets } => {
            encoder.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
        }
    }
}
