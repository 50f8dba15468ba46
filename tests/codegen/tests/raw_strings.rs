//! Strings whose schema does not ask for UTF-8: as bytes by the option `raw_strings`, and in dynamic messages.

use codegen_tests::{options, plain};
use dunlin_protobuf::bytes::Bytes;
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::reflect::{self, TypeMismatch, Value};
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::{
    DecodeErrorKind, DecodeOptions, EncodeOptions, Extend, Fields, Limits, Message, Reflect, Registry, View,
    json, text,
};
use options::raw as with;
use plain::raw as without;

/// Latin-1, of which no byte sequence is UTF-8 by chance.
const LATIN: &[u8] = b"caf\xe9";

/// A message with `text` in every string that the option covers.
fn filled(text: &'static [u8]) -> with::Texts {
    let shared = Bytes::from_static(text);
    let mut message = with::Texts {
        one: Some(shared.clone()),
        needed: Some(shared.clone()),
        list: vec![Bytes::from_static(b"plain"), shared.clone(), Bytes::new(), shared.clone()],
        map: [(shared.clone(), shared.clone()), (Bytes::from_static(b"key"), Bytes::from_static(b"value"))]
            .into(),
        hashed: [(text.to_vec(), text.to_vec())].into(),
        choice: Some(with::texts::Choice::Chosen(shared.clone())),
        preset: Some(shared.clone()),
        owned: Some("owned".into()),
        vec: Some(text.to_vec()),
        nested: [(shared.clone(), with::Texts { needed: Some(shared.clone()), ..Default::default() })].into(),
        ..Default::default()
    };
    message.set_extension(with::NOTE, &shared);
    message.set_extension(with::NOTES, &vec![Bytes::from_static(b"plain"), shared]);
    message
}

fn pool() -> std::sync::Arc<DynamicPool> {
    let set = FileDescriptorSet::decode(options::FILE_DESCRIPTOR_SET).unwrap();
    DynamicPool::from_file_descriptor_set(set).unwrap()
}

fn dynamic(bytes: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(pool().message("raw.Texts").unwrap(), bytes).unwrap()
}

fn deterministic(message: &dyn Reflect) -> Vec<u8> {
    EncodeOptions::new().deterministic().encode_to_vec(message)
}

#[test]
fn what_is_not_utf8_is_kept_by_generated_borrowed_and_dynamic_messages() {
    for content in [LATIN, b"", b"text", b"\xff", b"\xed\xa0\x80", &[0x80; 5000]] {
        let message = filled(content);
        let bytes = message.encode_to_vec();
        assert_eq!(bytes.len(), message.encoded_len());
        assert_eq!(with::Texts::decode(&bytes).unwrap(), message);
        assert_eq!(with::Texts::decode_bytes(&bytes.clone().into()).unwrap(), message);

        let view = with::TextsView::decode_view(&bytes).unwrap();
        assert_eq!(view.one, Some(content));
        assert_eq!(view.to_message(), message);
        assert_eq!(deterministic(&view), bytes);

        let found = dynamic(&bytes);
        assert_eq!(deterministic(&found), bytes);
        assert_eq!(found.encode_to_vec(), bytes);
        assert!(reflect::equal(&found, &message) && reflect::equal(&message, &found));

        let mut copy = with::Texts::default();
        reflect::merge(&found, &mut copy);
        assert_eq!(copy, message);
        let mut copy = DynamicMessage::new(found.table());
        reflect::merge(&message, &mut copy);
        assert_eq!(copy, found);
        reflect::clear_all(&mut copy);
        assert_eq!(copy, DynamicMessage::new(found.table()));
    }
}

#[test]
fn without_the_option_such_a_message_is_refused() {
    for content in [LATIN, b"\xff"] {
        let bytes = filled(content).encode_to_vec();
        let error = without::Texts::decode(&bytes).unwrap_err();
        assert_eq!(*error.kind(), DecodeErrorKind::InvalidUtf8);
        assert_eq!(error.path(), "raw.Texts.one");
        assert!(without::TextsView::decode_view(&bytes).is_err());
    }
    let text = filled(b"text").encode_to_vec();
    assert_eq!(without::Texts::decode(&text).unwrap().encode_to_vec(), text);
}

#[test]
fn a_string_that_is_to_be_utf8_is_refused_beside_one_that_need_not() {
    let one = |number: u8| [number << 3 | 2, 1, 0xff];
    let decode = options::raw2023::Texts::decode;
    assert_eq!(
        decode(&one(1)).unwrap_err().to_string(),
        "raw2023.Texts.checked: text is not valid UTF-8, at byte 3"
    );
    assert_eq!(decode(&one(2)).unwrap().free.as_deref(), Some(&b"\xff"[..]));
    assert_eq!(&*decode(&one(3)).unwrap().alone, b"\xff");
    let table = pool().message("raw2023.Texts").unwrap();
    for (number, is_fine) in [(1, false), (2, true), (3, true)] {
        let decoded = DynamicMessage::decode(table.clone(), &one(number));
        assert_eq!(decoded.is_ok_and(|message| message.encode_to_vec() == one(number)), is_fine, "{number}");
    }
    // A field of the same message that the option does not cover.
    assert!(with::Texts::decode(&[0x12, 0, 9 << 3 | 2, 1, 0xff]).is_err());
}

#[test]
fn text_format_has_escapes_for_it() {
    for content in [LATIN, b"caf\xc3\xa9", b"\xff\0\""] {
        let mut registry = Registry::new();
        with::register(&mut registry);
        let message = filled(content);
        let found = dynamic(&message.encode_to_vec());
        let written = text::EncodeOptions::new().registry(&registry).to_string(&message);
        assert_eq!(text::EncodeOptions::new().registry(&registry).to_string(&found), written);
        let read = text::DecodeOptions::new().registry(&registry);
        assert_eq!(read.decode::<with::Texts>(&written).unwrap(), message);
        let mut copy = DynamicMessage::new(found.table());
        read.merge(&mut copy, &written).unwrap();
        assert_eq!(copy, found);
        let refused = text::from_str::<without::Texts>(&text::to_string(&message));
        assert_eq!(refused.is_ok(), core::str::from_utf8(content).is_ok());
    }
    assert!(text::to_string(&filled(LATIN)).starts_with("one: \"caf\\351\"\n"));
    assert!(text::to_string(&filled("café".as_bytes())).starts_with("one: \"café\"\n"));
}

#[test]
fn json_is_as_of_strings_and_refuses_what_it_cannot_write() {
    let message = filled("café".as_bytes());
    let bytes = message.encode_to_vec();
    let written = json::to_string(&message).unwrap();
    assert_eq!(json::to_string(&without::Texts::decode(&bytes).unwrap()).unwrap(), written);
    assert_eq!(json::to_string(&dynamic(&bytes)).unwrap(), written);
    let mut read = json::from_str::<with::Texts>(&written).unwrap();
    // Extensions are not known here.
    read.unknown_fields = message.unknown_fields.clone();
    assert_eq!(read, message);

    let latin = Bytes::from_static(LATIN);
    let refused = |message: with::Texts| {
        let bytes = message.encode_to_vec();
        let error = json::to_string(&message).unwrap_err().to_string();
        let partial = DecodeOptions::new().partial();
        let mut found = DynamicMessage::new(pool().message("raw.Texts").unwrap());
        partial.merge_into(&mut found, &bytes).unwrap();
        assert_eq!(json::to_string(&found).unwrap_err().to_string(), error);
        error
    };
    let one = with::Texts { one: Some(latin.clone()), ..Default::default() };
    assert_eq!(refused(one), "$.one: the text is not valid UTF-8");
    let list = with::Texts { list: vec![Bytes::new(), latin.clone()], ..Default::default() };
    assert_eq!(refused(list), "$.list[1]: the text is not valid UTF-8");
    let key = with::Texts { map: [(latin.clone(), Bytes::new())].into(), ..Default::default() };
    assert_eq!(refused(key), "$.map[\"caf\u{fffd}\"]: the text is not valid UTF-8");
    let value = with::Texts { map: [(Bytes::from_static(b"k"), latin)].into(), ..Default::default() };
    assert_eq!(refused(value), "$.map[\"k\"]: the text is not valid UTF-8");
}

#[test]
fn a_field_may_be_text_first_and_bytes_then() {
    // A field that comes twice, an entry whose key comes twice: the last counts.
    let bytes =
        [&[0x12, 0][..], b"\x0a\x02ab\x0a\x01\xff\x0a\x01c", b"\x22\x08\x0a\x01\xff\x0a\x03abc"].concat();
    let message = with::Texts::decode(&bytes).unwrap();
    assert_eq!(message.one(), b"c");
    assert_eq!(message.map.keys().next().unwrap(), &b"abc"[..]);
    assert_eq!(dynamic(&bytes).encode_to_vec(), message.encode_to_vec());

    // Keys are one key, however they came.
    let bytes = [&[0x12, 0][..], b"\x22\x03\x0a\x01a", b"\x22\x06\x0a\x01\xff\x0a\x01a"].concat();
    assert_eq!(dynamic(&bytes).encode_to_vec(), with::Texts::decode(&bytes).unwrap().encode_to_vec());
    assert_eq!(with::Texts::decode(&bytes).unwrap().map.len(), 1);

    // A run that is interrupted goes on.
    let bytes = [&[0x12, 0][..], b"\x1a\x01a", b"\x0a\x01x", b"\x1a\x01\xff\x1a\x01b\x1a\x01\xfe"].concat();
    assert_eq!(with::Texts::decode(&bytes).unwrap().list, [&b"a"[..], b"\xff", b"b", b"\xfe"]);
    assert_eq!(dynamic(&bytes).encode_to_vec(), with::Texts::decode(&bytes).unwrap().encode_to_vec());
}

#[test]
fn reflection_sets_text_and_bytes() {
    let mut message = dynamic(&[0x12, 0]);
    let index = |name| message.table().index_of_name(name).unwrap();
    let (one, owned, list) = (index("one"), index("owned"), index("list"));
    reflect::set(&mut message, one, Value::Bytes(Bytes::from_static(b"text"))).unwrap();
    assert!(matches!(message.slot_ref(one), SlotRef::String("text")));
    reflect::set(&mut message, one, Value::Bytes(Bytes::from_static(LATIN))).unwrap();
    assert!(matches!(message.slot_ref(one), SlotRef::Bytes(LATIN)));
    reflect::set(&mut message, one, Value::String("text".into())).unwrap();
    reflect::set(&mut message, owned, Value::Bytes(Bytes::from_static(LATIN))).unwrap();
    reflect::set(&mut message, list, Value::String("text".into())).unwrap();
    reflect::set(&mut message, list, Value::Bytes(Bytes::from_static(LATIN))).unwrap();
    reflect::set(&mut message, list, Value::String("text".into())).unwrap();
    assert_eq!(message.slot_ref(list).byte_slices().unwrap(), [b"text", LATIN, b"text"]);

    let mut generated = with::Texts::default();
    reflect::set(&mut generated, one, Value::String("text".into())).unwrap();
    reflect::set(&mut generated, list, Value::Bytes(Bytes::from_static(LATIN))).unwrap();
    assert_eq!((generated.one(), &*generated.list), (&b"text"[..], &[Bytes::from_static(LATIN)][..]));
    let latin = Value::Bytes(Bytes::from_static(LATIN));
    assert_eq!(reflect::set(&mut generated, owned, latin.clone()), Err(TypeMismatch));
    assert_eq!(reflect::set(&mut without::Texts::default(), one, latin), Err(TypeMismatch));
}

#[test]
fn extensions_are_kept_and_read() {
    let mut registry = Registry::new();
    with::register(&mut registry);
    let message = filled(LATIN);
    let bytes = message.encode_to_vec();
    let decoded: with::Texts = DecodeOptions::new().registry(&registry).decode(&bytes).unwrap();
    assert_eq!(decoded.extension(with::NOTE).unwrap().unwrap(), LATIN);
    assert_eq!(decoded.extension(with::NOTES).unwrap().unwrap(), [b"plain" as &[u8], LATIN]);
    // The same, known from descriptors alone.
    let pool = pool();
    let mut registry = Registry::new();
    registry.add_pool(pool.clone());
    let mut found = DynamicMessage::new(pool.message("raw.Texts").unwrap());
    DecodeOptions::new().registry(&registry).merge_into(&mut found, &bytes).unwrap();
    assert_eq!(found.encode_to_vec(), bytes);
    // Those of a schema without the option are checked.
    let mut registry = Registry::new();
    without::register(&mut registry);
    let note = [&[0x12, 0, 0xa2, 0x06, LATIN.len() as u8][..], LATIN].concat();
    assert!(DecodeOptions::new().registry(&registry).decode::<without::Texts>(&note).is_err());
}

#[test]
fn a_field_mask_copies_it() {
    use dunlin_protobuf::wkt::FieldMask;
    let message = filled(LATIN);
    let found = dynamic(&message.encode_to_vec());
    let paths = ["one", "list", "chosen", "map", "needed", "owned"];
    let mask = FieldMask { paths: paths.map(String::from).into(), ..Default::default() };
    let want = with::Texts {
        one: message.one.clone(),
        list: message.list.clone(),
        choice: message.choice.clone(),
        map: message.map.clone(),
        needed: message.needed.clone(),
        owned: message.owned.clone(),
        ..Default::default()
    };
    let mut generated = with::Texts { one: Some(Bytes::new()), ..Default::default() };
    mask.apply(&found, &mut generated).unwrap();
    assert_eq!(generated, want);
    let mut other = DynamicMessage::new(found.table());
    mask.apply(&message, &mut other).unwrap();
    assert!(reflect::equal(&other, &want));
    let mut other = DynamicMessage::new(found.table());
    mask.apply(&found, &mut other).unwrap();
    assert!(reflect::equal(&other, &want));
}

#[test]
fn what_a_message_cannot_hold_is_left_out_of_it() {
    let bytes = filled(LATIN).encode_to_vec();
    let before = without::Texts {
        one: Some("one".into()),
        list: vec!["list".into()],
        map: [("".into(), "empty".into()), ("key".into(), "old".into())].into(),
        choice: Some(without::texts::Choice::Number(5)),
        ..Default::default()
    };
    let mut merged = before.clone();
    reflect::merge(&dynamic(&bytes), &mut merged);
    assert_eq!(merged.one, before.one);
    assert_eq!(merged.list, ["list", "plain", ""]);
    assert_eq!(merged.map, [("".into(), "empty".into()), ("key".into(), "value".into())].into());
    assert_eq!(merged.choice, before.choice);
    assert_eq!(merged.needed, None);
    assert_eq!(merged.owned.as_deref(), Some("owned"));
    assert!(merged.nested.is_empty());
}

#[test]
fn a_default_need_not_be_utf8() {
    assert_eq!(with::Texts::default().odd(), LATIN);
    assert_eq!(with::Texts::default().preset(), b"preset \"text\"");
    // What holds text cannot give it.
    assert_eq!(without::Texts::default().odd(), "");
    assert_eq!(without::Texts::default().preset(), "preset \"text\"");
}

#[test]
fn what_was_bytes_is_text_again() {
    let mut message = dynamic(b"\x12\0\x0a\x01\xff\x0a\x01x");
    let one = message.table().index_of_name("one").unwrap();
    assert!(matches!(message.slot_ref(one), SlotRef::String("x")));
    reflect::clear(&mut message, one);
    assert!(matches!(message.slot_ref(one), SlotRef::Absent));
    reflect::store(message.slot(one), Value::String("text".into())).unwrap();
    assert!(matches!(message.slot_ref(one), SlotRef::String("text")));
    assert_eq!(message.encode_to_vec(), b"\x0a\x04text\x12\0");
    // What tests show of a message is the message, not the schema.
    assert_eq!(format!("{message:?}"), "raw.Texts { one: \"text\" needed: \"\" }");
}

#[test]
fn limits_hold_when_text_becomes_bytes() {
    let texts = |last| [b"\x12\0".to_vec(), b"\x1a\x01a".repeat(100_000), vec![0x1a, 1, last]].concat();
    let limits = Limits::default().memory(5_000_000, 0);
    let table = pool().message("raw.Texts").unwrap();
    for (last, is_enough) in [(b'a', true), (0xff, false)] {
        let options = DecodeOptions::new().limits(limits);
        let decoded = DynamicMessage::decode_with(table.clone(), &texts(last), &options);
        assert_eq!(decoded.is_ok(), is_enough);
        let written = format!("needed: '' list: [{} '\\{last:03o}']", "'a',".repeat(100_000));
        let mut read = DynamicMessage::new(table.clone());
        assert_eq!(text::DecodeOptions::new().limits(limits).merge(&mut read, &written).is_ok(), is_enough);
    }
    let decoded = DynamicMessage::decode(table, &texts(0xff)).unwrap();
    assert_eq!(decoded.encode_to_vec(), texts(0xff));
}

#[test]
fn limits_hold_for_bytes() {
    let message = with::Texts { list: vec![Bytes::from(vec![0xff; 5000]); 10], ..filled(b"") };
    let bytes = message.encode_to_vec();
    let table = pool().message("raw.Texts").unwrap();
    for (memory, is_enough) in [(45_000, false), (200_000, true)] {
        let options = DecodeOptions::new().limits(Limits::default().memory(memory, 0));
        assert_eq!(options.decode::<with::Texts>(&bytes).is_ok(), is_enough);
        assert_eq!(DynamicMessage::decode_with(table.clone(), &bytes, &options).is_ok(), is_enough);
    }
}
