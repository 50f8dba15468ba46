//! RFC 9113 §8: well-formed requests.

use dunlin_http2::{Config, Malformed, ResetReason, StreamFault};
use dunlin_testkit::http2::{Block, Frame, code};

use crate::harness::{App, Bench, Seen, get_block, post, response};
use crate::{check, goaway, ping, pong, reset};

use App::Answers;

type Pairs<'a> = &'a [(&'a str, &'a str)];

const GET: Pairs<'_> =
    &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "localhost")];

/// A request with these fields behind the usual ones.
fn with(more: Pairs<'_>) -> Block {
    Block::of(&[GET, more].concat())
}

/// A request without one of the usual fields.
fn without(name: &str) -> Block {
    Block::of(&GET.iter().copied().filter(|field| field.0 != name).collect::<Vec<_>>())
}

/// A request with another value of one of the usual fields.
fn with_other(name: &str, value: &str) -> Block {
    let other = |field: &(&'static str, &'static str)| field.0 == name;
    let fields = GET.iter().map(|field| if other(field) { (name, value) } else { *field });
    Block::of(&fields.collect::<Vec<_>>())
}

// 8.1.2, 8.1.2.1 to 8.1.2.3 (§8.2 and §8.3 of RFC 9113)
#[test]
fn a_malformed_request_costs_the_stream() {
    for (case, block) in [
        ("8.1.2/1", with(&[("X-TEST", "ok")])),
        ("8.1.2.1/1", Block::of(&[(":test", "ok")]).then(&with(&[]))), // unknown
        ("8.1.2.1/2", Block::of(&[(":status", "200")]).then(&with(&[]))), // of a response
        ("8.1.2.1/4", Block::of(&[("x-test", "ok")]).then(&with(&[]))), // a regular one is in front
        ("8.1.2.2/1", with(&[("connection", "keep-alive")])),
        ("8.1.2.2/1", with(&[("proxy-connection", "keep-alive")])),
        ("8.1.2.2/1", with(&[("keep-alive", "timeout=5")])),
        ("8.1.2.2/1", with(&[("transfer-encoding", "chunked")])),
        ("8.1.2.2/1", with(&[("upgrade", "h2c")])),
        ("8.1.2.2/2", with(&[("te", "trailers, deflate")])),
        ("8.1.2.3/1", with_other(":path", "")),
        ("8.1.2.3/2", without(":method")),
        ("8.1.2.3/3", without(":scheme")),
        ("8.1.2.3/4", without(":path")),
        ("8.1.2.3/5", Block::of(&[(":method", "GET")]).then(&with(&[]))),
        ("8.1.2.3/6", Block::of(&[(":scheme", "http")]).then(&with(&[]))),
        ("8.1.2.3/7", Block::of(&[(":path", "/")]).then(&with(&[]))),
        // What h2spec does not look at.
        ("8.2.1", with(&[("", "no name")])),
        ("8.2.1", with(&[("x y", "a space in a name")])),
        ("8.2.1", with(&[("x\u{7f}", "a control in a name")])),
        ("8.2.1", with(&[("x\u{e9}", "not ASCII")])),
        ("8.2.1", with(&[("x:y", "a colon in a name")])),
        ("8.2.1", with(&[("x", "a\nb")])),
        ("8.2.1", with(&[("x", "a\rb")])),
        ("8.2.1", with(&[("x", "a\0b")])),
        ("8.2.1", with(&[("x", " a")])),
        ("8.2.1", with(&[("x", "a\t")])),
        ("8.3.1", Block::of(&[(":authority", "a")]).then(&with(&[]))), // twice
        ("8.3.1", with_other(":path", "a/b")),                         // relative
        ("8.3.1", with_other(":path", "*")),                           // of OPTIONS only
        ("8.3.1", with(&[("host", "elsewhere")])),
        ("8.5", with_other(":method", "CONNECT")), // has neither scheme nor path
        ("8.5", Block::of(&[(":method", "CONNECT")])),
        ("RFC 8441 4", with_other(":method", "CONNECT").then(&Block::of(&[(":protocol", "websocket")]))),
        ("RFC 9110 8.6", with(&[("content-length", "")])),
        ("RFC 9110 8.6", with(&[("content-length", "+1")])),
        ("RFC 9110 8.6", with(&[("content-length", "1"), ("content-length", "2")])),
        ("RFC 9110 8.6", with(&[("content-length", "18446744073709551616")])), // above 2^64 - 1
    ] {
        let request = Frame::headers(1, block).end_stream();
        check([(case, Answers, vec![request, ping()], [reset(1, code::PROTOCOL_ERROR), pong()].concat())]);
    }
}

#[test]
fn an_unusual_request_is_a_request() {
    for (case, block) in [
        ("8.2.2", with(&[("te", "trailers")])),
        ("8.2.1", with(&[("x", "")])),                  // an empty value
        ("8.2.1", with(&[("x", "\u{e9}")])),            // octets above ASCII
        ("8.2.1", with(&[("!#$%&'*+-.^_`|~09", "x")])), // all of RFC 9110 §5.6.2
        ("8.3.1", without(":authority")),
        ("8.3.1", with(&[("host", "LOCALHOST")])), // the same, as cases do not matter
        ("8.3.1", Block::of(&[(":path", "*"), (":method", "OPTIONS"), (":scheme", "http")])),
        ("8.3.1", Block::of(&[(":path", "/?"), (":authority", ""), (":scheme", "x"), (":method", "M")])),
        ("8.5", Block::of(&[(":method", "CONNECT"), (":authority", "localhost:1")])),
        ("RFC 9110 8.6", with(&[("content-length", "0"), ("content-length", "0")])),
    ] {
        check([(case, Answers, vec![Frame::headers(1, block).end_stream()], response(1))]);
    }
}

// 8.1/1 and 8.1.2.1/3
#[test]
fn trailers_end_the_stream_and_have_no_pseudo_header_fields() {
    let trailers =
        |block: Block| vec![post(1), Frame::data(1, "test"), Frame::headers(1, block).end_stream()];
    let error = || reset(1, code::PROTOCOL_ERROR);
    let without_end = vec![post(1), Frame::data(1, "test"), Frame::headers(1, Block::of(&[("x", "y")]))];
    check([
        ("8.1/1", Answers, without_end, error()),
        ("8.1/1", Answers, vec![post(1), post(1)], error()), // a second request
        ("8.1.2.1/3", Answers, trailers(Block::of(&[(":method", "GET")])), error()),
        ("8.1.2.1/3", Answers, trailers(Block::of(&[(":status", "200")])), error()),
        ("8.1", Answers, trailers(Block::of(&[("x", "y")])), response(1)),
        ("8.1", Answers, trailers(Block::new()), response(1)), // an empty list
    ]);
}

// 8.1.2.6 (§8.1.1 of RFC 9113)
#[test]
fn content_is_as_long_as_content_length_says() {
    let announced = |len: &str| Frame::headers(1, with(&[("content-length", len)]));
    let end = || Frame::headers(1, Block::of(&[("x", "y")])).end_stream();
    let four = || Frame::data(1, "test");
    let error = || reset(1, code::PROTOCOL_ERROR);
    check([
        ("8.1.2.6/1", Answers, vec![announced("1"), four().end_stream()], error()),
        ("8.1.2.6/2", Answers, vec![announced("1"), four(), four().end_stream()], error()),
        ("8.1.2.6/1", Answers, vec![announced("4"), four().end_stream()], response(1)),
        ("8.1.2.6/2", Answers, vec![announced("8"), four(), four().end_stream()], response(1)),
        ("8.1.2.6", Answers, vec![announced("5"), four().end_stream()], error()), // too little
        ("8.1.2.6", Answers, vec![announced("5"), four(), end()], error()),       // found out by trailers
        ("8.1.2.6", Answers, vec![announced("4"), four(), end()], response(1)),
        ("8.1.2.6", Answers, vec![announced("4"), four().end_stream().padded(9)], response(1)), // not counted
        ("8.1.2.6", Answers, vec![announced("1").end_stream()], error()), // nothing at all
    ]);
}

#[test]
fn the_largest_content_length_is_one_as_well() {
    let length = [("content-length", "18446744073709551615")]; // 2^64 - 1
    let request = vec![Frame::headers(1, with(&length)), Frame::data(1, "test").end_stream()];
    check([("8.1.2.6", Answers, request, reset(1, code::PROTOCOL_ERROR))]);
}

// 8.2/1 (§8.4 of RFC 9113)
#[test]
fn a_client_pushes_nothing() {
    let promise = Frame::push_promise(1, 2, get_block());
    check([("8.2/1", App::Silent, vec![post(1), promise], goaway(1, code::PROTOCOL_ERROR))]);
}

#[test]
fn a_request_that_turns_out_malformed_is_taken_back() {
    let mut bench = Bench::server(Config::default(), App::Silent);
    bench.send(&[Frame::headers(1, with(&[("content-length", "1")])), Frame::data(1, "test")]);
    let kind = dunlin_http2::HeadersKind::Request;
    let reason = ResetReason::Local(StreamFault::Malformed(Malformed::ContentLengthMismatch));
    let want = [Seen::Headers { stream: 1, kind, end_stream: false }, Seen::Reset { stream: 1, reason }];
    assert_eq!(bench.events(), want); // and no content of it
    assert_eq!(bench.engine.stream_count(), 0);
}
