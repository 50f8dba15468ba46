//! The Rust generator, spoken to by the plugin protocol.

use dunlin_codegen::rust::{Options, generate};
use dunlin_protobuf::descriptor::FileDescriptorSet;
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::plugin::{CodeGeneratorRequest, CodeGeneratorResponse, File};

/// proto3 `optional` and editions.
const FEATURES: u64 = 1 | 2;
const PROTO2: i32 = 998;
const EDITION_2026: i32 = 1002;

/// What the generator answers.
///
/// The parameter holds options as [`Options::parse`] reads them, which count before `options`.
pub(crate) fn respond(request: CodeGeneratorRequest, options: Options) -> CodeGeneratorResponse {
    let mut response = CodeGeneratorResponse {
        supported_features: Some(FEATURES),
        minimum_edition: Some(PROTO2),
        maximum_edition: Some(EDITION_2026),
        ..Default::default()
    };
    match files(request, options) {
        Ok(files) => response.file = files,
        Err(message) => response.error = Some(message),
    }
    response
}

fn files(request: CodeGeneratorRequest, options: Options) -> Result<Vec<File>, String> {
    let parameter = request.parameter.as_deref().unwrap_or_default();
    let options = options.parse(parameter).map_err(|error| error.to_string())?;
    let set = FileDescriptorSet { file: request.proto_file, ..Default::default() };
    let pool = DynamicPool::from_file_descriptor_set(set)
        .map_err(|errors| format!("the descriptors do not fit together: {errors}"))?;
    let unknown =
        request.file_to_generate.iter().find(|path| pool.descriptors().file_by_path(path).is_none());
    if let Some(path) = unknown {
        return Err(format!("{path} is to be generated, but its descriptor is not in the request"));
    }
    let generated = generate(&pool, &request.file_to_generate, &options);
    let file = |file: dunlin_codegen::rust::GeneratedFile| File {
        name: Some(file.name),
        content: Some(file.content.into_bytes()),
        ..Default::default()
    };
    Ok(generated.into_iter().map(file).collect())
}
