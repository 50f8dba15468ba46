//! The messages that Dunlin itself speaks, generated: nothing here has logic.
//!
//! A module is a package of the schemas, a type a message or an enum of it:
//!
//! | module | what it is for |
//! |---|---|
//! | [`google::rpc`] | the status of a call with details that programs can read |
//! | [`grpc::health::v1`] | health checking |
//! | [`grpc::reflection`] | a server tells its schemas, as `v1` and as `v1alpha` |
//! | [`grpc::channelz::v1`] | what a process knows about its channels, servers and sockets |
//! | [`grpc::binarylog::v1`] | logs of calls |
//! | [`xds::data::orca::v3`], [`xds::service::orca::v3`] | load reports (ORCA) |
//!
//! ```
//! use dunlin_proto::google::rpc::{Code, ErrorInfo, Status};
//! use dunlin_protobuf::Message;
//! use dunlin_protobuf::wkt::Any;
//!
//! let info = ErrorInfo { reason: "STOCK_OUT".into(), domain: "shop.example".into(), ..Default::default() };
//! let status = Status {
//!     code: Code::RESOURCE_EXHAUSTED.0,
//!     message: "none left".into(),
//!     details: vec![Any::pack(&info)],
//!     ..Default::default()
//! };
//! // What `grpc-status-details-bin` has, before base64.
//! let status = Status::decode(&status.encode_to_vec())?;
//! assert_eq!(status.details[0].unpack()?, Some(info));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The schemas are those that everybody uses, declaration by declaration; the texts in `proto/` are our
//! own. [`FILE_DESCRIPTOR_SET`] has them as descriptors, services included. The services have no code
//! here, as that would need what carries calls.
//!
//! Without the feature `std`, which is on by default, an allocator is enough.
#![no_std]
#![forbid(unsafe_code)]

include!("generated/mod.rs");
