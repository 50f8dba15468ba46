//! What is counted, and by which names.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::CallOptions;
use dunlin_grpc::{CallKind, Code, Method};
use dunlin_protobuf::wkt::StringValue;
use dunlin_telemetry::{Conventions, Metrics, Naming, Value};

use crate::harness::{UNARY, World, add, ask, call_all, map, pair, series, series_until, text};

fn worlds() -> Arc<World> {
    Arc::new(World::default())
}

/// A server and a client that count into one value.
fn measured(metrics: &Metrics, world: &Arc<World>) -> dunlin_client::Client {
    pair(world, |server| server.interceptor(metrics.clone()), |client| client.interceptor(metrics.clone()))
}

#[tokio::test]
async fn names_of_grpc_have_method_target_and_status() {
    let metrics = Metrics::new(Naming::Grpc);
    let client = measured(&metrics, &worlds());
    ask(&client, "hi").await.unwrap();
    ask(&client, "fail it").await.unwrap_err();
    let (method, target) = ("grpc.method=test.Echo/Unary", "grpc.target=dns:///shop.test:50051");
    let mut want = std::collections::BTreeMap::new();
    want.insert(format!("grpc.server.call.started{{{method}}}"), "2".to_owned());
    want.insert(format!("grpc.client.attempt.started{{{method},{target}}}"), "2".to_owned());
    for status in ["OK", "NOT_FOUND"] {
        for (name, labels) in [
            ("grpc.server.call.duration", method.to_owned()),
            ("grpc.server.call.sent_total_compressed_message_size", method.to_owned()),
            ("grpc.server.call.rcvd_total_compressed_message_size", method.to_owned()),
            ("grpc.client.attempt.duration", format!("{method},{target}")),
            ("grpc.client.attempt.sent_total_compressed_message_size", format!("{method},{target}")),
            ("grpc.client.attempt.rcvd_total_compressed_message_size", format!("{method},{target}")),
            ("grpc.client.call.duration", format!("{method},{target}")),
        ] {
            want.insert(format!("{name}{{{labels},grpc.status={status}}}"), "1".to_owned());
        }
    }
    assert_eq!(series(&metrics), want);
}

#[tokio::test]
async fn sizes_are_bytes_of_messages_and_buckets_those_of_the_specification() {
    let metrics = Metrics::new(Naming::Grpc);
    let client = measured(&metrics, &worlds());
    // Two bytes of key and length, and one more for the length of what is over 127.
    ask(&client, &"x".repeat(2000)).await.unwrap();
    let all = metrics.read();
    let of = |name: &str| {
        let reading = all.iter().find(|reading| reading.name == name).expect(name);
        (reading.unit, reading.series[0].value.clone())
    };
    let (unit, value) = of("grpc.server.call.rcvd_total_compressed_message_size");
    let Value::Spread { sum, buckets, .. } = value else { panic!("a histogram") };
    assert_eq!((unit, sum), ("By", 2003.0));
    let bounds: Vec<f64> = buckets.iter().map(|(bound, _)| *bound).collect();
    let powers = (0..10).map(|power| 4096.0 * f64::from(1_u32 << (2 * power)) * 4.0);
    let want: Vec<f64> =
        [0.0, 1024.0, 2048.0, 4096.0].into_iter().chain(powers).chain([f64::INFINITY]).collect();
    assert_eq!(bounds, want);
    assert_eq!(buckets[2], (2048.0, 1));
    let (_, sent) = of("grpc.client.attempt.sent_total_compressed_message_size");
    assert!(matches!(sent, Value::Spread { sum, .. } if sum == 2003.0), "{sent:?}");
    let (unit, duration) = of("grpc.server.call.duration");
    let Value::Spread { buckets, .. } = duration else { panic!("a histogram") };
    assert_eq!((unit, buckets.len(), buckets[1].0, buckets[40].0), ("s", 42, 0.00001, 100.0));
}

#[tokio::test]
async fn names_of_opentelemetry_say_which_statuses_are_errors() {
    let metrics = Metrics::builder().naming(Naming::OpenTelemetry).conventions(Conventions::Current).build();
    let client = measured(&metrics, &worlds());
    for request in ["hi", "fail it", "break it"] {
        let _ = ask(&client, request).await;
    }
    let common = "rpc.system.name=grpc,rpc.method=test.Echo/Unary,rpc.response.status_code";
    let server = "server.address=shop.test,server.port=50051";
    let want: Vec<String> = vec![
        format!("rpc.client.call.duration{{{common}=DATA_LOSS,error.type=DATA_LOSS,{server}}}"),
        format!("rpc.client.call.duration{{{common}=NOT_FOUND,error.type=NOT_FOUND,{server}}}"),
        format!("rpc.client.call.duration{{{common}=OK,{server}}}"),
        format!("rpc.server.call.duration{{{common}=DATA_LOSS,error.type=DATA_LOSS}}"),
        // The client's fault.
        format!("rpc.server.call.duration{{{common}=NOT_FOUND}}"),
        format!("rpc.server.call.duration{{{common}=OK}}"),
    ];
    assert_eq!(series(&metrics).into_keys().collect::<Vec<_>>(), want);
    let durations = &metrics.read()[0];
    let Value::Spread { buckets, .. } = &durations.series[0].value else { panic!("a histogram") };
    assert_eq!((durations.unit, buckets.len(), buckets[0].0, buckets[13].0), ("s", 15, 0.005, 10.0));
}

#[tokio::test]
async fn the_older_conventions_can_stand_beside_the_current_ones() {
    let metrics = Metrics::builder().naming(Naming::OpenTelemetry).conventions(Conventions::Both).build();
    let client = measured(&metrics, &worlds());
    ask(&client, "fail it").await.unwrap_err();
    let all = series(&metrics);
    assert_eq!(all.len(), 4);
    let old = "rpc.system=grpc,rpc.service=test.Echo,rpc.method=Unary,rpc.grpc.status_code=5";
    let of_server = format!("rpc.server.duration{{{old}}}");
    let of_client = format!("rpc.client.duration{{{old},server.address=shop.test,server.port=50051}}");
    assert!(all.contains_key(&of_server) && all.contains_key(&of_client), "{all:#?}");
}

#[tokio::test]
async fn names_of_prometheus_count_calls_and_messages_of_all_kinds() {
    let metrics = Metrics::new(Naming::Prometheus);
    call_all(&measured(&metrics, &worlds())).await;
    let mut want = Vec::new();
    for (kind, method, up, down) in [
        ("unary", "Unary", "1", "1"),
        ("client_stream", "Upload", "2", "1"),
        ("server_stream", "List", "1", "3"),
        ("bidi_stream", "Chat", "2", "2"),
    ] {
        for (side, received, sent) in [("server", up, down), ("client", down, up)] {
            let labels = format!("grpc_type={kind},grpc_service=test.Echo,grpc_method={method}");
            want.extend([
                (format!("grpc_{side}_started_total{{{labels}}}"), "1"),
                (format!("grpc_{side}_handled_total{{{labels},grpc_code=OK}}"), "1"),
                (format!("grpc_{side}_msg_received_total{{{labels}}}"), received),
                (format!("grpc_{side}_msg_sent_total{{{labels}}}"), sent),
            ]);
        }
    }
    let want: Vec<(&str, &str)> = want.iter().map(|(name, value)| (&**name, *value)).collect();
    assert_eq!(series(&metrics), map(&want));
}

#[tokio::test]
async fn a_server_has_zeros_of_its_methods_before_the_first_call() {
    let metrics = Metrics::builder().naming(Naming::Prometheus).handling_time(true).build();
    let _client = measured(&metrics, &worlds());
    let all = metrics.read();
    let count = |name: &str| all.iter().find(|reading| reading.name == name).expect(name).series.len();
    // Four methods, and all codes of each.
    for (name, want) in [
        ("grpc_server_started_total", 4),
        ("grpc_server_handled_total", 4 * 17),
        ("grpc_server_msg_received_total", 4),
        ("grpc_server_msg_sent_total", 4),
        ("grpc_server_in_flight", 4),
        ("grpc_server_panics_total", 4),
        ("grpc_server_handling_seconds", 4),
        ("grpc_client_started_total", 0),
    ] {
        assert_eq!(count(name), want, "{name}");
    }
    let codes = all.iter().flat_map(|reading| &reading.series).filter_map(|point| point.label("grpc_code"));
    let mut codes: Vec<String> = codes.collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 17);
    assert!(codes.contains(&"Canceled".to_owned()) && codes.contains(&"OK".to_owned()), "{codes:?}");
    assert_eq!(series(&metrics), map(&[]));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_is_that_of_its_clock() {
    let metrics = Metrics::builder().naming(Naming::Prometheus).handling_time(true).build();
    let client = measured(&metrics, &worlds());
    ask(&client, "sleep 300").await.unwrap();
    let all = metrics.read();
    for name in ["grpc_server_handling_seconds", "grpc_client_handling_seconds"] {
        let reading = all.iter().find(|reading| reading.name == name).expect(name);
        let of_unary = |point: &&dunlin_telemetry::Point| point.label("grpc_method").unwrap() == "Unary";
        let Value::Spread { sum, count, buckets } = &reading.series.iter().find(of_unary).unwrap().value
        else {
            panic!("a histogram")
        };
        assert_eq!((*count, buckets[6]), (1, (0.5, 1)), "{name}: {sum}");
    }
}

#[tokio::test]
async fn ten_thousand_unknown_methods_have_one_series() {
    let metrics = Metrics::new(Naming::Prometheus);
    let client = pair(&worlds(), |server| server.interceptor(metrics.clone()), |client| client);
    for number in 0..10_000_u32 {
        // Any names that differ.
        let name = format!("Do{:x}", number.wrapping_mul(2_654_435_761));
        let method = Method::dynamic(&format!("attack.S{number}"), &name, CallKind::Unary);
        let result = client.unary::<_, StringValue>(method, text("")).await;
        assert_eq!(result.unwrap_err().code(), Code::Unimplemented);
    }
    let labels = "grpc_type=bidi_stream,grpc_service=other,grpc_method=other";
    let want = map(&[
        (&format!("grpc_server_started_total{{{labels}}}"), "10000"),
        (&format!("grpc_server_handled_total{{{labels},grpc_code=Unimplemented}}"), "10000"),
    ]);
    let mut found = series(&metrics);
    // Whether a request was read that nobody is for does not matter.
    found.retain(|name, _| !name.starts_with("grpc_server_msg_received_total"));
    assert_eq!(found, want);
    let all: usize = metrics.read().iter().map(|reading| reading.series.len()).sum();
    // Four methods and the other, in five families, and 17 codes of the four.
    assert_eq!(all, 5 * 5 + 4 * 17 + 1);
}

#[tokio::test]
async fn clients_have_no_more_series_than_methods_are_allowed() {
    let metrics = Metrics::builder().naming(Naming::Grpc).max_methods(3).build();
    let client = pair(&worlds(), |server| server, |client| client.interceptor(metrics.clone()));
    for number in 0..100 {
        let method = Method::dynamic("some.Service", &format!("Do{number}"), CallKind::Unary);
        client.unary::<_, StringValue>(method, text("")).await.unwrap_err();
    }
    let all = series(&metrics);
    let started: Vec<_> =
        all.iter().filter(|(name, _)| name.starts_with("grpc.client.attempt.started")).collect();
    assert_eq!(started.len(), 4);
    assert_eq!(all["grpc.client.attempt.started{grpc.method=other,grpc.target=other}"], "97");
}

#[tokio::test]
async fn methods_of_a_fallback_are_told_apart_if_they_are_recognized() {
    let metrics = Metrics::builder().naming(Naming::Grpc).recognize("shop.v1.*".parse().unwrap()).build();
    let of_server = |server: dunlin_server::Builder| {
        let server = server.interceptor(metrics.clone());
        server.methods(|methods| {
            methods.fallback(|cx, _, _| async { (cx, Err(dunlin_grpc::Status::aborted("not today"))) });
        })
    };
    let client = pair(&worlds(), of_server, |client| client);
    for service in ["shop.v1.Shop", "other.Service"] {
        let method = Method::dynamic(service, "Get", CallKind::Unary);
        client.unary::<_, StringValue>(method, text("")).await.unwrap_err();
    }
    let all = series(&metrics);
    assert_eq!(all["grpc.server.call.duration{grpc.method=shop.v1.Shop/Get,grpc.status=ABORTED}"], "1");
    assert_eq!(all["grpc.server.call.duration{grpc.method=other,grpc.status=ABORTED}"], "1");
}

#[tokio::test]
async fn a_call_that_is_dropped_is_in_flight_until_then_on_both_sides() {
    let (metrics, world) = (Metrics::new(Naming::Prometheus), worlds());
    let client = measured(&metrics, &world);
    let mut call = Box::pin(ask(&client, "wait"));
    tokio::select! {
        _ = &mut call => panic!("it waits"),
        () = world.waits.notified() => {}
    }
    let labels = "grpc_type=unary,grpc_service=test.Echo,grpc_method=Unary";
    let during = series(&metrics);
    assert_eq!(during[&format!("grpc_server_in_flight{{{labels}}}")], "1");
    assert_eq!(during[&format!("grpc_client_in_flight{{{labels}}}")], "1");
    drop(call);
    world.dropped.notified().await;
    let handled = |side| format!("grpc_{side}_handled_total{{{labels},grpc_code=Canceled}}");
    let after = series_until(&metrics, &handled("server"), "1").await;
    assert_eq!(after[&handled("client")], "1");
    // What is zero is not shown.
    assert!(!after.keys().any(|name| name.contains("in_flight")), "{after:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_ends_the_call_in_the_metrics_of_both_sides() {
    let (metrics, world) = (Metrics::new(Naming::Prometheus), worlds());
    let client =
        measured(&metrics, &world).with_options(CallOptions::new().timeout(Duration::from_millis(50)));
    ask(&client, "wait").await.unwrap_err();
    let labels = "grpc_type=unary,grpc_service=test.Echo,grpc_method=Unary";
    let handled = |side| format!("grpc_{side}_handled_total{{{labels},grpc_code=DeadlineExceeded}}");
    world.dropped.notified().await;
    let all = series(&metrics);
    assert_eq!(all[&handled("client")], "1");
    let of_server = all.iter().filter(|(name, _)| name.starts_with("grpc_server_handled_total")).count();
    assert_eq!(of_server, 1, "{all:#?}");
    assert!(!all.keys().any(|name| name.contains("in_flight")), "{all:#?}");
}

#[tokio::test]
async fn a_panic_is_counted_and_is_an_internal_error() {
    let metrics = Metrics::new(Naming::Prometheus);
    let client = measured(&metrics, &worlds());
    ask(&client, "panic loudly").await.unwrap_err();
    ask(&client, "hi").await.unwrap();
    let all = series(&metrics);
    let labels = "grpc_type=unary,grpc_service=test.Echo,grpc_method=Unary";
    assert_eq!(all[&format!("grpc_server_panics_total{{{labels}}}")], "1");
    assert_eq!(all[&format!("grpc_server_handled_total{{{labels},grpc_code=Internal}}")], "1");
    assert_eq!(all[&format!("grpc_server_handled_total{{{labels},grpc_code=OK}}")], "1");
}

#[tokio::test]
async fn methods_that_are_selected_are_the_only_ones_that_are_counted() {
    use dunlin_grpc::intercept::Interceptor;
    let metrics = Metrics::new(Naming::Prometheus);
    let selected = metrics.clone().only("test.Echo/Unary");
    let client = pair(&worlds(), |server| server.interceptor(selected), |client| client);
    call_all(&client).await;
    let all = metrics.read();
    let methods =
        all.iter().flat_map(|reading| &reading.series).filter_map(|point| point.label("grpc_method"));
    assert!(methods.into_iter().all(|method| method == "Unary"));
}

#[tokio::test]
async fn buckets_may_be_chosen() {
    let metrics = Metrics::builder().naming(Naming::Grpc).duration_buckets([1.0, f64::NAN, 0.5, 1.0]).build();
    let mut server = dunlin_server::Server::builder();
    server = server.methods(|methods| add(methods, &worlds())).interceptor(metrics.clone());
    let server = server.build().unwrap().in_process();
    let client = dunlin_client::Client::new(dunlin_client::Channel::in_process(server.connector()));
    client.unary::<_, StringValue>(UNARY, text("")).await.unwrap();
    let all = metrics.read();
    let reading = all.iter().find(|reading| reading.name == "grpc.server.call.duration").unwrap();
    let Value::Spread { buckets, .. } = &reading.series[0].value else { panic!("a histogram") };
    let bounds: Vec<f64> = buckets.iter().map(|(bound, _)| *bound).collect();
    assert_eq!(bounds, [0.5, 1.0, f64::INFINITY]);
}
