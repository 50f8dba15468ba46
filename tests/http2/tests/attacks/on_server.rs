//! What becomes of each attack: its end, its price, and that others are served meanwhile.

use std::time::Duration;

use dunlin_attack::{ATTACKS, Attack, End, Flow, Report, Session, Target, Then, run};
use dunlin_http2::{Config, ConnectionError, ErrorCode, Limit};
use dunlin_testkit::http2::Frame;

use crate::server::{Ending, Record, Server};

/// The most that the engine may hold for one connection, whatever its peer does. Payloads that are
/// queued by reference are not in it; the application bounds them, by what congests a stream.
const MEMORY: usize = 1 << 20;
/// What a server may take to see the end of an attack.
const TIME: Duration = Duration::from_secs(8);

/// How an attack has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// By a limit, with ENHANCE_YOUR_CALM.
    Limit(Limit),
    /// By a rule, with this code.
    Code(ErrorCode),
    /// By a deadline.
    Timeout,
}

use Expected::{Code, Limit as By, Timeout};

fn attack(name: &str) -> &'static Attack {
    ATTACKS.iter().find(|attack| attack.name == name).expect("a name of the table")
}

fn config() -> Config {
    Config::default()
        .handshake_timeout(Duration::from_secs(1))
        .header_block_timeout(Duration::from_millis(500))
        .send_stall_timeout(Duration::from_millis(800))
}

fn observe(attack: &Attack, path: &str) -> (Report, Record) {
    let server = Server::start(config());
    let target = Target {
        path: path.to_owned(),
        honest_path: "/honest".to_owned(),
        large: Some("/large".to_owned()),
        patience: Duration::from_secs(3),
        ..Target::new(server.address)
    };
    let report = run(attack, &target).expect("the server listens");
    let mut hostile = server.hostile();
    assert_eq!(hostile.len(), 1, "{}: one connection was hostile", attack.name);
    (report, hostile.remove(0))
}

/// What is wrong with the end of an attack.
fn faults(attack: &Attack, path: &str, expected: Expected) -> Vec<String> {
    let (report, record) = observe(attack, path);
    let mut faults = Vec::new();
    let mut check = |is_right: bool, what: String| {
        if !is_right {
            faults.push(format!("{} {path}: {what}", attack.name));
        }
    };
    let (is_expected, code) = match (expected, &record.end) {
        (By(wanted), Some(Ending::Error(ConnectionError::Abuse { limit, .. }))) => {
            (*limit == wanted, ErrorCode::ENHANCE_YOUR_CALM)
        }
        (Code(wanted), Some(Ending::Error(error))) => (error.code() == wanted, wanted),
        (Timeout, Some(Ending::Error(ConnectionError::Timeout { .. }))) => {
            (true, ErrorCode::SETTINGS_TIMEOUT)
        }
        (By(_), _) => (false, ErrorCode::ENHANCE_YOUR_CALM),
        (Code(code), _) => (false, code),
        (Timeout, _) => (false, ErrorCode::SETTINGS_TIMEOUT),
    };
    check(
        is_expected,
        format!("ended by {:?} instead of {expected:?}, after {} frames", record.end, report.frames),
    );
    // Who does not read does not get to read why.
    let is_told =
        report.end == End::GoAway(code.0) || (attack.name.ends_with("unread") && report.end == End::Closed);
    check(is_told, format!("the peer saw {:?} instead of GOAWAY {code}", report.end));
    check(report.time < TIME, format!("it took {:?}", report.time));
    check(record.memory < MEMORY, format!("the engine held {} bytes", record.memory));
    // One stream may be there that ends in the same turn.
    check(record.streams <= 257, format!("there were {} streams", record.streams));
    if let Some(Ending::Error(ConnectionError::Abuse { limit, allowed })) = &record.end {
        // Time refills a little; what the last turn counted, the handler does not get to see.
        let most = allowed + allowed / 4 + 50;
        let counted = record.counter(*limit);
        let earns = matches!(limit, Limit::WindowUpdates | Limit::Priorities | Limit::TinyWindows);
        check(earns || counted <= most, format!("`{limit}` counted {counted}, and {allowed} are allowed"));
    }
    check(report.served.fault.is_none(), format!("the honest client saw {:?}", report.served.fault));
    check(report.served.calls > 0, "the honest client was not served".to_owned());
    check(
        report.served.slowest < Duration::from_secs(2),
        format!("an honest call took {:?}", report.served.slowest),
    );
    check(report.is_served_after, "nobody was served afterwards".to_owned());
    faults
}

fn all(rows: &[(&str, &str, Expected)]) {
    let faults: Vec<_> =
        rows.iter().flat_map(|(name, path, expected)| faults(attack(name), path, *expected)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn streams_that_end_at_once_are_counted() {
    all(&[
        ("rapid-reset", "/hold", By(Limit::PeerResets)),
        // The handlers work on, so their streams count: the others are refused, and their resets ignored.
        ("rapid-reset", "/keep", By(Limit::IgnoredFrames)),
        // Answered before it is reset, so the reset is of nothing.
        ("rapid-reset-ended", "/", By(Limit::IgnoredFrames)),
        ("rapid-reset-ended", "/hold", By(Limit::PeerResets)),
        ("refused-streams", "/hold", By(Limit::RefusedStreams)),
        ("malformed-requests", "/", By(Limit::LocalResets)),
    ]);
}

#[test]
fn resets_that_the_peer_provokes_are_counted_as_well() {
    all(&[
        ("made-you-reset-window-zero", "/hold", By(Limit::LocalResets)),
        ("made-you-reset-window-overflow", "/hold", By(Limit::LocalResets)),
        ("made-you-reset-priority-length", "/hold", By(Limit::LocalResets)),
        ("made-you-reset-self-dependency", "/hold", By(Limit::LocalResets)),
        ("made-you-reset-headers-after-end", "/hold", By(Limit::LocalResets)),
        // Answered, so the stream is closed, and HEADERS on it are an error of the connection.
        ("made-you-reset-headers-after-end", "/", Code(ErrorCode::STREAM_CLOSED)),
        ("made-you-reset-data-after-end", "/hold", By(Limit::LocalResets)),
        ("made-you-reset-data-after-end", "/", By(Limit::LocalResets)),
        ("made-you-reset-content-length", "/hold", By(Limit::LocalResets)),
        ("made-you-reset-window-zero", "/keep", By(Limit::LocalResets)),
    ]);
}

#[test]
fn header_blocks_are_bounded_in_frames_octets_fields_and_time() {
    all(&[
        ("continuation-small", "/", By(Limit::Continuations)),
        ("continuation-empty", "/", By(Limit::Continuations)),
        ("continuation-large", "/", By(Limit::Continuations)),
        ("continuation-silence", "/", By(Limit::HeaderBlockTimeout)),
        ("hpack-bomb", "/", By(Limit::HeaderBlock)),
        ("header-list-size", "/", By(Limit::LocalResets)),
        ("header-count", "/", By(Limit::LocalResets)),
        ("header-names-empty", "/", By(Limit::LocalResets)),
        ("headers-empty", "/", By(Limit::LocalResets)),
    ]);
}

#[test]
fn a_headers_frame_whose_end_does_not_come_times_out_like_a_header_block() {
    all(&[("headers-cut", "/", By(Limit::HeaderBlockTimeout))]);
}

#[test]
fn fields_that_another_protocol_would_read_as_more_than_fields_are_refused() {
    let (report, record) = observe(attack("smuggling"), "/");
    assert_eq!(report.end, End::Survived);
    let protocol_errors = report.seen.resets.get(&ErrorCode::PROTOCOL_ERROR.0);
    assert_eq!(protocol_errors, Some(&(report.frames - 1)), "let through: {:?}", record.paths);
}

#[test]
fn frames_without_a_use_are_counted() {
    all(&[
        ("data-empty", "/", By(Limit::EmptyFrames)),
        ("data-padding", "/", By(Limit::EmptyFrames)),
        ("ping-flood", "/", By(Limit::Pings)),
        ("ping-flood-unread", "/", By(Limit::Pings)),
        ("settings-flood", "/", By(Limit::SettingsFrames)),
        ("settings-entries", "/", By(Limit::SettingsEntries)),
        ("priority-flood", "/", By(Limit::Priorities)),
        ("window-update-flood", "/", By(Limit::WindowUpdates)),
        ("window-update-flood-stream", "/", By(Limit::WindowUpdates)),
        ("unknown-frames", "/", By(Limit::IgnoredFrames)),
        ("ping-ack-flood", "/", By(Limit::IgnoredFrames)),
        ("reset-again-flood", "/hold", By(Limit::IgnoredFrames)),
    ]);
}

#[test]
fn goaway_again_and_again_is_counted() {
    all(&[("goaway-flood", "/hold", By(Limit::IgnoredFrames))]);
}

#[test]
fn answers_to_no_ping_are_counted_whatever_they_carry() {
    fn of_a_probe(session: &mut Session) -> Flow {
        session.repeat(20_000, |_, _| [Frame::ping_ack(*b"bandwdth")])
    }
    fn of_a_shutdown(session: &mut Session) -> Flow {
        session.repeat(20_000, |_, _| [Frame::ping_ack(*b"shutdown")])
    }
    let flood = |name, send| Attack { name, known_as: "", begins: true, then: Then::Ping, send };
    let mut wrong = faults(&flood("pong-of-a-probe", of_a_probe), "/", By(Limit::IgnoredFrames));
    wrong.extend(faults(&flood("pong-of-a-shutdown", of_a_shutdown), "/", By(Limit::IgnoredFrames)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn windows_of_crumbs_are_counted() {
    all(&[
        ("data-dribble", "/", By(Limit::TinyWindows)),
        ("tiny-initial-window", "/", By(Limit::TinyWindows)),
    ]);
}

#[test]
fn control_frames_that_are_not_taken_are_bounded() {
    all(&[("control-unread", "/hold", By(Limit::QueuedControlFrames))]);
}

#[test]
fn what_is_never_read_stays_bounded() {
    let (report, record) = observe(attack("internal-buffering"), "/");
    assert!(record.memory < MEMORY, "the engine held {} bytes", record.memory);
    assert_eq!((report.served.fault, report.is_served_after), (None, true));
}

#[test]
fn a_connection_that_takes_none_of_its_output_is_closed() {
    let (report, record) = observe(attack("internal-buffering"), "/");
    assert!(matches!(record.end, Some(Ending::Error(_))), "{:?}, the peer saw {:?}", record.end, report.end);
}

#[test]
fn answers_that_are_not_read_are_bounded_though_their_streams_have_ended() {
    let (report, record) = observe(attack("answers-unread"), "/status");
    assert!(
        record.memory < MEMORY,
        "the engine held {} bytes for {} answers; {:?}",
        record.memory,
        record.requests,
        record.end
    );
    assert_eq!((report.served.fault, report.is_served_after), (None, true));
}

#[test]
fn a_handshake_has_its_deadline() {
    all(&[
        ("no-preface", "/", Timeout),
        ("slow-preface", "/", Timeout),
        ("no-settings", "/", Timeout),
        ("no-settings-ack", "/", Timeout),
    ]);
}
