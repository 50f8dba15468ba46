//! Messages through serde, by the rules of ProtoJSON.
#![cfg(feature = "serde")]

use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::json::serde::{Json, deserialize_into, serialize_with};
use dunlin_protobuf::json::{DecodeOptions, EncodeOptions};
use dunlin_protobuf::wkt::{Api, Duration, FileDescriptorProto, Int64Value, Struct, Timestamp, UInt64Value};
use dunlin_protobuf::{Limits, Message, json};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Visit {
    at: Json<Timestamp>,
    #[serde(with = "dunlin_protobuf::json::serde")]
    took: Duration,
    more: Option<Json<Struct>>,
}

#[test]
fn messages_are_fields_of_other_types() {
    let text = r#"{"at":"1970-01-01T00:00:42Z","took":"1.500s","more":{"a":[1,null,-0.5,true,"x\n"]}}"#;
    let visit: Visit = serde_json::from_str(text).unwrap();
    assert_eq!((visit.at.0.seconds, visit.took.nanos), (42, 500_000_000));
    assert_eq!(serde_json::to_string(&visit).unwrap(), text);
}

fn agrees<M: Message>(text: &str) {
    let message: M = json::from_str(text).unwrap();
    let Json(read) = serde_json::from_str::<Json<M>>(text).unwrap();
    assert_eq!(read, message, "{text}");
    let value = serde_json::to_value(Json(message.clone())).unwrap();
    assert_eq!(
        value,
        serde_json::from_str::<serde_json::Value>(&json::to_string(&message).unwrap()).unwrap()
    );
    let Json(read) = serde_json::from_value::<Json<M>>(value).unwrap();
    assert_eq!(read, message, "{text}, by way of a value");
}

#[test]
fn what_serde_reads_and_writes_is_what_json_does() {
    agrees::<Api>(r#"{"name":"a","methods":[{"name":"m","options":[]},{}],"syntax":"SYNTAX_PROTO3"}"#);
    agrees::<FileDescriptorProto>(
        r#"{"name":"\u00e4","messageType":[{"field":[{"type":"TYPE_INT32","number":-1}]}]}"#,
    );
    agrees::<Struct>(r#"{"a":1e300,"b":{"c":[0,[],{}]},"":null}"#);
    agrees::<Int64Value>(r#""-9223372036854775808""#);
    agrees::<UInt64Value>("18446744073709551615");
}

#[test]
fn what_json_refuses_is_refused() {
    for text in [
        r#"{"nope":1}"#,
        r#"{"name":1}"#,
        r#"{"name":"a","name":"b"}"#,
        r#"{"methods":[null]}"#,
        "[]",
        "null",
    ] {
        assert!(serde_json::from_str::<Json<Api>>(text).is_err(), "{text}");
    }
    let error = serde_json::from_str::<Json<Api>>(r#"{"methods":[{},{"name":7}]}"#).unwrap_err();
    assert!(error.to_string().starts_with("$.methods[1].name: expected a string, found a number"), "{error}");
    assert!(serde_json::to_string(&Json(Timestamp { nanos: -1, ..Default::default() })).is_err());
}

#[test]
fn dynamic_messages_and_options_work_too() {
    let text = r#"{"string_value":"x"}"#;
    let pool = DynamicPool::from_file_descriptor_set(Default::default()).unwrap();
    assert!(pool.message("t.None").is_none());
    let table = dunlin_protobuf::Reflect::table(&dunlin_protobuf::wkt::Option::default());
    let mut message = DynamicMessage::new(table);
    let options = DecodeOptions::new().ignore_unknown();
    deserialize_into(&mut message, &options, &mut serde_json::Deserializer::from_str(text)).unwrap();
    deserialize_into(&mut message, &options, &mut serde_json::Deserializer::from_str(r#"{"name":"n"}"#))
        .unwrap();
    let mut out = Vec::new();
    serialize_with(&message, &EncodeOptions::new().emit_unset(), &mut serde_json::Serializer::new(&mut out))
        .unwrap();
    assert!(out.starts_with(br#"{"name":"n""#), "{}", String::from_utf8_lossy(&out));
}

#[test]
fn depth_is_limited() {
    let text = format!("{}{}", "[".repeat(60), "]".repeat(60));
    let options = DecodeOptions::new().limits(Limits::default().depth(20));
    let mut list = dunlin_protobuf::wkt::ListValue::default();
    let result = deserialize_into(&mut list, &options, &mut serde_json::Deserializer::from_str(&text));
    assert!(result.is_err());
}
