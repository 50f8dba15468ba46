//! Many connections that hold much together, beside one that holds little.

use std::time::{Duration, Instant};

use dunlin_attack::{Flow, Honest, Session};
use dunlin_http2::{Config, ConnectionError, Limit};
use dunlin_testkit::http2::{Frame, code, setting};
use dunlin_transport::Ledger;
use dunlin_transport::ledger::LedgerCounts;

use crate::server::{Ending, Server};

const MAX_MEMORY: usize = 32 << 20;
const TIME: Duration = Duration::from_secs(20);

/// A connection that takes no content of its answers.
fn starving(server: &Server) -> Session {
    let mut session = Session::connect(server.address, TIME).expect("the server listens");
    let flow = session.hello(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    assert_eq!(flow, Flow::Continue(()));
    session
}

/// Asks for one more large answer, of which the server queues some 80 KiB, and waits until it has begun
/// or is refused.
fn ask(session: &mut Session) -> Flow {
    let stream = session.next_stream();
    let block = session.request_block("/large");
    session.send(&[Frame::headers(stream, block).end_stream()])?;
    let answers = |session: &Session| session.seen.headers + session.seen.faults();
    let wanted = answers(session) + 1;
    session.flush()?;
    session.wait_for(Duration::from_secs(5), |seen| seen.headers + seen.faults() >= wanted)
}

fn refusals(sessions: &[Session]) -> u64 {
    sessions.iter().filter_map(|session| session.seen.resets.get(&code::REFUSED_STREAM)).sum()
}

#[test]
fn what_all_connections_hold_stays_below_the_limit() {
    let server = Server::with_ledger(Config::default(), Ledger::new(MAX_MEMORY));
    let honest = Honest::start(server.address, "/honest", None);
    let mut sessions: Vec<_> = (0..16).map(|_| starving(&server)).collect();
    // Ten times as much as there is.
    for _ in 0..250 {
        for session in &mut sessions {
            assert_eq!(ask(session), Flow::Continue(()), "{:?}", session.seen);
        }
    }
    let counts = server.ledger.counts();
    assert!(counts.held > MAX_MEMORY / 4 * 3 && counts.most < MAX_MEMORY, "{counts:?}");
    assert_eq!(counts.ended, 0, "refusing was enough");
    assert!(refusals(&sessions) > 1000, "{} streams were refused", refusals(&sessions));
    let served = honest.stop();
    assert_eq!(served.fault, None);
    assert!(served.calls > 10 && served.slowest < Duration::from_secs(1), "{served:?}");
}

#[test]
fn connections_that_hold_more_than_their_share_and_sleep_end_when_others_come() {
    let server = Server::with_ledger(Config::default(), Ledger::new(MAX_MEMORY));
    let honest = Honest::start(server.address, "/honest", None);
    // Three quarters are held by a few, who were there first.
    let mut early: Vec<_> = (0..3).map(|_| starving(&server)).collect();
    while server.ledger.counts().held < MAX_MEMORY / 4 * 3 - (256 << 10) {
        early.iter_mut().for_each(|session| assert_eq!(ask(session), Flow::Continue(())));
    }
    assert_eq!(refusals(&early), 0);
    let mut late: Vec<_> = (0..12).map(|_| starving(&server)).collect();
    for _ in 0..20 {
        late.iter_mut().for_each(|session| assert_eq!(ask(session), Flow::Continue(())));
    }
    let until = Instant::now() + Duration::from_secs(5);
    // Those that have to end do so at about the same time, each in a turn of its own.
    let is_over = |counts: LedgerCounts| counts.ended > 0 && counts.held < MAX_MEMORY;
    while !is_over(server.ledger.counts()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let counts = server.ledger.counts();
    assert!((1..=3).contains(&counts.ended) && counts.held < MAX_MEMORY, "{counts:?}");
    // Who ends is told why; who came late is not at fault.
    early.iter_mut().for_each(|session| {
        let _ = session.wait_for(Duration::from_millis(200), |seen| seen.is_over());
    });
    let told = early.iter().filter(|session| {
        let reason = session.seen.goaway.as_ref();
        reason
            .is_some_and(|(reason, text)| *reason == code::ENHANCE_YOUR_CALM && text.contains("`max_memory`"))
    });
    assert_eq!(told.count() as u64, counts.ended);
    late.iter_mut().for_each(|session| assert_eq!(ask(session), Flow::Continue(())));
    assert_eq!(honest.stop().fault, None);

    early.iter_mut().chain(&mut late).for_each(Session::close);
    let is_it = |end: &Option<Ending>| {
        matches!(end, Some(Ending::Error(ConnectionError::Abuse { limit: Limit::ServerMemory, .. })))
    };
    let ended = server.hostile().iter().filter(|record| is_it(&record.end)).count();
    assert_eq!(ended as u64, counts.ended);
    assert_eq!(server.ledger.counts().held, 0);
}

#[test]
fn one_connection_has_a_limit_of_its_own() {
    let server = Server::start(Config::default().max_connection_memory(4 << 20));
    let mut session = starving(&server);
    for _ in 0..60 {
        assert_eq!(ask(&mut session), Flow::Continue(()), "{:?}", session.seen);
    }
    assert!(session.seen.resets[&code::REFUSED_STREAM] > 20, "{:?}", session.seen.resets);
    assert!(server.ledger.counts().most < 3 << 20, "{:?}", server.ledger.counts());
}
