//! Reads messages that another runtime wrote in binary, JSON and text, compares what it read, and
//! writes them again in all three.
//!
//! `roundtrip descriptors` writes a descriptor set of all types to the standard output.
//! `roundtrip check` reads records of four parts from the standard input (type, binary, JSON, text),
//! each with its length in four bytes in front, and answers each with four parts: what is wrong
//! (nothing, if all is well), binary, JSON, text.

use std::io::{self, BufReader, BufWriter, Read, Write};

use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::{DecodeOptions, EncodeOptions, Message, Reflect, Registry, View, json, text};
use schemas::protobuf_test_messages as messages;

/// The generated types of the conformance suite.
#[allow(missing_docs, clippy::all)]
pub mod schemas {
    include!(concat!(env!("OUT_DIR"), "/conformance/mod.rs"));
}

const SETS: [&[u8]; 2] = [
    include_bytes!(concat!(env!("OUT_DIR"), "/conformance/schemas.binpb")),
    include_bytes!(concat!(env!("OUT_DIR"), "/apis/schemas.binpb")),
];

fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("descriptors") => io::stdout().write_all(&descriptors().encode_to_vec()),
        Some("check") => check(),
        _ => {
            eprintln!("usage: roundtrip descriptors|check");
            std::process::exit(2);
        }
    }
}

/// The files of all sets, each once.
fn descriptors() -> FileDescriptorSet {
    let mut all = FileDescriptorSet::default();
    for set in SETS {
        let set = FileDescriptorSet::decode(set).expect("the build script wrote a descriptor set");
        for file in set.file {
            if !all.file.iter().any(|other| other.name == file.name) {
                all.file.push(file);
            }
        }
    }
    all
}

fn check() -> io::Result<()> {
    let pool = DynamicPool::from_file_descriptor_set(descriptors()).expect("the compiler linked it");
    let mut dynamic = Registry::new();
    dynamic.add_pool(pool.clone());
    let mut generated = Registry::new();
    dunlin_protobuf::wkt::register(&mut generated);
    messages::proto2::register(&mut generated);
    messages::proto3::register(&mut generated);
    messages::editions::register(&mut generated);
    messages::editions::proto2::register(&mut generated);
    messages::editions::proto3::register(&mut generated);
    // What only the pool has may be in an Any.
    generated.add_pool(pool);

    let mut input = BufReader::with_capacity(1 << 20, io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    while let Some(name) = part(&mut input)? {
        let mut next = || part(&mut input)?.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof));
        let name = String::from_utf8(name).map_err(io::Error::other)?;
        let given = Forms { binary: next()?, json: utf8(next()?)?, text: utf8(next()?)? };
        let (fault, ours) = match answer(&name, &given, &dynamic, &generated) {
            Ok(ours) => (String::new(), ours),
            Err(fault) => (fault, Forms::default()),
        };
        for part in [fault.as_bytes(), &ours.binary, ours.json.as_bytes(), ours.text.as_bytes()] {
            output.write_all(&(part.len() as u32).to_le_bytes())?;
            output.write_all(part)?;
        }
    }
    output.flush()
}

/// None at the end of the input.
fn part(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut len = [0; 4];
    match input.read_exact(&mut len) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let mut bytes = vec![0; u32::from_le_bytes(len) as usize];
    input.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// One message in each format.
#[derive(Debug, Default, PartialEq)]
struct Forms {
    binary: Vec<u8>,
    json: String,
    text: String,
}

fn answer(name: &str, given: &Forms, dynamic: &Registry, generated: &Registry) -> Result<Forms, String> {
    let ours = dynamic_forms(name, given, dynamic)?;
    let typed = match name {
        messages::proto2::TestAllTypesProto2::FULL_NAME => {
            generated_forms::<messages::proto2::TestAllTypesProto2>(given, generated)?
        }
        messages::proto3::TestAllTypesProto3::FULL_NAME => {
            generated_forms::<messages::proto3::TestAllTypesProto3>(given, generated)?
        }
        messages::editions::proto2::TestAllTypesProto2::FULL_NAME => {
            generated_forms::<messages::editions::proto2::TestAllTypesProto2>(given, generated)?
        }
        messages::editions::proto3::TestAllTypesProto3::FULL_NAME => {
            generated_forms::<messages::editions::proto3::TestAllTypesProto3>(given, generated)?
        }
        messages::editions::TestAllTypesEdition2023::FULL_NAME => {
            generated_forms::<messages::editions::TestAllTypesEdition2023>(given, generated)?
        }
        _ => return Ok(ours),
    };
    if typed != ours {
        return Err(format!("generated and dynamic messages write differently:\n{typed:?}\n{ours:?}"));
    }
    Ok(ours)
}

fn dynamic_forms(name: &str, given: &Forms, registry: &Registry) -> Result<Forms, String> {
    let table = registry.table(name).ok_or_else(|| format!("there is no type {name}"))?;
    let options = DecodeOptions::new().registry(registry);
    let from_binary = DynamicMessage::decode_with(table.clone(), &given.binary, &options)
        .map_err(|error| format!("dynamic, binary: {error}"))?;
    let mut from_json = DynamicMessage::new(table.clone());
    json::DecodeOptions::new()
        .registry(registry)
        .merge(&mut from_json, &given.json)
        .map_err(|error| format!("dynamic, JSON: {error}"))?;
    let mut from_text = DynamicMessage::new(table);
    text::DecodeOptions::new()
        .registry(registry)
        .merge(&mut from_text, &given.text)
        .map_err(|error| format!("dynamic, text: {error}"))?;
    forms("dynamic", [&from_binary, &from_json, &from_text], registry)
}

fn generated_forms<M: Message>(given: &Forms, registry: &Registry) -> Result<Forms, String> {
    let options = DecodeOptions::new().registry(registry);
    let from_binary: M =
        options.decode(&given.binary).map_err(|error| format!("generated, binary: {error}"))?;
    let view: M::View<'_> =
        options.decode_view(&given.binary).map_err(|error| format!("view, binary: {error}"))?;
    let from_json: M = json::DecodeOptions::new()
        .registry(registry)
        .decode(&given.json)
        .map_err(|error| format!("generated, JSON: {error}"))?;
    let from_text: M = text::DecodeOptions::new()
        .registry(registry)
        .decode(&given.text)
        .map_err(|error| format!("generated, text: {error}"))?;
    let of_view = view.to_message().encode_to_vec();
    if of_view != from_binary.encode_to_vec() {
        return Err(format!("a view becomes another message: {of_view:02x?}"));
    }
    forms("generated", [&from_binary, &from_json, &from_text], registry)
}

/// Messages that were read from binary, JSON and text must be equal; each writes the form that it was
/// not read from.
fn forms(what: &str, [binary, json, text]: [&dyn Reflect; 3], registry: &Registry) -> Result<Forms, String> {
    let encode = |message| EncodeOptions::new().encode_to_vec(message);
    let bytes = encode(binary);
    let written = text::EncodeOptions::new().registry(registry).to_string(binary);
    for (format, message) in [("JSON", json), ("text", text)] {
        let other = encode(message);
        // Extensions may come in any order.
        if other != bytes && text::EncodeOptions::new().registry(registry).to_string(message) != written {
            return Err(format!(
                "{what}: binary and {format} read differently:\n  {bytes:02x?}\n  {other:02x?}"
            ));
        }
    }
    let json = json::EncodeOptions::new()
        .registry(registry)
        .to_string(text)
        .map_err(|error| format!("{what}, writing JSON: {error}"))?;
    Ok(Forms { binary: bytes, json, text: written })
}
