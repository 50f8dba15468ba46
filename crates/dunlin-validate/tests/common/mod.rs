//! Schemas and messages of the tests.
#![allow(dead_code)] // Each test file uses some of it.

use std::sync::Arc;

use dunlin_compiler::loader::Sources;
use dunlin_compiler::{Compiler, DescriptorOptions};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::json;
use dunlin_validate::{ValidationError, Validator};

/// The types of a file, given without its first lines.
pub(crate) fn pool(body: &str) -> Arc<DynamicPool> {
    let head = "syntax = \"proto3\"; package t; import \"buf/validate/validate.proto\";";
    file(&format!("{head}\n{body}"))
}

/// The types of a file.
pub(crate) fn file(text: &str) -> Arc<DynamicPool> {
    let sources =
        Sources::new().file("t.proto", text).file("buf/validate/validate.proto", dunlin_validate::SCHEMA);
    let compilation = Compiler::new(sources).compile(["t.proto"]).unwrap_or_else(|error| panic!("{error:?}"));
    let options = DescriptorOptions { include_imports: true, ..Default::default() };
    DynamicPool::from_file_descriptor_set(compilation.file_descriptor_set(options)).unwrap()
}

/// The message `t.M` with this JSON.
pub(crate) fn message(pool: &Arc<DynamicPool>, text: &str) -> DynamicMessage {
    let mut message = DynamicMessage::new(pool.message("t.M").unwrap());
    json::DecodeOptions::new().merge(&mut message, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    message
}

/// What a validator says of the message `t.M` with this JSON: nothing, or the text of the error.
pub(crate) fn verdict(validator: &Validator, pool: &Arc<DynamicPool>, text: &str) -> String {
    validator.validate(&message(pool, text)).err().map(|error| error.to_string()).unwrap_or_default()
}

/// What the expression says of `t.M`, which is `this`, with this JSON.
pub(crate) fn evaluate(members: &str, expression: &str, text: &str) -> Result<bool, ValidationError> {
    let expression = expression.replace('\\', "\\\\").replace('"', "\\\"");
    let option = format!("option (buf.validate.message).cel_expression = \"{expression}\";");
    let body = members.replacen("message M {", &format!("message M {{ {option}"), 1);
    let pool = pool(&body);
    match Validator::default().validate(&message(&pool, text)) {
        Ok(()) => Ok(true),
        Err(ValidationError::Violations(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
