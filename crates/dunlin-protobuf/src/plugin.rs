//! The messages of `google/protobuf/compiler/plugin.proto`: what a compiler and a code generator
//! say to each other.
#![allow(missing_docs)] // The members are documented by the schema they mirror.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::descriptor::codec::{enums, messages};
use crate::descriptor::{FileDescriptorProto, GeneratedCodeInfo};

messages! {
    /// The version of a compiler.
    Version {
        1 major: varint Option<i32>,
        2 minor: varint Option<i32>,
        3 patch: varint Option<i32>,
        4 suffix: text Option<String>,
    }

    /// What a compiler writes to a plugin.
    CodeGeneratorRequest {
        1 file_to_generate: repeated_text Vec<String>,
        2 parameter: text Option<String>,
        3 compiler_version: message Option<Box<Version>>,
        15 proto_file: repeated_message Vec<FileDescriptorProto>,
        17 source_file_descriptors: repeated_message Vec<FileDescriptorProto>,
    }

    /// What a plugin answers.
    CodeGeneratorResponse {
        1 error: text Option<String>,
        2 supported_features: varint Option<u64>,
        3 minimum_edition: varint Option<i32>,
        4 maximum_edition: varint Option<i32>,
        15 file: repeated_message Vec<File>,
    }

    /// A generated file, a part of one, or an insertion.
    File {
        1 name: text Option<String>,
        2 insertion_point: text Option<String>,
        15 content: text Option<Vec<u8>>,
        16 generated_code_info: message Option<Box<GeneratedCodeInfo>>,
    }
}

enums! {
    /// Bits of `supported_features`.
    Feature {
        FEATURE_NONE = 0,
        FEATURE_PROTO3_OPTIONAL = 1,
        FEATURE_SUPPORTS_EDITIONS = 2,
    }
}
