//! One type, three forms: generated, borrowed, dynamic.

use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::wkt::{Api, FileDescriptorProto, Struct};
use dunlin_protobuf::{DecodeErrorKind, EncodeOptions, Message, Reflect, View};

use crate::schema::WORLD;

/// Reads bytes as messages: the three forms accept the same bytes and encode the same. But of proto2, where text need
/// not be UTF-8, only the dynamic message keeps what is not.
pub fn message(data: &[u8]) {
    agree::<FileDescriptorProto>(data);
    agree::<Struct>(data);
    agree::<Api>(data);
    if let Ok(all) = DynamicMessage::decode(WORLD.table("t.All"), data) {
        again(&all);
    }
}

fn again(message: &DynamicMessage) {
    let encoded = encode(message);
    let again = DynamicMessage::decode(message.table(), &encoded).expect("what was encoded can be decoded");
    assert!(encode(&again) == encoded, "decoding loses nothing");
}

fn agree<M: Message>(data: &[u8]) {
    let generated = M::decode(data);
    let view = M::View::decode_view(data);
    let dynamic = DynamicMessage::decode(WORLD.table(M::FULL_NAME), data);
    match (generated, view, dynamic) {
        (Ok(generated), Ok(view), Ok(dynamic)) => {
            // Bytes, since NaN is not equal to itself.
            let encoded = encode(&generated);
            assert!(encode(&dynamic) == encoded, "{}: the dynamic message encodes the same", M::FULL_NAME);
            assert!(encode(&view) == encoded, "{}: the view encodes the same", M::FULL_NAME);
            assert!(encode(&view.to_message()) == encoded, "{}: a view can be copied", M::FULL_NAME);
            assert_eq!(generated.encoded_len(), generated.encode_to_vec().len());
            let again = M::decode(&encoded).expect("what was encoded can be decoded");
            assert!(encode(&again) == encoded, "{}: decoding loses nothing", M::FULL_NAME);
        }
        (Err(generated), Err(view), dynamic)
            if M::FULL_NAME == FileDescriptorProto::FULL_NAME
                && *generated.kind() == DecodeErrorKind::InvalidUtf8 =>
        {
            assert_eq!(generated.to_string(), view.to_string(), "{}", M::FULL_NAME);
            if let Err(error) = &dynamic {
                assert_ne!(*error.kind(), DecodeErrorKind::InvalidUtf8, "nothing here must be UTF-8");
            }
            dynamic.iter().for_each(again);
        }
        (Err(generated), Err(view), Err(dynamic)) => {
            assert_eq!(generated.to_string(), view.to_string(), "{}", M::FULL_NAME);
            assert_eq!(generated.to_string(), dynamic.to_string(), "{}", M::FULL_NAME);
        }
        (generated, view, dynamic) => panic!(
            "{} is accepted by some: generated {:?}, view {:?}, dynamic {:?}",
            M::FULL_NAME,
            generated.err(),
            view.err(),
            dynamic.err()
        ),
    }
}

/// With maps in order.
pub(crate) fn encode(message: &dyn Reflect) -> Vec<u8> {
    EncodeOptions::new().deterministic().encode_to_vec(message)
}
