//! What a server does with each case of h2spec 2.6, frame by frame.
//!
//! h2spec takes any close of the connection for an error of the connection; here the frames have to
//! be the very ones. Rows are numbered like its cases: `5.1/3` is the third one of section 5.1.

mod ends;
mod flow;
mod frames;
mod generic;
#[allow(dead_code, reason = "each suite uses a part of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod hpack;
mod messages;
mod settings;
mod streams;

use dunlin_http2::Config;
use dunlin_testkit::http2::{Frame, kind};
use harness::{App, Bench};

/// The number of a case, what the application does, what the client sends, what has to come back.
type Row = (&'static str, App, Vec<Frame>, Vec<Frame>);

/// Every row on a connection of its own, twice: as one piece, and octet by octet.
fn check(rows: impl IntoIterator<Item = Row>) {
    for (case, app, send, want) in rows {
        for step in [usize::MAX, 1] {
            let mut bench = Bench::server(Config::default(), app);
            let got = bench.send_in_steps(&send, step);
            assert_eq!(got, want, "h2spec {case}, in pieces of {step} octets");
            check_end(case, &bench, &want);
        }
    }
}

/// Every row on a connection of its own, where what a frame makes the server send is sent before the
/// next one comes.
fn check_one_by_one(rows: impl IntoIterator<Item = Row>) {
    for (case, app, send, want) in rows {
        let mut bench = Bench::server(Config::default(), app);
        let got: Vec<Frame> = send.into_iter().flat_map(|frame| bench.send(&[frame])).collect();
        assert_eq!(got, want, "h2spec {case}");
        check_end(case, &bench, &want);
    }
}

fn check_end(case: &str, bench: &Bench, sent: &[Frame]) {
    let is_over = sent.iter().any(|frame| frame.kind == kind::GOAWAY);
    assert_eq!(bench.engine.is_closed(), is_over, "h2spec {case}: whether the connection is over");
}

/// An error of the connection, where `last` is the last stream that the client has opened.
fn goaway(last: u32, code: u32) -> Vec<Frame> {
    vec![Frame::goaway(last, code)]
}

/// An error of the stream.
fn reset(stream: u32, code: u32) -> Vec<Frame> {
    vec![Frame::rst_stream(stream, code)]
}

const PING: [u8; 8] = *b"h2spec\0\0";

/// A PING, to see that the connection lives on.
fn ping() -> Frame {
    Frame::ping(PING)
}

fn pong() -> Vec<Frame> {
    vec![Frame::ping_ack(PING)]
}
