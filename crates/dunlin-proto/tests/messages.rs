//! What others can count on: names and numbers on the wire, and descriptors that link.

use dunlin_proto::google::rpc::{Code, ErrorInfo, Status};
use dunlin_proto::grpc::health::v1::HealthCheckResponse;
use dunlin_proto::grpc::{binarylog, channelz, reflection};
use dunlin_proto::xds;
use dunlin_protobuf::Message;
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::wkt::Any;

#[test]
fn a_status_with_details_is_the_bytes_that_peers_send() {
    let info = ErrorInfo {
        reason: "STOCK_OUT".into(),
        domain: "shop.example".into(),
        metadata: [("item".into(), "7".into())].into(),
        ..Default::default()
    };
    let status = Status {
        code: Code::RESOURCE_EXHAUSTED.0,
        message: "none left".into(),
        details: vec![Any::pack(&info)],
        ..Default::default()
    };
    // Python's googleapis-common-protos wrote these.
    let want = b"\x08\x08\x12\tnone left\x1aP\n(type.googleapis.com/google.rpc.ErrorInfo\x12$\n\tSTOCK_OUT\
        \x12\x0cshop.example\x1a\t\n\x04item\x12\x017";
    assert_eq!(status.encode_to_vec(), want);
    assert_eq!(Status::decode(want).unwrap(), status);
}

#[test]
fn every_schema_and_what_it_imports_is_among_the_descriptors() {
    let set = FileDescriptorSet::decode(dunlin_proto::FILE_DESCRIPTOR_SET).unwrap();
    let pool = DynamicPool::from_file_descriptor_set(set).unwrap();
    let pool = pool.descriptors();
    for name in [
        Status::FULL_NAME,
        HealthCheckResponse::FULL_NAME,
        reflection::v1::ServerReflectionRequest::FULL_NAME,
        reflection::v1alpha::ServerReflectionRequest::FULL_NAME,
        channelz::v1::Channel::FULL_NAME,
        binarylog::v1::GrpcLogEntry::FULL_NAME,
        xds::data::orca::v3::OrcaLoadReport::FULL_NAME,
        xds::service::orca::v3::OrcaLoadReportRequest::FULL_NAME,
        Any::FULL_NAME,
    ] {
        assert!(pool.message(name).is_some(), "{name}");
    }
}
