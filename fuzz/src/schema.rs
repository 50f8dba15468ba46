//! The types that messages, JSON and text format are fuzzed with, generated and dynamic.

use std::sync::{Arc, LazyLock};

use dunlin_compiler::loader::Sources;
use dunlin_compiler::{Compiler, DescriptorOptions};
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::{Registry, table::TableRef};

/// A field of every kind and shape, and the types that JSON has forms of its own for.
const ALL: &str = r#"
edition = "2023";
package t;
import "google/protobuf/any.proto";
import "google/protobuf/api.proto";
import "google/protobuf/descriptor.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

enum Open { OPEN_ZERO = 0; OPEN_ONE = 1; OPEN_MINUS = -1; }
enum Closed { option features.enum_type = CLOSED; CLOSED_ONE = 1; CLOSED_TWO = 2; }

message All {
  int32 i32 = 1;
  int64 i64 = 2 [features.field_presence = IMPLICIT];
  uint32 u32 = 3;
  uint64 u64 = 4 [features.field_presence = IMPLICIT];
  sint32 s32 = 5;
  sint64 s64 = 6;
  fixed32 f32 = 7;
  fixed64 f64 = 8;
  float float = 9 [features.field_presence = IMPLICIT];
  double double = 10;
  bool flag = 11;
  string string = 12 [json_name = "a\"b"];
  bytes bytes = 13;
  Open open = 14;
  Closed closed = 15;
  All child = 16;
  All delimited = 17 [features.message_encoding = DELIMITED];
  repeated sint32 packed = 18;
  repeated double expanded = 19 [features.repeated_field_encoding = EXPANDED];
  repeated string strings = 20;
  repeated Closed enums = 21;
  repeated All children = 22;
  map<string, All> by_name = 23;
  map<int32, Open> by_number = 24;
  map<bool, bytes> by_flag = 25;
  oneof one { int32 one_number = 26; All one_child = 27; google.protobuf.NullValue one_null = 28; }
  google.protobuf.Any any = 30;
  google.protobuf.Duration duration = 31;
  google.protobuf.FieldMask mask = 32;
  google.protobuf.Struct struct = 33;
  google.protobuf.Value value = 34;
  google.protobuf.ListValue list = 35;
  google.protobuf.Timestamp time = 36;
  google.protobuf.Int64Value wrapped = 37;
  repeated google.protobuf.BytesValue wrappers = 38;
  extensions 100 to 199;
}

extend All {
  int32 number = 100;
  repeated All more = 101;
}
"#;

pub(crate) struct World {
    pool: Arc<DynamicPool>,
    pub(crate) registry: Registry,
}

impl World {
    pub(crate) fn table(&self, name: &str) -> TableRef {
        self.pool.message(name).expect("the schema has the type")
    }
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| {
    let compilation = Compiler::new(Sources::new().file("all.proto", ALL)).threads(1).compile(["all.proto"]);
    let options =
        DescriptorOptions { include_imports: true, retain_options: false, include_source_info: false };
    let set = compilation.expect("the schema compiles").file_descriptor_set(options).encode_to_vec();
    let set = FileDescriptorSet::decode(&set).expect("what was encoded can be decoded");
    let pool = DynamicPool::from_file_descriptor_set(set).expect("compiled files make a pool");
    let mut registry = Registry::new();
    registry.add_pool(pool.clone());
    World { pool, registry }
});
