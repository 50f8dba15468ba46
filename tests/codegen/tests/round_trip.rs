//! Every awkward message, filled by reflection, survives each encoding.
#![allow(deprecated)] // Some of the schemas deprecate what is tested.

use codegen_tests::awkward;
use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::slot::{Slot, SlotRef};
use dunlin_protobuf::table::Shape;
use dunlin_protobuf::{Extend, Fields, Message, Reflect, View, json, text};

/// Sets every field, and messages down to `depth`; below it what is required.
fn fill(message: &mut dyn Fields<'_>, depth: usize) {
    let table = message.table();
    // JSON knows only some values of these.
    if ["google.protobuf.Any", "google.protobuf.Timestamp"].contains(&table.full_name()) {
        return;
    }
    for (index, field) in table.fields().iter().enumerate() {
        let is_deep = depth == 0 && (field.kind().is_message() || field.cardinality() == Shape::Map);
        if !is_deep || field.cardinality() == Shape::Required {
            fill_slot(message.slot(index), depth.saturating_sub(1));
        }
    }
}

fn fill_slot(slot: Slot<'_, '_>, depth: usize) {
    // The first that a closed enum has.
    let any_enum = |set: &mut dyn FnMut(i32) -> bool| assert!([1, 5, 3, 10, -1, 0].into_iter().any(set));
    match slot {
        Slot::Bool(v) => *v = true,
        Slot::I32(v) => *v = 1,
        Slot::I64(v) => *v = -1 << 40,
        Slot::U32(v) => *v = u32::MAX,
        Slot::U64(v) => *v = 1 << 60,
        Slot::F32(v) => *v = 1.5,
        Slot::F64(v) => *v = -2.25,
        Slot::String(v) => *v = "text \u{1f389}".into(),
        Slot::Bytes(v) => *v = vec![0, 255, b'"'].into(),
        Slot::OptBool(v) => *v = Some(false),
        Slot::OptI32(v) => *v = Some(-1),
        Slot::OptI64(v) => *v = Some(0),
        Slot::OptU32(v) => *v = Some(7),
        Slot::OptU64(v) => *v = Some(u64::MAX),
        Slot::OptF32(v) => *v = Some(0.5),
        Slot::OptF64(v) => *v = Some(1e100),
        Slot::OptString(v) => *v = Some("optional".into()),
        Slot::OptBytes(v) => *v = Some(vec![1, 2].into()),
        Slot::Bools(v) => *v = vec![true, false],
        Slot::I32s(v) => *v = vec![1, 0],
        Slot::I64s(v) => *v = vec![i64::MIN, 2],
        Slot::U32s(v) => *v = vec![1, 2],
        Slot::U64s(v) => *v = vec![1, 2],
        Slot::F32s(v) => *v = vec![1.0, 2.0],
        Slot::F64s(v) => *v = vec![1.0, 2.0],
        Slot::Strings(v) => *v = vec!["a".into(), String::new()],
        Slot::BytesList(v) => *v = vec![vec![1].into(), vec![].into()],
        Slot::Enum(v) => any_enum(&mut |number| v.set(number)),
        Slot::Enums(v) => any_enum(&mut |number| v.push(number)),
        Slot::Present(v) => fill(v, depth),
        Slot::Message(v) => fill(v.get_or_insert(), depth),
        Slot::Messages(v) => fill(v.push(), depth),
        Slot::Map(v) => v.insert(&mut |entry| {
            fill_slot(entry.key(), depth);
            fill_slot(entry.value(), depth);
            true
        }),
        Slot::Shared(_)
        | Slot::OptShared(_)
        | Slot::SharedList(_)
        | Slot::ByteVec(_)
        | Slot::OptByteVec(_)
        | Slot::ByteVecs(_)
        | Slot::Str(_)
        | Slot::OptStr(_)
        | Slot::Strs(_)
        | Slot::Slice(_)
        | Slot::OptSlice(_)
        | Slot::Slices(_) => {
            unreachable!("owned messages borrow nothing, and those options are off")
        }
    }
}

fn round_trip<M: Message + PartialEq + std::fmt::Debug>() {
    let mut message = M::default();
    // Hundreds of fields of the type itself grow fast.
    fill(&mut message, if M::message_table().fields().len() > 100 { 1 } else { 3 });
    let bytes = message.encode_to_vec();
    assert_eq!(bytes.len(), message.encoded_len(), "{}", M::FULL_NAME);
    assert_eq!(M::decode(&bytes).unwrap(), message, "{}", M::FULL_NAME);
    assert_eq!(M::View::decode_view(&bytes).unwrap().to_message().encode_to_vec(), bytes, "{}", M::FULL_NAME);
    let reflect = Message::as_reflect(&message).expect("reflection is on");
    assert_eq!(reflect.table().full_name(), M::FULL_NAME);
    let json = json::to_string(&message).unwrap();
    assert_eq!(json::from_str::<M>(&json).unwrap(), message, "{json}");
    let text = text::to_string(reflect);
    assert_eq!(text::from_str::<M>(&text).unwrap(), message, "{text}");
    // And with nothing in it, unless something is required.
    let empty = M::default();
    if !M::message_table().has_required_fields() {
        assert_eq!(M::decode(&empty.encode_to_vec()).unwrap(), empty);
        assert_eq!(json::from_str::<M>(&json::to_string(&empty).unwrap()).unwrap(), empty);
    }
}

macro_rules! round_trips {
    ($($test:ident: $module:path { $($name:ty,)* })*) => {$(
        #[test]
        fn $test() {
            #[allow(unused_imports)]
            use $module::*;
            $(round_trip::<$name>();)*
        }
    )*};
}

round_trips! {
    collisions: awkward {
        Collisions, Collisions_, COLLISIONS, B, b_::C, b::C, FooView, Foo, FooBar, FooBar_, Oneofs, oneofs::Choice,
        oneofs::ChoiceView, TABLE, Register,
    }
    package_that_differs_in_case: awkward::b_b::r#mod::r#type::self_::self_ { Deep, }
    keywords: awkward::r#fn::crate_::super_::r#async { Self_, self_::Super, Type, r#type::Match, Struct, Words, }
    names_of_the_prelude: awkward::std {
        awkward::std::Option, awkward::std::Vec, awkward::std::String, awkward::std::Box,
        awkward::std::Default, awkward::std::Result, awkward::std::Ok, awkward::std::None,
        awkward::std::Self_, awkward::std::Clone, awkward::std::Message, awkward::std::View,
        awkward::std::Fields, awkward::std::Reflect, awkward::std::Bytes, awkward::std::Slot,
        awkward::std::SlotRef, awkward::std::UnknownFields, awkward::std::Enumeration,
        awkward::std::FieldTable, awkward::std::Context, awkward::std::BTreeMap,
        awkward::std::Core, awkward::std::Bytes_, awkward::std::DunlinProtobuf,
        awkward::std::I32, awkward::std::Str, awkward::std::Str_,
    }
    cycles: awkward::cycles { Direct, A, B, C, ByMap, ByOneof, ByList, NoStrings, Empty, }
    maps: awkward::maps { Keys, Values, Hashed, }
    enums: awkward::enums { Enums, }
    defaults: awkward::defaults { Defaults, Required, Required2, Below, below::Piece, }
    editions: awkward::mixed { Two, two::Grp, two::List, two::Scope, Old, Set, InSet, Three, E23, E24, }
    comments: awkward::comments { Comments, }
    large: awkward::large { Large, Choices, }
    nesting: awkward::nesting {
        Level0, level0::Level1,
        level0::level1::level2::level3::level4::level5::level6::level7::level8::level9::Level10,
        Nothing, Same, same::Same, same::same::Same,
    }
    across_crates: awkward::uses { Holder, }
    without_a_package: codegen_tests { NoPackage, no_package::Inner, }
}

#[test]
fn fields_that_collide_round_trip_outside_json() {
    // Their JSON names are the same, which the schema allows by a legacy option.
    let mut message = awkward::Fields::default();
    fill(&mut message, 2);
    assert_eq!(awkward::Fields::decode(&message.encode_to_vec()).unwrap(), message);
    assert_eq!(text::from_str::<awkward::Fields>(&text::to_string(&message)).unwrap(), message);
}

#[test]
fn defaults_are_those_of_the_schema() {
    let empty = awkward::defaults::Defaults::default();
    assert_eq!(empty.text(), "Zwölf Boxkämpfer \"jagen\" \\ \n\t\0 日本 \u{202e} {} {x}");
    assert_eq!(empty.data(), b"\0\xff\"'\\n\n");
    assert_eq!((empty.inf(), empty.ninf()), (f32::INFINITY, f32::NEG_INFINITY));
    assert!(empty.nan().is_nan() && empty.neg_zero().is_sign_negative());
    assert_eq!((empty.large(), empty.small(), empty.whole()), (1e300, -1.5e-10, 3.0));
    assert_eq!((empty.min32(), empty.min64(), empty.max64()), (i32::MIN, i64::MIN, u64::MAX));
    assert!(empty.yes());
    assert_eq!(empty.needed(), 7);
    assert!(awkward::defaults::Defaults::decode(&[]).is_err(), "a field is required");
}

#[test]
fn required_fields_are_missed_wherever_a_message_was_made() {
    use awkward::defaults::{Below, BelowView, Required2};
    let decode = |bytes: &[u8]| {
        let generated = Below::decode(bytes).is_ok();
        assert_eq!(BelowView::decode_view(bytes).is_ok(), generated, "{bytes:x?}");
        let table = Below::default().table();
        assert_eq!(DynamicMessage::decode(table, bytes).is_ok(), generated, "{bytes:x?}");
        generated
    };
    assert!(decode(&[]));
    let whole = Required2 { c: Some(vec![1].into()), ..Default::default() }.encode_to_vec();
    for number in [1, 3] {
        let tag = number << 3 | 2;
        assert!(!decode(&[tag, 0]));
        assert!(decode(&[&[tag, 3][..], &whole].concat()));
    }
    // Entries: with a key and no value, without anything, with a value that is empty, with one that is whole.
    assert!(!decode(&[0x12, 3, 0x0a, 1, b'k']));
    assert!(!decode(&[0x12, 0]));
    assert!(!decode(&[0x12, 2, 0x12, 0]));
    assert!(decode(&[&[0x12, 5, 0x12, 3][..], &whole].concat()));
    assert!(!decode(&[0x23, 0x24]));
    assert!(decode(&[0x23, 0x08, 1, 0x24]));
    // What was missing before is still missing when something else is merged in.
    let mut partial = Below { one: Some(Required2::default()), ..Default::default() };
    assert!(partial.merge(&[]).is_err());
    assert!(partial.merge(&[&[0x1a, 3][..], &whole].concat()).is_ok());
}

#[test]
fn entries_with_numbers_that_a_closed_enum_lacks_are_kept_and_counted_once() {
    use awkward::enums::{Alias, Enums, EnumsView};
    let alias = vec![0x10, 0x00];
    let unknown = [0x4a, 5, 0x0a, 1, b'k', 0x10, 99].repeat(3000);
    let bytes = [alias.clone(), unknown.clone(), vec![0x4a, 5, 0x0a, 1, b'l', 0x10, 1]].concat();
    let limits = dunlin_protobuf::Limits::default().elements(3001).memory(1_000_000, 1);
    let options = dunlin_protobuf::DecodeOptions::new().limits(limits);
    let message: Enums = options.decode(&bytes).unwrap();
    assert_eq!(message.named.iter().collect::<Vec<_>>(), [(&"l".to_string(), &Alias::STARTED)]);
    assert_eq!(message.encode_to_vec(), [alias, vec![0x4a, 5, 0x0a, 1, b'l', 0x10, 1], unknown].concat());
    let view: EnumsView<'_> = options.decode_view(&bytes).unwrap();
    assert_eq!(view.to_message(), message);
    let dynamic = DynamicMessage::decode_with(message.table(), &bytes, &options).unwrap();
    assert_eq!(dynamic.encode_to_vec(), message.encode_to_vec());
    let fewer = dunlin_protobuf::DecodeOptions::new().limits(limits.elements(3000));
    assert!(fewer.decode::<Enums>(&bytes).is_err() && fewer.decode_view::<EnumsView<'_>>(&bytes).is_err());
}

#[test]
fn dynamic_messages_of_generated_types_keep_numbers_that_a_closed_enum_lacks() {
    use awkward::enums::Enums;
    // Singular, in a list (packed and not), in a oneof, and none of them with a name.
    for bytes in [&[0x08, 99][..], &[0x1a, 2, 99, 98], &[0x18, 99], &[0x30, 99], &[0x08, 0x00, 0x08, 99]] {
        let bytes = [&[0x10, 0x00], bytes].concat();
        let message = Enums::decode(&bytes).unwrap();
        let dynamic = DynamicMessage::decode(message.table(), &bytes).unwrap();
        assert_eq!(dynamic.encode_to_vec(), message.encode_to_vec(), "{bytes:x?}");
        for index in 0..message.table().fields().len() {
            let (own, other) = (message.slot_ref(index), dynamic.slot_ref(index));
            assert_eq!(
                matches!(own, SlotRef::Absent),
                matches!(other, SlotRef::Absent),
                "{index} of {bytes:x?}"
            );
        }
    }
}

#[test]
fn enums_keep_their_numbers() {
    use awkward::enums::{Alias, Enums, First, Gaps, Lower};
    assert_eq!(First::default(), First::TEN);
    assert_eq!(First::MIN.name(), Some("MIN"));
    assert_eq!((Alias::STARTED, Alias::RUNNING.name()), (Alias::RUNNING, Some("STARTED")));
    assert_eq!(Lower::CAMEL_CASE.name(), Some("camelCase"));
    assert_eq!(Lower::CAMEL_CASE_.name(), Some("CamelCase"));
    let empty = Enums::default();
    assert_eq!((empty.first(), empty.gaps(), empty.low()), (First::TEN, Gaps::GAP_A, First::MIN));
}

#[test]
fn extensions_round_trip() {
    use awkward::mixed::{self, Closed, Two, two};
    let mut message = Two::default();
    message.set_extension(two::scope::NUMBERS, &vec![1, -1]);
    message.set_extension(two::scope::CLOSED, &Closed::CLOSED_TWO);
    message.set_extension(two::scope::SCOPE, &two::Scope { text: Some("x".into()), ..Default::default() });
    message.set_extension(mixed::TEXT, &"text".to_owned());
    let mut registry = dunlin_protobuf::Registry::new();
    mixed::register(&mut registry);
    let back = Two::decode(&message.encode_to_vec()).unwrap();
    assert_eq!(back.extension(two::scope::NUMBERS).unwrap(), Some(vec![1, -1]));
    assert_eq!(back.extension(two::scope::CLOSED).unwrap(), Some(Closed::CLOSED_TWO));
    let text = text::EncodeOptions::new().registry(&registry).to_string(&message);
    assert!(text.contains("[awkward.mixed.Two.Scope.numbers]"), "{text}");
    let back: Two = text::DecodeOptions::new().registry(&registry).decode(&text).unwrap();
    assert_eq!(back.extension(mixed::TEXT).unwrap().as_deref(), Some("text"));
    assert_eq!(back.extension(two::scope::SCOPE).unwrap().unwrap().text(), "x");
}

#[test]
fn every_message_is_registered() {
    let mut registry = dunlin_protobuf::Registry::new();
    awkward::register(&mut registry);
    awkward::std::register(&mut registry);
    codegen_tests::register(&mut registry);
    for name in ["NoPackage.Inner", "awkward.collisions.Inner", "awkward.std.Option", "awkward.foo_bar"] {
        let mut message = registry.message(name).unwrap_or_else(|| panic!("{name} is not registered"));
        fill(&mut *message, 1);
        assert_eq!(message.table().full_name(), name);
    }
}
