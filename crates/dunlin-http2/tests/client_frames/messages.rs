//! RFC 9113 §8: responses.

use dunlin_http2::{HeadersKind, Malformed};
use dunlin_testkit::http2::{Block, Frame, code};

use crate::harness::Seen;
use crate::{check, check_with, content, head, malformed, ok, ping, pong, reset, status};

use HeadersKind::{Informational, Response, Trailers};

fn fields(fields: &[(&str, &str)]) -> Frame {
    Frame::headers(1, Block::of(fields))
}

#[test]
fn a_response_is_headers_content_and_trailers_in_this_order() {
    let trailers = || fields(&[("x", "y")]).end_stream();
    check([
        ("no content", vec![ok().end_stream()], vec![], vec![head(Response, true)]),
        (
            "content",
            vec![ok(), Frame::data(1, "a"), Frame::data(1, "b").end_stream()],
            vec![],
            vec![head(Response, false), content("ab", true)],
        ),
        (
            "trailers",
            vec![ok(), Frame::data(1, "a"), trailers()],
            vec![],
            vec![head(Response, false), content("a", false), head(Trailers, true)],
        ),
        ("only trailers", vec![ok(), trailers()], vec![], vec![head(Response, false), head(Trailers, true)]),
        (
            "§8.1: any number of informational ones in front",
            vec![status("100"), status("103"), ok().end_stream()],
            vec![],
            vec![head(Informational, false), head(Informational, false), head(Response, true)],
        ),
        (
            "an empty frame that ends the stream",
            vec![ok(), Frame::data(1, "").padded(3).end_stream()],
            vec![],
            vec![head(Response, false), content("", true)],
        ),
    ]);
}

#[test]
fn a_malformed_response_costs_the_stream() {
    use Malformed::*;
    for (why, frame, fault) in [
        ("§8.3.2: no status", fields(&[("x", "y")]), PseudoMissing),
        ("§8.3.2: no fields", fields(&[]), PseudoMissing),
        (
            "§8.3.2: a pseudo-header field of requests",
            fields(&[(":status", "200"), (":path", "/")]),
            PseudoUnexpected,
        ),
        (
            "§8.3: an unknown pseudo-header field",
            fields(&[(":status", "200"), (":x", "/")]),
            PseudoUnexpected,
        ),
        ("§8.3: twice", fields(&[(":status", "200"), (":status", "200")]), PseudoRepeated),
        ("§8.3: behind a regular field", fields(&[("x", "y"), (":status", "200")]), PseudoOrder),
        ("§8.3.2: not a number", status("OK"), Status),
        ("§8.3.2: two digits", status("20"), Status),
        ("§8.3.2: four digits", status("2000"), Status),
        ("§8.3.2: below 100", status("099"), Status),
        ("§8.3.2: with a sign", status("+20"), Status),
        ("§8.3.2: empty", status(""), Status),
        ("§8.6: there is no upgrade", status("101"), Status),
        ("§8.1: informational, and the end", status("103").end_stream(), Sequence),
        ("§8.2.1: a capital", fields(&[(":status", "200"), ("X", "y")]), Name),
        ("§8.2.1: a line feed", fields(&[(":status", "200"), ("x", "a\nb")]), Value),
        (
            "§8.2.2: about the connection",
            fields(&[(":status", "200"), ("transfer-encoding", "x")]),
            ConnectionSpecific,
        ),
        ("§8.2.2: a value of `te`", fields(&[(":status", "200"), ("te", "gzip")]), Te),
        ("RFC 9110 §8.6: no number", fields(&[(":status", "200"), ("content-length", "x")]), ContentLength),
    ] {
        let answer = [reset(1, code::PROTOCOL_ERROR), pong()].concat();
        check([(why, vec![frame, ping()], answer, vec![malformed(fault)])]);
    }
}

#[test]
fn what_is_out_of_order_costs_the_stream() {
    let error = || reset(1, code::PROTOCOL_ERROR);
    let begun = || head(Response, false);
    check([
        (
            "§8.1: headers in the middle",
            vec![ok(), fields(&[("x", "y")])],
            error(),
            vec![begun(), malformed(Malformed::Sequence)],
        ),
        (
            "§8.1: a second response",
            vec![ok(), ok()],
            error(),
            vec![begun(), malformed(Malformed::PseudoUnexpected)],
        ),
        (
            "§8.1: an informational one behind it",
            vec![ok(), status("100")],
            error(),
            vec![begun(), malformed(Malformed::PseudoUnexpected)],
        ),
        (
            "§8.1: a status in trailers",
            vec![ok(), Frame::data(1, "a"), status("200").end_stream()],
            error(),
            vec![begun(), content("a", false), malformed(Malformed::PseudoUnexpected)],
        ),
    ]);
}

#[test]
fn data_in_front_of_a_response_costs_the_stream() {
    for frames in [vec![Frame::data(1, "a")], vec![status("100"), Frame::data(1, "a")]] {
        let mut bench = crate::Bench::client(crate::Config::default());
        bench.get();
        bench.output();
        assert_eq!(bench.send(&frames), reset(1, code::PROTOCOL_ERROR));
        let fault = dunlin_http2::StreamFault::Protocol {
            code: dunlin_http2::ErrorCode::PROTOCOL_ERROR,
            reason: "DATA before the response (RFC 9113 8.1)",
        };
        let reason = dunlin_http2::ResetReason::Local(fault);
        assert_eq!(bench.events().last(), Some(&Seen::Reset { stream: 1, reason }));
    }
}

#[test]
fn content_is_as_long_as_content_length_says() {
    let announced = |len: &str| fields(&[(":status", "200"), ("content-length", len)]);
    let error = || reset(1, code::PROTOCOL_ERROR);
    let fault = || malformed(Malformed::ContentLengthMismatch);
    let begun = || head(Response, false);
    let trailers = || fields(&[("x", "y")]).end_stream();
    check([
        (
            "exact",
            vec![announced("1"), Frame::data(1, "a").end_stream()],
            vec![],
            vec![begun(), content("a", true)],
        ),
        ("too much", vec![announced("1"), Frame::data(1, "ab")], error(), vec![begun(), fault()]),
        (
            "too little",
            vec![announced("3"), Frame::data(1, "ab").end_stream()],
            error(),
            vec![begun(), fault()],
        ),
        (
            "too little, by trailers",
            vec![announced("3"), Frame::data(1, "ab"), trailers()],
            error(),
            vec![begun(), content("ab", false), fault()],
        ),
        (
            "exact, by trailers",
            vec![announced("2"), Frame::data(1, "ab"), trailers()],
            vec![],
            vec![begun(), content("ab", false), head(Trailers, true)],
        ),
        (
            "padding does not count",
            vec![announced("1"), Frame::data(1, "a").padded(7).end_stream()],
            vec![],
            vec![begun(), content("a", true)],
        ),
        ("nothing comes", vec![announced("1").end_stream()], error(), vec![fault()]),
        ("nothing is announced", vec![announced("0").end_stream()], vec![], vec![head(Response, true)]),
    ]);
}

#[test]
fn content_length_is_not_counted_where_there_is_no_content() {
    // RFC 9110 §8.6: it says what GET would have got.
    let announced = |status: &str| fields(&[(":status", status), ("content-length", "10")]).end_stream();
    let whole = || vec![head(Response, true)];
    check_with("HEAD", [("the response to HEAD", vec![announced("200")], vec![], whole())]);
    check([
        ("204", vec![announced("204")], vec![], whole()),
        ("304", vec![announced("304")], vec![], whole()),
        (
            "any other",
            vec![announced("200")],
            reset(1, code::PROTOCOL_ERROR),
            vec![malformed(Malformed::ContentLengthMismatch)],
        ),
    ]);
}
