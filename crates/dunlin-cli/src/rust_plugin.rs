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
/// Parameters are `runtime=PATH`, `views=BOOL`, `extern_path=.PROTO=RUST`, `attribute=.PROTO=ATTRIBUTE`,
/// `hash_map=.PROTO` and `well_known_types=runtime|generate`, separated by commas; a comma in brackets
/// or quotes belongs to the value.
pub(crate) fn respond(request: CodeGeneratorRequest) -> CodeGeneratorResponse {
    let mut response = CodeGeneratorResponse {
        supported_features: Some(FEATURES),
        minimum_edition: Some(PROTO2),
        maximum_edition: Some(EDITION_2026),
        ..Default::default()
    };
    match files(request) {
        Ok(files) => response.file = files,
        Err(message) => response.error = Some(message),
    }
    response
}

fn files(request: CodeGeneratorRequest) -> Result<Vec<File>, String> {
    let options = options(request.parameter.as_deref().unwrap_or_default())?;
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

fn options(parameter: &str) -> Result<Options, String> {
    let mut options = Options::default();
    let mut has_own_types = false;
    for part in split(parameter) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let two = || {
            let pair = value.split_once('=').filter(|(path, _)| path.starts_with('.'));
            pair.ok_or_else(|| format!("`{part}`: expected {key}=.PROTO_PATH=VALUE"))
        };
        options = match key {
            "runtime" if !value.is_empty() => options.runtime(value),
            "views" => options.views(match value {
                "true" | "" => true,
                "false" => false,
                _ => return Err(format!("`{part}`: the value has to be true or false")),
            }),
            "extern_path" => {
                let (proto, rust) = two()?;
                has_own_types |= proto == ".google.protobuf" || proto == ".google" || proto == ".";
                options.extern_path(proto, rust)
            }
            "attribute" => {
                let (path, attribute) = two()?;
                options.attribute(path, attribute)
            }
            "hash_map" if value.starts_with('.') => options.hash_map(value),
            "well_known_types" if value == "generate" || value == "runtime" => {
                has_own_types |= value == "generate";
                options
            }
            "runtime" | "hash_map" | "well_known_types" => {
                return Err(format!("`{part}`: the value is not valid"));
            }
            _ => {
                return Err(format!(
                    "unknown parameter `{key}`; known are runtime, views, extern_path, attribute, hash_map and \
                     well_known_types"
                ));
            }
        };
    }
    if !has_own_types {
        let path = format!("{}::wkt", options.runtime_path());
        options = options.extern_path(".google.protobuf", path);
    }
    Ok(options)
}

/// The parts between commas, except for commas in brackets and quotes.
fn split(parameter: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0usize;
    let mut is_quoted = false;
    let mut start = 0;
    for (at, c) in parameter.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&parameter[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&parameter[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_brackets_and_quotes_belong_to_the_value() {
        assert_eq!(
            split("a=b, attribute=.x=#[derive(A, B)],attribute=.y=#[doc = \"1,2\"],,views=false"),
            ["a=b", "attribute=.x=#[derive(A, B)]", "attribute=.y=#[doc = \"1,2\"]", "views=false"]
        );
    }

    #[test]
    fn parameters_that_are_not_understood_are_errors() {
        for bad in
            ["x", "views=2", "extern_path=a", "attribute=a=b", "hash_map", "runtime=", "well_known_types=x"]
        {
            assert!(options(bad).is_err(), "{bad}");
        }
    }
}
