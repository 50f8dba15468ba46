//! What sinks are given.

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_telemetry::{Metrics, Naming};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use prometheus_client::registry::Registry;

use crate::harness::{World, ask, call_all, pair};

fn scrape(metrics: &Metrics) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(metrics.clone()));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[tokio::test]
async fn prometheus_reads_classic_names_as_they_are() {
    let metrics = Metrics::builder().naming(Naming::Prometheus).handling_time(true).build();
    let client =
        pair(&Arc::new(World::default()), |server| server.interceptor(metrics.clone()), |client| client);
    ask(&client, "fail it").await.unwrap_err();
    let text = scrape(&metrics);
    let labels = r#"grpc_type="unary",grpc_service="test.Echo",grpc_method="Unary""#;
    for line in [
        "# TYPE grpc_server_started counter".to_owned(),
        format!("grpc_server_started_total{{{labels}}} 1"),
        format!(r#"grpc_server_handled_total{{{labels},grpc_code="NotFound"}} 1"#),
        format!(r#"grpc_server_handled_total{{{labels},grpc_code="OK"}} 0"#),
        format!("grpc_server_in_flight{{{labels}}} 0"),
        "# TYPE grpc_server_handling_seconds histogram".to_owned(),
        format!("grpc_server_handling_seconds_count{{{labels}}} 1"),
        format!(r#"grpc_server_handling_seconds_bucket{{le="+Inf",{labels}}} 1"#),
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
    }
}

#[tokio::test]
async fn prometheus_reads_dotted_names_with_their_units() {
    let metrics = Metrics::new(Naming::Grpc);
    let client =
        pair(&Arc::new(World::default()), |server| server.interceptor(metrics.clone()), |client| client);
    ask(&client, "hi").await.unwrap();
    let text = scrape(&metrics);
    let labels = r#"grpc_method="test.Echo/Unary""#;
    for line in [
        format!("grpc_server_call_started_total{{{labels}}} 1"),
        format!(r#"grpc_server_call_duration_seconds_count{{{labels},grpc_status="OK"}} 1"#),
        format!(
            r#"grpc_server_call_sent_total_compressed_message_size_bytes_sum{{{labels},grpc_status="OK"}} 9.0"#
        ),
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
    }
}

/// All points that a meter has seen: name, unit, attributes, and what they have come to.
fn points(exporter: &InMemoryMetricExporter) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    for resource in exporter.get_finished_metrics().unwrap() {
        for metric in resource.scope_metrics().flat_map(|scope| scope.metrics()) {
            let mut add = |attributes: Vec<String>, value| {
                out.insert(
                    format!("{} {} {{{}}}", metric.name(), metric.unit(), attributes.join(",")),
                    value,
                );
            };
            let attributes = |all: &mut dyn Iterator<Item = &opentelemetry::KeyValue>| {
                let mut all: Vec<String> = all.map(|one| format!("{}={}", one.key, one.value)).collect();
                all.sort_unstable();
                all
            };
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                    sum.data_points()
                        .for_each(|point| add(attributes(&mut point.attributes()), point.value()));
                }
                AggregatedMetrics::I64(MetricData::Sum(sum)) => sum.data_points().for_each(|point| {
                    add(attributes(&mut point.attributes()), point.value().unsigned_abs());
                }),
                AggregatedMetrics::F64(MetricData::Histogram(all)) => all
                    .data_points()
                    .for_each(|point| add(attributes(&mut point.attributes()), point.count())),
                AggregatedMetrics::U64(MetricData::Histogram(all)) => all
                    .data_points()
                    .for_each(|point| add(attributes(&mut point.attributes()), point.count())),
                _ => panic!("{} is of another kind", metric.name()),
            }
        }
    }
    out
}

#[tokio::test]
async fn a_meter_sees_what_is_read_for_all_families() {
    for naming in [Naming::Grpc, Naming::OpenTelemetry, Naming::Prometheus] {
        let exporter = InMemoryMetricExporter::default();
        let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
        let meter = provider.meter("test");
        let metrics = Metrics::builder().naming(naming).handling_time(true).meter(&meter).build();
        let both = metrics.clone();
        let of_server = |server: dunlin_server::Builder| server.interceptor(metrics.clone());
        let client = pair(&Arc::new(World::default()), of_server, |client| client.interceptor(both));
        call_all(&client).await;
        ask(&client, "break it").await.unwrap_err();
        provider.force_flush().unwrap();
        let mut want = BTreeMap::new();
        for reading in metrics.read() {
            for point in &reading.series {
                let mut labels: Vec<String> =
                    point.labels.iter().map(|label| format!("{}={}", label.name, label.value)).collect();
                labels.sort_unstable();
                let name = format!("{} {} {{{}}}", reading.name, reading.unit, labels.join(","));
                let value = match point.value {
                    dunlin_telemetry::Value::Count(count) => count,
                    dunlin_telemetry::Value::Level(level) => level.unsigned_abs(),
                    dunlin_telemetry::Value::Spread { count, .. } => count,
                    _ => unreachable!("no other kinds"),
                };
                want.insert(name, value);
            }
        }
        // What was never counted is no point of a meter.
        let mut found = points(&exporter);
        want.retain(|_, value| *value > 0);
        found.retain(|_, value| *value > 0);
        assert_eq!(found, want, "{naming:?}");
        provider.shutdown().unwrap();
    }
}
