//! What the options of the generator change, and what they must not.

use codegen_tests::{options, plain};
use dunlin_protobuf::bytes::Bytes;
use dunlin_protobuf::{DecodeOptions, Limits, Message, View, json, reflect, text};
use options::options as with;
use plain::options as without;

fn filled() -> with::Wrappers {
    with::Wrappers {
        bool: Some(false),
        bytes: Some(Bytes::from_static(b"\x00\xff")),
        double: Some(1.5),
        float: Some(0.0),
        int32: Some(-1),
        int64: Some(1 << 40),
        string: Some("text".into()),
        uint32: Some(0),
        uint64: Some(u64::MAX),
        choice: Some(with::wrappers::Choice::Text("chosen".into())),
        list: vec!["one".into(), "two".into()],
        by_name: [("a".into(), 7.into())].into(),
        kept: Some("kept".into()),
        ..Default::default()
    }
}

#[test]
fn wrapped_scalars_are_the_messages_on_the_wire_and_in_text() {
    for message in [
        with::Wrappers::default(),
        filled(),
        with::Wrappers { string: Some(String::new()), ..Default::default() },
        with::Wrappers { choice: Some(with::wrappers::Choice::Number(0)), ..Default::default() },
    ] {
        let bytes = message.encode_to_vec();
        let same = without::Wrappers::decode(&bytes).unwrap();
        assert_eq!(same.encode_to_vec(), bytes);
        assert_eq!(message.encoded_len(), bytes.len());
        assert_eq!(with::Wrappers::decode(&bytes).unwrap(), message);
        let json = json::to_string(&same).unwrap();
        assert_eq!(json::to_string(&message).unwrap(), json);
        assert_eq!(json::from_str::<with::Wrappers>(&json).unwrap(), message, "{json}");
        let text = text::to_string(&same);
        assert_eq!(text::to_string(&message), text);
        assert_eq!(text::from_str::<with::Wrappers>(&text).unwrap(), message, "{text}");
        let view = with::WrappersView::decode_view(&bytes).unwrap();
        assert_eq!(view.string, message.string.as_deref());
        assert_eq!(json::to_string(&view).unwrap(), json);
        assert_eq!(view.to_message(), message);
        // Another walk than that of generated code.
        assert_eq!(dunlin_protobuf::EncodeOptions::new().deterministic().encode_to_vec(&view), bytes);
        let mut copy = with::Wrappers::default();
        reflect::merge(&message, &mut copy);
        assert_eq!(copy, message);
        reflect::clear_all(&mut copy);
        assert_eq!(copy, with::Wrappers::default());
    }
}

#[test]
fn shared_strings_are_strings_in_every_format() {
    for text in
        ["", "short", "twenty-three bytes here", "twenty-four bytes are not", &"long \u{1f389}".repeat(300)]
    {
        let message = with::Texts {
            one: text.into(),
            maybe: Some(text.into()),
            list: vec![text.into(), "another text, which has to be long".into(), text.into()],
            map: [(text.into(), text.into()), ("key".into(), "value".into())].into(),
            hashed: [(1, text.into())].into(),
            choice: Some(with::texts::Choice::Chosen(text.into())),
            owned: text.to_owned(),
            wrapper: Some(text.to_owned()),
            ..Default::default()
        };
        let bytes = message.encode_to_vec();
        let same = without::Texts::decode(&bytes).unwrap();
        assert_eq!((&*same.one, same.maybe()), (text, message.maybe()));
        assert_eq!(same.encode_to_vec(), bytes);
        assert_eq!(with::Texts::decode(&bytes).unwrap(), message);
        assert_eq!(with::Texts::decode_bytes(&bytes.clone().into()).unwrap(), message);
        let json = json::to_string(&same).unwrap();
        assert_eq!(json::to_string(&message).unwrap(), json);
        assert_eq!(json::from_str::<with::Texts>(&json).unwrap(), message, "{json}");
        let form = text::to_string(&same);
        assert_eq!(text::to_string(&message), form);
        assert_eq!(text::from_str::<with::Texts>(&form).unwrap(), message, "{form}");
        let view = with::TextsView::decode_view(&bytes).unwrap();
        assert_eq!(view.to_message(), message);
        assert!(reflect::equal(&message, &view) && reflect::equal(&same, &message));
        // Merging appends to the list.
        let mut twice = message.clone();
        reflect::merge(&same, &mut twice);
        assert_eq!(twice.list, [&message.list[..], &message.list].concat());
        assert!(!reflect::equal(&twice, &message));
        reflect::clear_all(&mut twice);
        assert_eq!(twice, with::Texts::default());
        reflect::merge(&message, &mut twice);
        assert_eq!(twice, message);
    }
}

#[test]
fn vectors_of_bytes_are_bytes_in_every_format() {
    let long = vec![7; 5000];
    let message = with::Blobs {
        one: b"\x00\xff".to_vec(),
        maybe: Some(Vec::new()),
        list: vec![long.clone(), b"text".to_vec()],
        map: [("key".into(), long.clone())].into(),
        choice: Some(with::blobs::Choice::Chosen(long)),
        ..Default::default()
    };
    let bytes = message.encode_to_vec();
    let same = without::Blobs::decode(&bytes).unwrap();
    assert_eq!(same.encode_to_vec(), bytes);
    assert_eq!(with::Blobs::decode(&bytes).unwrap(), message);
    let json = json::to_string(&same).unwrap();
    assert_eq!(json::to_string(&message).unwrap(), json);
    assert_eq!(json::from_str::<with::Blobs>(&json).unwrap(), message, "{json}");
    let form = text::to_string(&same);
    assert_eq!(text::to_string(&message), form);
    assert_eq!(text::from_str::<with::Blobs>(&form).unwrap(), message, "{form}");
    let view = with::BlobsView::decode_view(&bytes).unwrap();
    assert_eq!(view.to_message(), message);
    assert!(reflect::equal(&message, &view) && reflect::equal(&same, &message));
    let mut copy = with::Blobs::default();
    reflect::merge(&same, &mut copy);
    assert_eq!(copy, message);
    reflect::clear_all(&mut copy);
    assert_eq!(copy, with::Blobs::default());
}

#[test]
fn shared_strings_obey_the_limits() {
    let message = without::Texts { list: vec!["x".repeat(5000); 10], ..Default::default() };
    let bytes = message.encode_to_vec();
    let options = |memory| DecodeOptions::new().limits(Limits::default().memory(memory, 0));
    assert!(options(40_000).decode::<with::Texts>(&bytes).is_err());
    assert!(options(60_000).decode::<with::Texts>(&bytes).is_ok());
    assert!(with::Texts::decode(&[0x0a, 1, 0xff]).is_err());
}

#[test]
fn wrapped_scalars_merge_as_the_messages_do() {
    // The wrapper comes twice, the second time without its field, and keeps the value of the first.
    let bytes = [0x3a, 3, 0x0a, 1, b'x', 0x3a, 0];
    assert_eq!(with::Wrappers::decode(&bytes).unwrap().string.as_deref(), Some("x"));
    assert_eq!(without::Wrappers::decode(&bytes).unwrap().string.unwrap().value, "x");
    // What a wrapper does not know is read past.
    let bytes = [0x3a, 5, 0x10, 1, 0x0a, 1, b'x'];
    assert_eq!(with::Wrappers::decode(&bytes).unwrap().string.as_deref(), Some("x"));
    assert_eq!(with::WrappersView::decode_view(&bytes).unwrap().string, Some("x"));
    assert!(with::Wrappers::decode(&[0x3a, 3, 0x0a, 9, b'x']).is_err());
    let null: with::Wrappers = json::from_str(r#"{"string": null}"#).unwrap();
    assert_eq!(null, with::Wrappers::default());
}

#[test]
fn large_bytes_in_wrappers_share_the_buffer() {
    let message = with::Wrappers { bytes: Some(vec![7; 1 << 16].into()), ..Default::default() };
    let encoded = message.encode_to_bytes();
    let back = with::Wrappers::decode_bytes(&encoded).unwrap();
    let bytes = back.bytes.unwrap();
    assert!(encoded.as_ptr_range().contains(&bytes.as_ptr()), "the bytes were copied");
}

#[test]
fn wrappers_without_text_need_no_view() {
    let numbers = with::Numbers {
        number: Some(3),
        choice: Some(with::numbers::Choice::Flag(true)),
        ..Default::default()
    };
    let bytes = numbers.encode_to_vec();
    assert_eq!(with::Numbers::decode_view(&bytes).unwrap(), numbers);
}

#[test]
fn boxes_are_where_the_options_say() {
    let boxes = with::Boxes {
        small: Some(Box::new(with::Small { x: 1, ..Default::default() })),
        plain: Some(with::Small::default()),
        large: Some(with::Large { a: "a".into(), ..Default::default() }),
        boxed: Some(Box::new(with::Large::default())),
        next: Some(Box::new(with::Boxes::default())),
        choice: Some(with::boxes::Choice::Chosen(Box::default())),
        ..Default::default()
    };
    let bytes = boxes.encode_to_vec();
    assert_eq!(with::Boxes::decode(&bytes).unwrap(), boxes);
    assert_eq!(without::Boxes::decode(&bytes).unwrap().encode_to_vec(), bytes);
    assert_eq!(with::BoxesView::decode_view(&bytes).unwrap().to_message(), boxes);
}

#[test]
fn enum_prefixes_are_taken_off_where_names_stay_apart() {
    use with::Status;
    use with::enums::{Collision, HTTPCode};
    assert_eq!(
        (Status::OPEN.0, Status::_2D.0, Status::CLOSED.0, Status::OPEN.name()),
        (1, 2, 3, Some("STATUS_OPEN"))
    );
    assert_eq!((Collision::UNKNOWN.0, Collision::A.0, Collision::COLLISION_A.0), (0, 1, 1));
    assert_eq!((Collision::COLLISION_A_.0, Collision::COLLISION_.0, Collision::SELF.0), (1, 4, 5));
    assert_eq!((HTTPCode::NONE.0, HTTPCode::_404.0), (0, 404));
    assert_eq!(without::Status::STATUS_OPEN.0, 1);
}

#[test]
fn serde_writes_and_reads_protojson() {
    let message = with::Serde {
        name: "a".into(),
        count: 1 << 60,
        status: with::Status::OPEN,
        note: Some("n".into()),
        ..Default::default()
    };
    let json = serde_json::to_value(&message).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"name": "a", "count": "1152921504606846976", "status": "STATUS_OPEN", "note": "n"})
    );
    assert_eq!(serde_json::from_value::<with::Serde>(json).unwrap(), message);
    let statuses = vec![with::Status::OPEN, with::Status(77)];
    assert_eq!(serde_json::to_string(&statuses).unwrap(), r#"["STATUS_OPEN",77]"#);
    assert_eq!(serde_json::from_str::<Vec<with::Status>>(r#"["STATUS_OPEN",77]"#).unwrap(), statuses);
    let error = serde_json::from_str::<with::Status>(r#""NO""#).unwrap_err().to_string();
    assert!(error.contains("a value of options.Status"), "{error}");
}

#[test]
fn attributes_reach_types_fields_and_oneofs() {
    fn hashable<T: std::hash::Hash + Eq>(_: &T) {}
    let message = with::Attributes {
        name: "n".into(),
        choice: Some(with::attributes::Choice::Text("t".into())),
        ..Default::default()
    };
    hashable(&message);
    hashable(&message.choice);
}

#[test]
fn messages_without_a_view_own_their_fields_in_the_views_of_others() {
    let message = with::WithView {
        name: "n".into(),
        inner: Some(with::WithoutView { name: "i".into(), ..Default::default() }),
        choice: Some(with::with_view::Choice::Chosen(with::WithoutView::default())),
        ..Default::default()
    };
    let bytes = message.encode_to_vec();
    let view = with::WithViewView::decode_view(&bytes).unwrap();
    let inner: &with::WithoutView = view.inner.as_ref().unwrap();
    assert_eq!((view.name, inner.name.as_str()), ("n", "i"));
    assert_eq!(view.to_message(), message);
}

#[test]
fn what_reflection_leaves_out_still_has_its_formats() {
    let hidden = with::Hidden { name: "n".into(), ..Default::default() };
    assert!(Message::as_reflect(&hidden).is_none());
    assert_eq!(json::to_string(&hidden).unwrap(), r#"{"name":"n"}"#);
    let mut registry = dunlin_protobuf::Registry::new();
    with::register(&mut registry);
    assert!(registry.message("options.Hidden").is_none());
    assert!(registry.message("options.Small").is_some());
}

#[test]
fn own_files_of_the_well_known_package_use_the_types_of_the_runtime() {
    use options::google::protobuf::{Appointment, Kind};
    let appointment = Appointment {
        at: Some(dunlin_protobuf::wkt::Timestamp { seconds: 42, ..Default::default() }),
        nothing: dunlin_protobuf::wkt::NullValue::NULL_VALUE,
        kind: Kind::MEETING,
        ..Default::default()
    };
    assert_eq!(Appointment::FULL_NAME, "google.protobuf.Appointment");
    assert_eq!(Appointment::decode(&appointment.encode_to_vec()).unwrap(), appointment);
}

#[test]
fn embedded_descriptors_make_a_pool() {
    use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
    use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
    let set = FileDescriptorSet::decode(options::FILE_DESCRIPTOR_SET).unwrap();
    let pool = DynamicPool::from_file_descriptor_set(set).unwrap();
    let message = pool.descriptors().message(with::Small::FULL_NAME).unwrap();
    assert_eq!(message.proto().unwrap().field[0].name.as_deref(), Some("x"));
    let bytes = with::Small { x: 5, ..Default::default() }.encode_to_vec();
    let dynamic = DynamicMessage::decode(pool.message(with::Small::FULL_NAME).unwrap(), &bytes).unwrap();
    assert_eq!(json::to_string(&dynamic).unwrap(), r#"{"x":5}"#);
}

#[test]
fn a_schema_may_say_options_itself() {
    use plain::custom::{Custom, Kind, Leaf, Whole, custom};
    fn hashable<T: std::hash::Hash + Eq>(_: &T) {}
    let leaf = Leaf { kind: Kind::LEAF, ..Default::default() };
    hashable(&leaf);
    hashable(&custom::Choice::Number(1));
    assert_eq!(Whole::WHOLE_UNKNOWN.0, 0);
    let message = Custom {
        name: Some("n".into()),
        kept: Some("k".into()),
        leaf: Some(Box::new(leaf)),
        choice: Some(custom::Choice::Number(1)),
        counts: std::collections::HashMap::from([("a".into(), 1)]),
        ..Default::default()
    };
    let json = serde_json::to_string(&message).unwrap();
    assert_eq!(json, r#"{"name":"n","kept":"k","leaf":{"kind":"KIND_LEAF"},"number":1,"counts":{"a":1}}"#);
    assert_eq!(Custom::decode(&message.encode_to_vec()).unwrap(), message);
    // The longer path counts, here that of the schema.
    assert_eq!(options::custom::Whole::WHOLE_UNKNOWN.0, 0);
}
