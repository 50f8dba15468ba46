//! ProtoJSON.

use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::json::{DecodeOptions, EncodeOptions, JsonError};
use dunlin_protobuf::wkt::{Api, FileDescriptorProto, Struct};
use dunlin_protobuf::{Message, Reflect};

use crate::message::encode;
use crate::schema::WORLD;

/// Reads bytes as the JSON of messages: generated and dynamic ones accept the same text and write
/// the same, which is read back the same.
pub fn json(data: &[u8]) {
    agree::<FileDescriptorProto>(data);
    agree::<Struct>(data);
    agree::<Api>(data);
    let Ok(all) = dynamic("t.All", data) else { return };
    let written = write(&all);
    let again = dynamic("t.All", written.as_bytes()).expect("what was written can be read");
    assert!(encode(&again) == encode(&all), "reading loses nothing: {written}");
    assert_eq!(write(&again), written);
}

fn agree<M: Message>(data: &[u8]) {
    let generated = DecodeOptions::new().registry(&WORLD.registry).decode::<M>(data);
    match (generated, dynamic(M::FULL_NAME, data)) {
        (Ok(generated), Ok(dynamic)) => {
            let encoded = encode(&generated);
            assert!(encode(&dynamic) == encoded, "{}: both hold the same", M::FULL_NAME);
            let written = write(&generated);
            assert_eq!(write(&dynamic), written);
            let again = DecodeOptions::new().registry(&WORLD.registry).decode::<M>(&written);
            assert!(encode(&again.expect("what was written can be read")) == encoded, "{written}");
        }
        (Err(generated), Err(dynamic)) => assert_eq!(generated, dynamic),
        (generated, dynamic) => {
            panic!("{} is accepted by one: {:?}, {:?}", M::FULL_NAME, generated.err(), dynamic.err());
        }
    }
}

fn dynamic(name: &str, data: &[u8]) -> Result<DynamicMessage, JsonError> {
    let mut message = DynamicMessage::new(WORLD.table(name));
    DecodeOptions::new().registry(&WORLD.registry).merge(&mut message, data)?;
    Ok(message)
}

/// On one line and on many, which orders maps.
fn write(message: &dyn Reflect) -> String {
    let options = EncodeOptions::new().registry(&WORLD.registry);
    options.to_string(message).expect("what was read can be written");
    options.pretty().to_string(message).expect("what was read can be written")
}
