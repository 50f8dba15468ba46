//! Text format.

use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::text::{DecodeOptions, EncodeOptions, TextError, TextErrorKind};
use dunlin_protobuf::wkt::{Api, FileDescriptorProto, Struct};
use dunlin_protobuf::{Message, Reflect};

use crate::message::encode;
use crate::schema::WORLD;

/// Reads bytes as messages in text format: generated and dynamic ones accept the same text and
/// write the same, which is read back the same.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        // Comments, and strings for bytes, may be anything.
        let mut all = DynamicMessage::new(WORLD.table("t.All"));
        if DecodeOptions::new().registry(&WORLD.registry).merge_bytes(&mut all, data).is_ok() {
            write(&all);
        }
        return;
    };
    agree::<FileDescriptorProto>(text);
    agree::<Struct>(text);
    agree::<Api>(text);
    if let Ok(all) = dynamic("t.All", text) {
        again(&all);
    }
}

fn again(message: &DynamicMessage) {
    for written in write(message) {
        let again = dynamic(message.table().full_name(), &written).expect("what was written can be read");
        assert!(is_same(&again, message, &written), "reading loses nothing: {written}");
    }
}

fn agree<M: Message>(text: &str) {
    let generated = DecodeOptions::new().registry(&WORLD.registry).decode::<M>(text);
    match (generated, dynamic(M::FULL_NAME, text)) {
        (Ok(generated), Ok(dynamic)) => {
            let encoded = encode(&generated);
            assert!(encode(&dynamic) == encoded, "{}: both hold the same", M::FULL_NAME);
            assert_eq!(write(&generated), write(&dynamic));
            for written in write(&generated) {
                let again = DecodeOptions::new().registry(&WORLD.registry).decode::<M>(&written);
                assert!(
                    is_same(&again.expect("what was written can be read"), &generated, &written),
                    "{written}"
                );
            }
        }
        // In proto2, text need not be UTF-8: then a dynamic message holds bytes.
        (Err(generated), dynamic)
            if M::FULL_NAME == FileDescriptorProto::FULL_NAME
                && *generated.kind() == TextErrorKind::InvalidUtf8 =>
        {
            if let Err(error) = &dynamic {
                assert_ne!(*error.kind(), TextErrorKind::InvalidUtf8, "nothing here must be UTF-8");
            }
            dynamic.iter().for_each(again);
        }
        (Err(generated), Err(dynamic)) => assert_eq!(generated.to_string(), dynamic.to_string()),
        (generated, dynamic) => {
            panic!("{} is accepted by one: {:?}, {:?}", M::FULL_NAME, generated.err(), dynamic.err());
        }
    }
}

/// Whether a message is what it was before it was written. NaN is written without its sign; extensions
/// are written by number, however they came between each other; and unknown fields, which text cannot be
/// read with, are left out: those in an `Any` too. Such messages only print the same.
fn is_same(again: &dyn Reflect, before: &dyn Reflect, written: &str) -> bool {
    let is_lossy = written.contains("nan") || written.contains('[');
    write(again) == write(before) && (is_lossy || encode(again) == encode(before))
}

fn dynamic(name: &str, text: &str) -> Result<DynamicMessage, TextError> {
    let mut message = DynamicMessage::new(WORLD.table(name));
    DecodeOptions::new().registry(&WORLD.registry).merge(&mut message, text)?;
    Ok(message)
}

/// In all layouts.
fn write(message: &dyn Reflect) -> [String; 3] {
    let options = EncodeOptions::new().registry(&WORLD.registry);
    [options, options.single_line(true), options.ascii(true)].map(|options| options.to_string(message))
}
