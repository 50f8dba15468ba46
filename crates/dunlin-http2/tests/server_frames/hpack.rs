//! RFC 7541, as far as it ends the connection.

use dunlin_http2::Config;
use dunlin_testkit::http2::{Block, Frame, code};

use crate::harness::{App, Bench, get, get_block, response};
use crate::{check, goaway, ping, pong};

use App::Answers;

// hpack 2.3.3, 4.2, 5.2, 6.1, 6.3
#[test]
fn a_header_block_that_can_not_be_decoded_ends_the_connection() {
    let value = |code: &[u8]| get_block().raw([0x00]).string("x-test").huffman(code);
    for (case, block) in [
        ("2.3.3/1", get_block().indexed(70)),        // the dynamic table is empty
        ("4.2/1", get_block().size_update(1)),       // behind fields
        ("5.2/1", value(&[0x1f, 0xff, 0xff])),       // `a`, and eleven bits and more of padding
        ("5.2/2", value(&[0x18])),                   // `a`, padded by zeros
        ("5.2/3", value(&[0xff, 0xff, 0xff, 0xff])), // the end of strings, spelled out
        ("6.1/1", get_block().indexed(0)),           // not used
        ("6.3/1", Block::new().size_update(4097).then(&get_block())),
        // What h2spec does not look at.
        ("5.1", get_block().raw([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])), // an index above 2^32
        ("5.1", get_block().raw([0xff, 0x80])),                         // an integer without its end
        ("5.2", get_block().raw([0x00, 0x05, b'x'])),                   // a name longer than the block
        ("5.2", get_block().raw([0x00, 0x01, b'x'])),                   // no value
        ("6.2.1", get_block().integer(0x40, 6, 70).string("v")),        // a name that is in no table
    ] {
        let request = Frame::headers(1, block).end_stream();
        check([(case, Answers, vec![request, ping()], goaway(0, code::COMPRESSION_ERROR))]);
    }
}

#[test]
fn the_table_goes_on_over_blocks_that_nobody_wants() {
    // §4.3 of RFC 9113: the block of a stream that is refused is decoded all the same.
    let mut bench = Bench::server(Config::default().max_concurrent_streams(1), App::Silent);
    let inserts = get_block().then(&Block::new().incremental("te", "trailers"));
    let refused = Frame::headers(3, inserts).end_stream();
    assert_eq!(bench.send(&[get(1), refused]), crate::reset(3, code::REFUSED_STREAM));
    assert_eq!(bench.send(&[Frame::rst_stream(1, code::CANCEL)]), []);
    let uses = get_block().indexed(62);
    assert_eq!(bench.send(&[Frame::headers(5, uses).end_stream(), ping()]), pong());
    assert_eq!(bench.engine.stream_count(), 1);
}

#[test]
fn an_index_that_was_evicted_is_an_error_even_if_it_was_right_before() {
    // RFC 7541 §4.4: an entry larger than the table empties it. §2.3.3: then 62 is in no table.
    let inserts = get_block().then(&Block::new().incremental("x-test", "ok"));
    let all = Block::new().indexed(2).indexed(6).indexed(4).indexed(62);
    let empties = get_block().then(&Block::new().incremental("x-test", "v".repeat(4096)));
    let request = |stream, block: &Block| Frame::headers(stream, block).end_stream();
    let requests = vec![request(1, &inserts), request(3, &all), request(5, &empties), request(7, &all)];
    let answers = [response(1), response(3), response(5), goaway(5, code::COMPRESSION_ERROR)];
    check([("RFC 7541 4.4", Answers, requests, answers.concat())]);
}

#[test]
fn a_reduced_table_has_to_be_confirmed() {
    // RFC 7541 §4.2, RFC 9113 §4.3.1: once the client has acknowledged it.
    let config = || Config::default().header_table_size(0);
    let mut bench = Bench::server(config(), Answers);
    assert_eq!(bench.send(&[get(1)]), goaway(0, code::COMPRESSION_ERROR));
    let mut bench = Bench::server(config(), Answers);
    let confirms = Block::new().size_update(0).then(&get_block());
    assert_eq!(
        bench.send(&[Frame::headers(1, confirms).end_stream(), get(3)]),
        [response(1), response(3)].concat()
    );
}
