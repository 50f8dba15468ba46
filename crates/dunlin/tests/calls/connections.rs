//! The life of connections: silence, strikes, age, idleness, and that no call is lost by any of it.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin::client::{BoxFuture, Client, ConnectionInfo, Dial, Endpoint, Io, Keepalive, State};
use dunlin::protobuf::wkt::StringValue;
use dunlin::server::ServeError;
use dunlin::{Channel, Code, Server, Status};
use dunlin_testkit::http2::{Frame, PREFACE, bytes, code, kind};
use dunlin_transport::pipe;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::harness::{self, CHAT, Seen, UNARY, ask, soon, text};
use crate::wire::{GoAway, Raw, Wire, assert_about, seconds, server};

// ---------------------------------------------------------------- silence

#[tokio::test(start_paused = true)]
async fn a_dead_network_is_noticed_by_both_sides() {
    let (server, seen) = server(Server::builder().keepalive(Keepalive::every(seconds(1000))));
    let wire = Wire::to(&server);
    let client = wire.client(Keepalive::every(seconds(30)).timeout(seconds(10)));
    ask(&client, "hi").await.unwrap();
    sleep(seconds(500)).await;
    let call = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
    seen.waits.notified().await;
    // The call came after a long silence, so the client has asked at once, and is answered.
    let heard = Instant::now();
    sleep(seconds(1)).await;
    wire.cut();
    let status = call.await.unwrap().unwrap_err();
    assert_about(heard.elapsed(), seconds(40));
    assert_eq!(status.code(), Code::Unavailable);
    let wanted = "the peer does not answer: nothing came within 10s after a keepalive PING";
    assert!(status.message().contains(wanted), "{status}");
    seen.dropped.notified().await;
    assert_about(heard.elapsed(), seconds(1020));
    sleep(seconds(2)).await;
    assert_eq!(server.shutdown_handle().connection_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_network_that_died_while_nobody_called_costs_the_next_call_the_timeout_only() {
    let (server, _) = server(Server::builder());
    let wire = Wire::to(&server);
    let client = wire.client(Keepalive::every(seconds(30)).timeout(seconds(10)));
    ask(&client, "hi").await.unwrap();
    wire.cut();
    sleep(seconds(300)).await;
    assert_eq!(client.channel().state(), State::Ready, "nobody has asked");
    let called = Instant::now();
    assert_eq!(ask(&client, "hi").await.unwrap_err().code(), Code::Unavailable);
    assert_about(called.elapsed(), seconds(10));
}

#[tokio::test(start_paused = true)]
async fn without_keepalive_nothing_is_noticed() {
    let (server, _) = server(Server::builder().keepalive(None));
    let wire = Wire::to(&server);
    let client = wire.client(None);
    ask(&client, "hi").await.unwrap();
    wire.cut();
    let call = client.unary::<_, StringValue>(UNARY, text("wait"));
    assert!(timeout(seconds(24 * 3600), call).await.is_err());
    assert_eq!(server.shutdown_handle().connection_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_asks_silent_clients_and_gives_up_those_that_stay_silent() {
    let (server, seen) =
        server(Server::builder().keepalive(Keepalive::every(seconds(60)).timeout(seconds(5))));
    let (mut dead, mut alive) = (Raw::connect(&server).await, Raw::connect(&server).await);
    dead.answers_pings = false;
    dead.request(1, "wait").await;
    let living = tokio::spawn(async move { alive.goaway().await });
    let began = dead.began;
    let gone = tokio::spawn(async move {
        let ping = dead.next(kind::PING).await;
        (ping.is_some(), dead.began.elapsed(), dead.goaway().await)
    });
    let (was_asked, asked_at, told) = gone.await.unwrap();
    assert!(was_asked);
    assert_about(asked_at, seconds(60));
    let (last, error, text, at) = told.expect("GOAWAY");
    assert_eq!((last, error, &*text), (1, code::NO_ERROR, "nothing came within 5s after a keepalive PING"));
    assert_about(at, seconds(65));
    seen.dropped.notified().await;
    assert_about(began.elapsed(), seconds(65));
    sleep(seconds(3600)).await;
    assert!(!living.is_finished(), "who answers may be as silent otherwise as it likes");
    assert_eq!(server.shutdown_handle().connection_count(), 1);
    living.abort();
}

// ---------------------------------------------------------------- strikes

const TOO_MANY_PINGS: &str = "too_many_pings";

fn pings(count: usize) -> Vec<Frame> {
    vec![Frame::ping(*b"are you?"); count]
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pings_too_often_is_told_so_and_cut_off() {
    let (server, seen) = server(Server::builder());
    let mut raw = Raw::connect(&server).await;
    raw.request(1, "wait").await;
    seen.waits.notified().await;
    // One is good, two are forgiven.
    raw.send(&pings(3)).await;
    assert!(timeout(seconds(299), raw.goaway()).await.is_err());
    raw.send(&pings(1)).await;
    let (last, error, text, _) = raw.goaway().await.expect("GOAWAY");
    assert_eq!((last, error, &*text), (1, code::ENHANCE_YOUR_CALM, TOO_MANY_PINGS));
    assert_eq!(raw.goaway().await, None);
    seen.dropped.notified().await;
}

#[tokio::test(start_paused = true)]
async fn pings_in_time_and_pings_beside_answers_are_no_strikes() {
    let (server, seen) = server(Server::builder());
    let mut raw = Raw::connect(&server).await;
    for stream in 0..200 {
        raw.request(2 * stream + 1, "hi").await;
        assert!(raw.next(kind::DATA).await.is_some());
        raw.send(&pings(3)).await;
    }
    raw.request(1001, "wait").await;
    seen.waits.notified().await;
    for _ in 0..10 {
        sleep(seconds(301)).await;
        raw.send(&pings(1)).await;
    }
    assert!(timeout(seconds(60), raw.goaway()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn enforcement_is_a_setting() {
    let (lax, _) =
        server(Server::builder().permit_keepalive_time(seconds(10)).permit_keepalive_without_calls(true));
    let mut raw = Raw::connect(&lax).await;
    for _ in 0..50 {
        raw.send(&pings(1)).await;
        sleep(seconds(10)).await;
    }
    assert!(timeout(seconds(1), raw.goaway()).await.is_err());
    let (strict, _) = server(Server::builder().max_ping_strikes(0));
    let mut raw = Raw::connect(&strict).await;
    raw.send(&pings(2)).await;
    assert_eq!(raw.goaway().await.expect("GOAWAY").2, TOO_MANY_PINGS);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_told_of_too_many_pings_asks_half_as_often_on_its_next_connections() {
    let (server, seen) = server(Server::builder().permit_keepalive_time(seconds(3600)));
    let wire = Wire::to(&server);
    // Less than ten seconds are ten.
    let client = wire.client(Keepalive::every(seconds(1)));
    for wanted in [40, 80, 160] {
        let call = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
        seen.waits.notified().await;
        let began = Instant::now();
        let status = call.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("ENHANCE_YOUR_CALM, too_many_pings"), "{status}");
        // The fourth PING is one too many.
        assert_about(began.elapsed(), seconds(wanted));
    }
    assert_eq!(wire.dials(), 3);
}

// ---------------------------------------------------------------- lifetimes

#[tokio::test(start_paused = true)]
async fn connections_end_at_their_age_and_not_all_at_once() {
    let (server, _) = server(Server::builder().max_connection_age(seconds(100)));
    let mut ends = Vec::new();
    for _ in 0..40 {
        let mut raw = Raw::connect(&server).await;
        ends.push(tokio::spawn(async move {
            let first = raw.goaway().await.expect("GOAWAY");
            let second = raw.goaway().await.expect("GOAWAY");
            (first, second, raw.goaway().await)
        }));
    }
    let mut ages = Vec::new();
    for end in ends {
        let (first, second, third) = end.await.unwrap();
        assert_eq!((first.0, first.1, &*first.2), (0x7fff_ffff, code::NO_ERROR, "max_age"));
        assert_eq!((second.0, second.1, &*second.2), (0, code::NO_ERROR, "max_age"));
        assert_eq!((second.3, third), (first.3, None), "the PING between was answered at once");
        ages.push(first.3);
    }
    let (least, most) = (*ages.iter().min().unwrap(), *ages.iter().max().unwrap());
    assert!(least >= seconds(90) && most < Duration::from_millis(110_020), "{least:?} {most:?}");
    assert!(least < seconds(98) && most > seconds(102), "{least:?} {most:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_outlive_the_age_of_their_connection_by_the_grace() {
    let builder = Server::builder().max_connection_age(seconds(100)).max_connection_age_grace(seconds(30));
    let (server, seen) = server(builder);
    for (answers, wait) in [(true, 0), (false, 5)] {
        let mut raw = Raw::connect(&server).await;
        raw.answers_pings = false;
        raw.request(1, "wait").await;
        seen.waits.notified().await;
        let (_, _, _, told) = raw.goaway().await.expect("GOAWAY");
        // Requests that were on their way are taken until the client knows.
        raw.request(3, "yield late").await;
        assert!(raw.next(kind::DATA).await.is_some());
        if answers {
            raw.send(&[Frame::ping_ack(*b"shutdown")]).await;
        }
        let (last, _, text, settled) = raw.goaway().await.expect("GOAWAY");
        assert_eq!((last, &*text), (3, "max_age"));
        assert_about(settled, told + seconds(wait));
        let (_, error, text, cut) = raw.goaway().await.expect("GOAWAY");
        assert_eq!((error, &*text), (code::NO_ERROR, "max_connection_age_grace"));
        assert_about(cut, settled + seconds(30));
        seen.dropped.notified().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_grace_calls_go_on_for_as_long_as_they_like() {
    let (server, _) = server(Server::builder().max_connection_age(seconds(10)));
    let wire = Wire::to(&server);
    let client = wire.client(None);
    let (mut sender, mut receiver) = client.bidi_streaming::<StringValue, StringValue>(CHAT).await.unwrap();
    receiver.next().await.unwrap();
    for _ in 0..5 {
        sleep(seconds(1000)).await;
        sender.send(text("still")).await.unwrap();
        assert_eq!(receiver.next().await.unwrap().unwrap().value, "still");
        ask(&client, "hi").await.unwrap();
    }
    sender.finish();
    assert_eq!(receiver.next().await.unwrap(), None);
    assert!(wire.dials() > 5, "other calls went to new connections");
}

#[tokio::test(start_paused = true)]
async fn idle_connections_end_and_those_with_a_call_do_not() {
    let (server, seen) = server(Server::builder().max_connection_idle(seconds(60)));
    let (mut never, mut once, mut busy) =
        (Raw::connect(&server).await, Raw::connect(&server).await, Raw::connect(&server).await);
    busy.request(1, "wait").await;
    seen.waits.notified().await;
    sleep(seconds(30)).await;
    once.request(1, "hi").await;
    let told = |goaway: Option<GoAway>| goaway.expect("GOAWAY");
    let (last, error, text, at) = told(never.goaway().await);
    assert_eq!((last, error, &*text), (0x7fff_ffff, code::NO_ERROR, "max_idle"));
    assert_about(at, seconds(60));
    let (_, _, text, at) = told(once.goaway().await);
    assert_eq!(text, "max_idle");
    assert_about(at, seconds(90));
    assert!(timeout(seconds(600), busy.goaway()).await.is_err());
    let ended = Instant::now();
    busy.send(&[Frame::rst_stream(1, code::CANCEL)]).await;
    assert_eq!(told(busy.goaway().await).2, "max_idle");
    assert_about(ended.elapsed(), seconds(60));
}

#[tokio::test(start_paused = true)]
async fn connections_end_with_their_last_request() {
    let (server, _) = server(Server::builder().max_requests_per_connection(10));
    let wire = Wire::to(&server);
    let client = wire.client(None);
    for _ in 0..100 {
        ask(&client, "hi").await.unwrap();
    }
    assert_eq!(wire.dials(), 10);
    let mut raw = Raw::connect(&server).await;
    for stream in 0..10 {
        raw.request(2 * stream + 1, "hi").await;
    }
    let (last, error, text, _) = raw.goaway().await.expect("GOAWAY");
    assert_eq!((last, error, &*text), (0x7fff_ffff, code::NO_ERROR, "max_requests"));
    assert_eq!(raw.goaway().await.expect("GOAWAY").0, 19);
}

/// Calls of two kinds without end, each of which has to succeed.
async fn call_until(client: Client, until: Instant, calls: Arc<AtomicUsize>) -> Result<(), Status> {
    for round in 0.. {
        if Instant::now() >= until {
            break;
        }
        if round % 4 == 0 {
            let (mut sender, mut receiver) = client.bidi_streaming::<StringValue, StringValue>(CHAT).await?;
            receiver.next().await?;
            for _ in 0..3 {
                sender.send(text("word")).await?;
                assert_eq!(receiver.next().await?.map(|word| word.value).as_deref(), Some("word"));
                sleep(Duration::from_millis(7)).await;
            }
            sender.finish();
            assert_eq!(receiver.next().await?, None);
        } else {
            assert_eq!(ask(&client, "yield x").await?, "x");
        }
        calls.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(10 + round % 5)).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_call_fails_while_connections_age_out_under_load() {
    for builder in [
        Server::builder().max_connection_age(seconds(1)),
        Server::builder().max_requests_per_connection(50),
        Server::builder().max_connection_age(seconds(1)).max_concurrent_streams(7),
    ] {
        let (server, _) = server(builder);
        let wire = Wire::to(&server);
        let (client, calls) = (wire.client(None), Arc::new(AtomicUsize::new(0)));
        let until = Instant::now() + seconds(5);
        let callers: Vec<_> =
            (0..50).map(|_| tokio::spawn(call_until(client.clone(), until, Arc::clone(&calls)))).collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap().map_err(|status| status.to_string()), Ok(()));
        }
        assert!(wire.dials() >= 5 && calls.load(Ordering::Relaxed) > 5_000, "{} {calls:?}", wire.dials());
        sleep(seconds(3)).await;
        assert!(server.shutdown_handle().connection_count() <= 10, "old connections have ended");
    }
}

// ---------------------------------------------------------------- beginning and end

/// Gives connections that are ready, and lost at once.
struct Revolving(Arc<AtomicUsize>);

impl Dial for Revolving {
    fn dial<'a>(&'a self, _: &'a Endpoint, _: &'a str) -> BoxFuture<'a, io::Result<(Io, ConnectionInfo)>> {
        Box::pin(async move {
            self.0.fetch_add(1, Ordering::Relaxed);
            let (near, mut far) = pipe::pair(4096);
            far.write_all(&bytes(&[Frame::settings(&[]), Frame::goaway(0, code::NO_ERROR)])).await?;
            let (connector, _listener) = pipe::listen(1, 1);
            let (_, info) = connector.connect().await?;
            Ok((Io::Pipe(near), info))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_each_connection_at_once_is_not_stormed() {
    let dials = Arc::new(AtomicUsize::new(0));
    let builder = Channel::builder("ipv4:127.0.0.1:1").dial(Revolving(Arc::clone(&dials)), true);
    let client = Client::new(builder.connect_lazy().unwrap());
    let call = client.unary::<_, StringValue>(UNARY, text("x")).wait_for_ready(true).timeout(seconds(120));
    let status = call.await.unwrap_err();
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Unavailable), "{status}");
    // 1 s, 1.6 s, 2.56 s and so on.
    assert!((2..=12).contains(&dials.load(Ordering::Relaxed)), "{dials:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_connections_whose_calls_it_took_is_connected_to_at_once() {
    let (server, seen) = server(Server::builder().max_requests_per_connection(1));
    let wire = Wire::to(&server);
    let (client, began) = (wire.client(None), Instant::now());
    for _ in 0..50 {
        let call = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
        seen.waits.notified().await;
        // Given up before GOAWAY is read, so that no call is left that could say how useful it was.
        call.abort();
        let _ = call.await;
    }
    assert_eq!(wire.dials(), 50);
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

/// Servers that take connections and never become ready.
#[derive(Clone)]
struct Unready {
    dialled: Arc<Mutex<Vec<Instant>>>,
    /// They close them; otherwise they say nothing.
    closes: bool,
}

impl Dial for Unready {
    fn dial<'a>(&'a self, _: &'a Endpoint, _: &'a str) -> BoxFuture<'a, io::Result<(Io, ConnectionInfo)>> {
        Box::pin(async move {
            self.dialled.lock().unwrap().push(Instant::now());
            let (near, far) = pipe::pair(4096);
            if !self.closes {
                tokio::spawn(async move {
                    let _far = far;
                    std::future::pending::<()>().await;
                });
            }
            let (connector, _listener) = pipe::listen(1, 1);
            let (_, info) = connector.connect().await?;
            Ok((Io::Pipe(near), info))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_first_settings_of_a_server_end_the_backoff() {
    for closes in [true, false] {
        let unready = Unready { dialled: Arc::default(), closes };
        let builder = Channel::builder("ipv4:127.0.0.1:1").dial(unready.clone(), true);
        let client = Client::new(builder.connect_lazy().unwrap());
        let call = client.unary::<_, StringValue>(UNARY, text("x")).wait_for_ready(true);
        assert_eq!(call.timeout(seconds(3600)).await.unwrap_err().code(), Code::DeadlineExceeded);
        let dialled = unready.dialled.lock().unwrap().clone();
        let mut backoff = 1.0_f64;
        for (number, pair) in dialled.windows(2).enumerate() {
            let waited = (pair[1] - pair[0]).as_secs_f64();
            // From the beginning of one attempt to that of the next; an attempt that hangs has 20 s, or as
            // long as that.
            let (least, most) = (backoff * 0.8, backoff * 1.2);
            let (least, most) = if closes { (least, most) } else { (least.max(20.0), most.max(20.0)) };
            assert!(waited >= least && waited < most + 0.02, "{number}: {waited} and not {backoff}");
            backoff = (backoff * 1.6).min(120.0);
        }
        assert!(dialled.len() > 25, "{}", dialled.len());
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_goes_on_to_say_nothing_is_cut_off_in_time() {
    let (server, _) = server(Server::builder().handshake_timeout(seconds(3)));
    let mut silent = Raw::silent(&server).await;
    let (_, error, _, at) = silent.goaway().await.expect("GOAWAY");
    assert_eq!(error, code::SETTINGS_TIMEOUT);
    assert_about(at, seconds(3));
    let mut slow = Raw::silent(&server).await;
    for octet in &PREFACE[..10] {
        sleep(Duration::from_millis(200)).await;
        slow.io.write_all(&[*octet]).await.unwrap();
    }
    assert_about(slow.goaway().await.expect("GOAWAY").3, seconds(3));
}

#[cfg(unix)]
#[tokio::test]
async fn a_listener_that_fails_ends_the_server_and_no_call_at_work() {
    use dunlin_transport::{Listener, SocketOptions};

    let seen = Arc::new(Seen::default());
    let server = Server::builder().methods(|methods| harness::add(methods, Arc::clone(&seen)));
    let good = server.build().unwrap().bind("127.0.0.1:0").await.unwrap();
    let broken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // To shut down a socket that listens makes accepting an error.
    let other = std::net::TcpStream::from(std::os::fd::OwnedFd::from(broken.try_clone().unwrap()));
    let bound = good.and(Listener::from_std_tcp(broken, SocketOptions::default()).unwrap());
    let client = Client::new(Channel::builder(bound.local_addr().to_string()).connect_lazy().unwrap());
    let serving = tokio::spawn(bound.serve());
    let (mut sender, mut receiver) =
        soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
    soon(receiver.next()).await.unwrap();
    other.shutdown(std::net::Shutdown::Both).unwrap();
    soon(client.channel().state_change(State::Ready)).await;
    assert!(!serving.is_finished());
    soon(sender.send(text("on"))).await.unwrap();
    assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "on");
    sender.finish();
    assert_eq!(soon(receiver.next()).await.unwrap(), None);
    assert!(matches!(soon(serving).await.unwrap(), Err(ServeError::Accept(_))));
}

#[tokio::test(start_paused = true)]
async fn the_grace_of_a_signal_is_a_setting() {
    let seen = Arc::new(Seen::default());
    let builder = Server::builder().shutdown_grace(seconds(7));
    let bound = builder.methods(|methods| harness::add(methods, Arc::clone(&seen)));
    let (connector, listener) = pipe::listen(1, 64 << 10);
    let bound = bound.build().unwrap().on(listener);
    let client = Client::new(Channel::in_process(&connector));
    let until = Instant::now() + seconds(100);
    let serving = tokio::spawn(bound.serve_until(sleep_until(until)));
    let call = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
    assert_eq!(serving.await.unwrap().unwrap().cut_off, 1);
    assert_about(until.elapsed(), seconds(7));
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
}
