//! Makes calls that are measured and traced: `dunlin-telemetry-suite NAMING OTLP-ENDPOINT`.
//!
//! What Prometheus would scrape is written to the standard output; metrics and spans go to the endpoint.

use std::error::Error;
use std::time::Duration;

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::server::{Methods, ServerContext};
use dunlin::telemetry::{Metrics, Naming, Tracing};
use dunlin::{CallKind, Channel, Code, Method, Sender, Server, Status};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus_client::registry::Registry;
use tracing_subscriber::layer::SubscriberExt;

const GET: Method = Method::new("shop.v1.Shop", "Get", "/shop.v1.Shop/Get", CallKind::Unary);
const LIST: Method = Method::new("shop.v1.Shop", "List", "/shop.v1.Shop/List", CallKind::ServerStreaming);

type Failure = Box<dyn Error + Send + Sync>;

fn text(value: &str) -> StringValue {
    StringValue { value: value.to_owned(), ..Default::default() }
}

/// A shop that asks another one for what it lacks.
fn shop(methods: &mut Methods, next: Option<Client>) {
    methods.unary(GET, move |cx: ServerContext, request: StringValue| {
        let next = next.clone();
        async move {
            let result = match (&*request.value, next) {
                ("lost", _) => Err(Status::data_loss("it is lost")),
                ("none", _) => Err(Status::not_found("there is none")),
                ("panic", _) => panic!("as it was told"),
                ("slow", _) => {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    Ok(request)
                }
                ("remote", Some(next)) => next.unary(GET, text("local")).await,
                _ => Ok(request),
            };
            (cx, result)
        }
    });
    methods.server_streaming(LIST, |cx, request: StringValue, mut out: Sender<StringValue>| async move {
        let mut result = Ok(());
        for _ in 0..3 {
            result = result.and(out.send(request.clone()).await);
        }
        (cx, result)
    });
}

/// A server on a port of its own, and a client of it.
async fn serve(metrics: &Metrics, next: Option<Client>) -> Result<Client, Failure> {
    let server = Server::builder()
        .methods(|methods| shop(methods, next))
        .max_timeout(Duration::from_secs(2))
        .interceptor(Tracing::new())
        .interceptor(metrics.clone())
        .connection_observer(metrics.clone());
    let bound = server.bind("127.0.0.1:0").await?;
    let channel = Channel::builder(format!("ipv4:{}", bound.local_addr()));
    tokio::spawn(bound.serve());
    let channel = channel.interceptor(Tracing::new()).interceptor(metrics.clone());
    Ok(Client::new(channel.connect_lazy()?))
}

async fn code(client: &Client, request: &str) -> Code {
    client.unary::<_, StringValue>(GET, text(request)).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

/// What `run` knows to have happened.
async fn calls(client: &Client) -> Result<(), Failure> {
    for (request, want) in [
        ("local", Code::Ok),
        ("remote", Code::Ok),
        ("none", Code::NotFound),
        ("lost", Code::DataLoss),
        ("panic", Code::Internal),
        ("slow", Code::DeadlineExceeded),
    ] {
        let found = code(client, request).await;
        if found != want {
            return Err(format!("{request} gave {found}").into());
        }
    }
    let mut list = client.server_streaming::<_, StringValue>(LIST, text("item")).await?;
    while list.next().await?.is_some() {}
    for number in 0..5 {
        let unknown = Method::dynamic("attack.Service", &format!("Do{number}"), CallKind::Unary);
        let _ = client.unary::<_, StringValue>(unknown, text("")).await;
    }
    Ok(())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [naming, endpoint] = &arguments[..] else {
        return Err("usage: dunlin-telemetry-suite grpc|opentelemetry|prometheus ENDPOINT".into());
    };
    let naming = match &**naming {
        "grpc" => Naming::Grpc,
        "opentelemetry" => Naming::OpenTelemetry,
        "prometheus" => Naming::Prometheus,
        other => return Err(format!("no naming `{other}`").into()),
    };
    let resource = Resource::builder_empty().with_service_name("shop").build();
    let exporter = MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let reader = PeriodicReader::builder(exporter).with_interval(Duration::from_secs(3600)).build();
    let meters = SdkMeterProvider::builder().with_reader(reader).with_resource(resource.clone()).build();
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let tracers = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let layer = tracing_opentelemetry::layer().with_tracer(tracers.tracer("shop"));
    // What the exporter says of its own calls is no part of them.
    let ours = tracing_subscriber::filter::filter_fn(|metadata| metadata.target().starts_with("dunlin"));
    let layer = tracing_subscriber::Layer::with_filter(layer, ours);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    let meter = meters.meter("dunlin");
    let metrics = Metrics::builder().naming(naming).handling_time(true).meter(&meter).build();

    let warehouse = serve(&metrics, None).await?;
    let shop = serve(&metrics, Some(warehouse.clone())).await?;
    calls(&shop).await?;
    shop.channel().shut_down();
    warehouse.channel().shut_down();
    drop((shop, warehouse));
    // Servers see the end of connections a moment later.
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let is_open = metrics.read().into_iter().any(|reading| {
            reading.name.ends_with("connection.open")
                && reading.series.iter().any(|point| point.value != dunlin::telemetry::Value::Level(0))
        });
        if !is_open {
            break;
        }
    }
    tokio::task::spawn_blocking(move || {
        tracers.shutdown()?;
        meters.shutdown()
    })
    .await??;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(metrics));
    let mut scraped = String::new();
    prometheus_client::encoding::text::encode(&mut scraped, &registry)?;
    print!("{scraped}");
    Ok(())
}
