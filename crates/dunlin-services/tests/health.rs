//! Health from end to end: what servers say, and what clients make of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dunlin_client::{Backoff, Channel, Client};
use dunlin_grpc::{CallKind, Code, Method, Receiver, Status};
use dunlin_proto::grpc::health::v1::health_check_response::ServingStatus as Wire;
use dunlin_proto::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use dunlin_server::{Drained, Server, ServerContext};
use dunlin_services::ServingStatus::{NotServing, ServiceUnknown, Serving, Unknown};
use dunlin_services::{HealthClient, HealthReporter};

const WATCH: Method =
    Method::new("grpc.health.v1.Health", "Watch", "/grpc.health.v1.Health/Watch", CallKind::ServerStreaming);

/// A channel to a server with this health, which lives as long as the runtime.
fn channel(health: &HealthReporter) -> Channel {
    let server = Server::builder().add_service(health.service()).build().unwrap().in_process();
    Channel::in_process(server.connector())
}

fn request(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into(), ..Default::default() }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes far too long")
}

#[tokio::test]
async fn a_check_tells_the_state_and_unknown_services_are_not_found() {
    let health = HealthReporter::new();
    health.set_not_serving("shop");
    health.set("till", Unknown);
    let client = HealthClient::new(channel(&health));
    assert_eq!(client.check("").await.unwrap(), Serving);
    assert_eq!(client.check("shop").await.unwrap(), NotServing);
    assert_eq!(client.check("till").await.unwrap(), Unknown);
    let error = client.check("Shop").await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::NotFound, "unknown service Shop"));
    assert!(client.is_serving("").await && !client.is_serving("shop").await && !client.is_serving("x").await);
    health.remove("shop");
    assert_eq!(client.check("shop").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_list_has_all_services_up_to_its_limit() {
    let health = HealthReporter::new();
    health.set_not_serving("shop");
    let client = HealthClient::new(channel(&health));
    // One who watches what is not there adds nothing.
    let mut watch = client.watch("other");
    assert_eq!(watch.next().await.unwrap(), ServiceUnknown);
    let list: Vec<_> = client.list().await.unwrap().into_iter().collect();
    assert_eq!(list, [("".to_owned(), Serving), ("shop".to_owned(), NotServing)]);
    (0..98).for_each(|number| health.set_serving(format!("s{number}")));
    assert_eq!(client.list().await.unwrap().len(), 100);
    health.set_serving("one more");
    let error = client.list().await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert!(error.message().contains("(`max_listed`)"), "{error}");
}

#[tokio::test]
async fn a_watch_tells_changes_and_nothing_twice() {
    let health = HealthReporter::new();
    let client = HealthClient::new(channel(&health));
    let mut watch = client.watch("shop");
    assert_eq!(soon(watch.next()).await.unwrap(), ServiceUnknown);
    health.set_serving("shop");
    assert_eq!(soon(watch.next()).await.unwrap(), Serving);
    health.set_serving("shop");
    health.set_not_serving("other");
    health.remove("shop");
    assert_eq!(soon(watch.next()).await.unwrap(), ServiceUnknown);
    health.set_not_serving("shop");
    assert_eq!(soon(watch.next()).await.unwrap(), NotServing);
}

#[tokio::test]
async fn a_watch_on_the_wire_has_one_message_for_each_state_that_lasts() {
    let health = HealthReporter::new();
    let client = Client::new(channel(&health));
    let mut states: Receiver<HealthCheckResponse> =
        client.server_streaming(WATCH, request("")).await.unwrap();
    assert_eq!(soon(states.next()).await.unwrap().unwrap().status, Wire::SERVING);
    // What has changed back before it was sent is no change; the last state counts.
    health.set_not_serving("");
    health.set_serving("");
    health.set_not_serving("");
    assert_eq!(soon(states.next()).await.unwrap().unwrap().status, Wire::NOT_SERVING);
    health.remove("");
    assert_eq!(soon(states.next()).await.unwrap().unwrap().status, Wire::SERVICE_UNKNOWN);
}

#[tokio::test]
async fn more_watchers_than_the_limit_are_turned_away_until_one_has_gone() {
    let health = HealthReporter::builder().max_watchers(1).build();
    let client = Client::new(channel(&health));
    let watch = || async {
        let mut states: Receiver<HealthCheckResponse> =
            client.server_streaming(WATCH, request("")).await.unwrap();
        soon(states.next()).await.map(|_| states)
    };
    let first = watch().await.unwrap();
    let error = watch().await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert!(error.message().contains("(`max_watchers`)"), "{error}");
    drop(first);
    soon(async {
        while watch().await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_says_so_first_and_serves_on_for_the_delay() {
    let health = HealthReporter::new();
    let server = Server::builder().add_service(health.service()).shutdown_delay(Duration::from_secs(10));
    let server = server.build().unwrap().in_process();
    let client = HealthClient::new(Channel::in_process(server.connector()));
    let raw = Client::new(Channel::in_process(server.connector()));
    let mut states: Receiver<HealthCheckResponse> = raw.server_streaming(WATCH, request("")).await.unwrap();
    assert_eq!(states.next().await.unwrap().unwrap().status, Wire::SERVING);
    let begun = tokio::time::Instant::now();
    server.shutdown_handle().shut_down(Duration::from_secs(60));
    assert_eq!(states.next().await.unwrap().unwrap().status, Wire::NOT_SERVING);
    // A new connection is taken, and calls are served.
    let late = HealthClient::new(Channel::in_process(server.connector()));
    assert_eq!(late.check("").await.unwrap(), NotServing);
    assert_eq!(client.check("").await.unwrap(), NotServing);
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Behind the delay, what would go on for ever ends.
    let end = states.next().await.unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::Unavailable, "the server is shutting down"));
    assert!(begun.elapsed() >= Duration::from_secs(10) && begun.elapsed() < Duration::from_secs(60));
    assert_eq!(client.check("").await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn who_watches_does_not_keep_a_server_from_its_end() {
    let health = HealthReporter::new();
    let bound = Server::builder().add_service(health.service()).bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (bound.local_addr().to_string(), bound.shutdown_handle());
    let serving = tokio::spawn(bound.serve());
    let client = Client::new(Channel::builder(address).connect_lazy().unwrap());
    let mut states: Receiver<HealthCheckResponse> =
        client.server_streaming(WATCH, request("")).await.unwrap();
    assert_eq!(soon(states.next()).await.unwrap().unwrap().status, Wire::SERVING);
    handle.shut_down(Duration::from_secs(3600));
    // Even without a delay the last state is told.
    assert_eq!(soon(states.next()).await.unwrap().unwrap().status, Wire::NOT_SERVING);
    assert_eq!(soon(states.next()).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(soon(serving).await.unwrap().unwrap(), Drained { cut_off: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_second_call_for_the_end_cuts_the_delay_short() {
    let health = HealthReporter::new();
    let server = Server::builder().add_service(health.service()).shutdown_delay(Duration::from_secs(3600));
    let bound = server.bind("127.0.0.1:0").await.unwrap();
    let handle = bound.shutdown_handle();
    let serving = tokio::spawn(bound.serve());
    let begun = tokio::time::Instant::now();
    handle.shut_down(Duration::from_secs(5));
    assert_eq!(health.status(""), Some(NotServing));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!serving.is_finished());
    handle.shut_down(Duration::from_secs(5));
    assert_eq!(serving.await.unwrap().unwrap(), Drained { cut_off: 0 });
    assert!(begun.elapsed() < Duration::from_secs(120));
}

#[tokio::test]
async fn servers_that_are_served_together_end_together() {
    let health = HealthReporter::new();
    let public = Server::builder().on_shutdown({
        let health = health.clone();
        move |_| health.shutdown()
    });
    let public = public.bind("127.0.0.1:0").await.unwrap();
    let admin = Server::builder().add_service(health.service()).bind("127.0.0.1:0").await.unwrap();
    let (public_end, address) = (public.shutdown_handle(), admin.local_addr().to_string());
    let (signal, signalled) = tokio::sync::oneshot::channel::<()>();
    let all = dunlin_server::serve_all([public, admin], async move { drop(signalled.await) });
    let serving = tokio::spawn(all);
    let client = HealthClient::new(Channel::builder(address).connect_lazy().unwrap());
    assert_eq!(soon(client.check("")).await.unwrap(), Serving);
    assert!(soon(client.check("public")).await.is_err());
    signal.send(()).unwrap();
    assert_eq!(soon(serving).await.unwrap().unwrap(), Drained { cut_off: 0 });
    assert_eq!(public_end.connection_count(), 0);
    assert_eq!(health.status(""), Some(NotServing));
}

#[tokio::test]
async fn when_one_of_several_servers_has_ended_the_others_end_too() {
    let one = Server::builder().bind("127.0.0.1:0").await.unwrap();
    let other = Server::builder().bind("127.0.0.1:0").await.unwrap();
    let handle = one.shutdown_handle();
    let serving = tokio::spawn(dunlin_server::serve_all([one, other], std::future::pending()));
    handle.shut_down(Duration::ZERO);
    assert_eq!(soon(serving).await.unwrap().unwrap(), Drained { cut_off: 0 });
}

/// A server whose calls of `Watch` end as the number of the call says.
fn ends(
    calls: Arc<AtomicUsize>,
    end: impl Fn(usize) -> (Option<Wire>, Result<(), Status>) + Send + Sync + 'static,
) -> Channel {
    let end = Arc::new(end);
    let server = Server::builder().methods(|methods| {
        methods.server_streaming(WATCH, move |cx: ServerContext, _: HealthCheckRequest, mut out| {
            let (end, call) = (Arc::clone(&end), calls.fetch_add(1, Ordering::Relaxed));
            async move {
                let (state, result) = end(call);
                if let Some(status) = state {
                    out.send(HealthCheckResponse { status, ..Default::default() }).await.unwrap();
                }
                (cx, result)
            }
        });
    });
    Channel::in_process(server.build().unwrap().in_process().connector())
}

#[tokio::test(start_paused = true)]
async fn a_watch_tries_again_after_every_end_with_growing_waits() {
    let calls = Arc::new(AtomicUsize::new(0));
    let channel = ends(Arc::clone(&calls), |call| match call {
        0 => (Some(Wire::SERVING), Err(Status::unavailable("gone"))),
        1 => (None, Err(Status::internal("broken"))),
        2 => (None, Err(Status::not_found("not here"))),
        3 => (Some(Wire::NOT_SERVING), Ok(())),
        4 => (Some(Wire(77)), Ok(())), // of a later version
        _ => (Some(Wire::SERVING), Ok(())),
    });
    let mut watch = HealthClient::new(channel).backoff(Backoff::default().jitter(0.0)).watch("");
    let begun = tokio::time::Instant::now();
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push((watch.next().await.unwrap(), begun.elapsed().as_secs_f64().floor()));
    }
    // 1 s, 1.6 s and 2.56 s between the calls that told nothing; then 1 s each time.
    assert_eq!(seen, [(Serving, 0.0), (Unknown, 0.0), (NotServing, 5.0), (Unknown, 5.0), (Serving, 7.0)]);
    assert_eq!(calls.load(Ordering::Relaxed), 6);
}

#[tokio::test(start_paused = true)]
async fn a_watch_gives_up_where_the_method_is_not_implemented() {
    let calls = Arc::new(AtomicUsize::new(0));
    let channel = ends(Arc::clone(&calls), |_| (None, Err(Status::unimplemented("no health here"))));
    let mut watch = HealthClient::new(channel).watch("");
    for _ in 0..2 {
        assert_eq!(watch.next().await.unwrap_err().code(), Code::Unimplemented);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_takes_too_long_is_no_good_news() {
    let server = Server::builder().methods(|methods| {
        const CHECK: Method =
            Method::new("grpc.health.v1.Health", "Check", "/grpc.health.v1.Health/Check", CallKind::Unary);
        methods.unary(CHECK, |_: ServerContext, _: HealthCheckRequest| {
            std::future::pending::<(ServerContext, Result<HealthCheckResponse, Status>)>()
        });
    });
    let server = server.build().unwrap().in_process();
    let client = HealthClient::new(Channel::in_process(server.connector()));
    let begun = tokio::time::Instant::now();
    assert_eq!(client.check("").await.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(!client.timeout(Duration::from_millis(10)).is_serving("").await);
}
