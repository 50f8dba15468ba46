//! The same service for Dunlin and for tonic.

fn main() {
    dunlin_build::compile("proto/bench.proto");
    let method = |name: &str, route: &str, input: &str, streams: bool| {
        let method = tonic_prost_build::manual::Method::builder()
            .name(name)
            .route_name(route)
            .input_type(format!("crate::tonic_peer::{input}"))
            .output_type("crate::tonic_peer::Msg")
            .codec_path("tonic_prost::ProstCodec");
        if streams { method.server_streaming().build() } else { method.build() }
    };
    let service = tonic_prost_build::manual::Service::builder()
        .name("Echo")
        .package("bench")
        .method(method("unary", "Unary", "Msg", false))
        .method(method("stream", "Stream", "StreamReq", true))
        .build();
    tonic_prost_build::manual::Builder::new().compile(&[service]);
}
