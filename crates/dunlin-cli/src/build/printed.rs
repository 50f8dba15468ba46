//! Descriptor sets and images as JSON and text.

use dunlin_compiler::loader::WellKnown;
use dunlin_compiler::{Compiler, DescriptorOptions};
use dunlin_protobuf::descriptor::{
    DescriptorMessage, DescriptorProto, FieldDescriptorProto, FileDescriptorSet, Label, Type,
};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::pool::DescriptorPool;
use dunlin_protobuf::{DecodeOptions, EncodeOptions, Registry, json, text};

use super::image;
use crate::payload::Format;
use crate::yaml;

const DESCRIPTOR: &str = "google/protobuf/descriptor.proto";

/// Prints an encoded set; custom options go by the names that they have in `pool`.
pub(crate) fn print(bytes: &[u8], pool: DescriptorPool, format: Format) -> Result<Vec<u8>, String> {
    let mut registry = Registry::new();
    registry.add_pool(DynamicPool::new(pool));
    let mut set = empty()?;
    // Descriptors of any depth have been compiled by now.
    let options = DecodeOptions::new().partial();
    options.merge_into(&mut set, bytes).map_err(|error| format!("encode: {error}"))?;
    if format == Format::Text {
        return Ok(text::EncodeOptions::new().registry(&registry).to_string(&set).into_bytes());
    }
    let json = json::EncodeOptions::new().registry(&registry).to_string(&set);
    let json = json.map_err(|error| format!("encode: {error}"))?;
    if format == Format::Yaml {
        return yaml::from_json(&json).map(String::into_bytes);
    }
    Ok((json + "\n").into_bytes())
}

/// Reads a printed set.
pub(crate) fn read(bytes: &[u8], format: Format, shown: &str) -> Result<FileDescriptorSet, String> {
    let own = |set: &DynamicMessage| {
        let bytes = EncodeOptions::new().encode_to_vec(set);
        FileDescriptorSet::decode(&bytes).map_err(|error| format!("{shown}: {error}"))
    };
    // The set itself declares the options in it.
    let mut first = own(&parse(bytes, format, shown, &Registry::new())?)?;
    for file in &mut first.file {
        image::take_extension(file);
    }
    let mut registry = Registry::new();
    if let Ok(pool) = DynamicPool::from_file_descriptor_set(first) {
        registry.add_pool(pool);
    }
    own(&parse(bytes, format, shown, &registry)?)
}

fn parse(bytes: &[u8], format: Format, shown: &str, registry: &Registry) -> Result<DynamicMessage, String> {
    let mut set = empty()?;
    if format == Format::Text {
        let options = text::DecodeOptions::new().registry(registry).ignore_unknown(true).partial();
        options.merge_bytes(&mut set, bytes).map_err(|error| format!("{shown}:{error}"))?;
    } else {
        let options = json::DecodeOptions::new().registry(registry).ignore_unknown();
        if format == Format::Yaml {
            let documents = yaml::to_json(bytes).map_err(|message| format!("{shown}: {message}"))?;
            let [json] = documents.as_slice() else { return Err(format!("{shown}: expected one document")) };
            let merged = options.merge(&mut set, json.as_bytes());
            // Lines and columns would be those of the JSON in between.
            merged.map_err(|error| format!("{shown}: {}: {}", error.path(), error.kind()))?;
        } else {
            options.merge(&mut set, bytes).map_err(|error| format!("{shown}: {error}"))?;
        }
    }
    Ok(set)
}

/// A set of the type that also knows what buf's images say of a file.
fn empty() -> Result<DynamicMessage, String> {
    let compiled = Compiler::new(WellKnown)
        .compile([DESCRIPTOR.to_owned()])
        .map_err(|_| format!("the built-in {DESCRIPTOR} does not compile"))?;
    let mut set =
        compiled.file_descriptor_set(DescriptorOptions { retain_options: true, ..Default::default() });
    for file in &mut set.file {
        file.message_type.extend(image_extension());
        for message in &mut file.message_type {
            if message.name.as_deref() == Some("FileDescriptorProto") {
                let ty = (Type::TYPE_MESSAGE, Some(".google.protobuf.ImageFileExtension"));
                message.field.push(field("buf_extension", 8042, Label::LABEL_OPTIONAL, ty));
            }
        }
    }
    let pool = DynamicPool::from_file_descriptor_set(set).map_err(|errors| errors.to_string())?;
    let table = pool.message("google.protobuf.FileDescriptorSet");
    table.map(DynamicMessage::new).ok_or_else(|| format!("{DESCRIPTOR} declares no FileDescriptorSet"))
}

fn image_extension() -> [DescriptorProto; 3] {
    let one = |name, number, ty| field(name, number, Label::LABEL_OPTIONAL, (ty, None));
    let text = |name, number| one(name, number, Type::TYPE_STRING);
    let message =
        |name, number, ty| field(name, number, Label::LABEL_OPTIONAL, (Type::TYPE_MESSAGE, Some(ty)));
    let unused = field("unused_dependency", 4, Label::LABEL_REPEATED, (Type::TYPE_INT32, None));
    let parts: [(&str, Vec<FieldDescriptorProto>); 3] = [
        (
            "ImageFileExtension",
            vec![
                one("is_import", 1, Type::TYPE_BOOL),
                message("module_info", 2, ".google.protobuf.ImageModuleInfo"),
                one("is_syntax_unspecified", 3, Type::TYPE_BOOL),
                unused,
            ],
        ),
        ("ImageModuleInfo", vec![message("name", 1, ".google.protobuf.ImageModuleName"), text("commit", 2)]),
        ("ImageModuleName", vec![text("remote", 1), text("owner", 2), text("repository", 3)]),
    ];
    parts.map(|(name, field)| DescriptorProto { name: Some(name.into()), field, ..Default::default() })
}

fn field(
    name: &str,
    number: i32,
    label: Label,
    (ty, type_name): (Type, Option<&str>),
) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        label: Some(label),
        r#type: Some(ty),
        type_name: type_name.map(str::to_owned),
        json_name: Some(dunlin_protobuf::names::json_name(name)),
        ..Default::default()
    }
}
