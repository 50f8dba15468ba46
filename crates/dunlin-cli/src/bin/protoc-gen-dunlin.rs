//! `protoc-gen-dunlin`: the Rust generator as a plugin of any protoc.

#[path = "../rust_plugin.rs"]
mod rust_plugin;

use std::io::{Read, Write};
use std::process::ExitCode;

use dunlin_codegen::rust::Options;
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::plugin::CodeGeneratorRequest;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr().lock(), "protoc-gen-dunlin: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    if let Some(argument) = std::env::args().nth(1) {
        if argument == "--version" {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "protoc-gen-dunlin {}", env!("CARGO_PKG_VERSION"));
            return Ok(());
        }
        return Err(
            "this is a plugin of protoc, which takes a request on standard input and no arguments".into()
        );
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read the request: {error}"))?;
    let request = CodeGeneratorRequest::decode(&bytes)
        .map_err(|error| format!("the request cannot be decoded: {error}"))?;
    let response = rust_plugin::respond(request, Options::default()).encode_to_vec();
    let mut out = std::io::stdout().lock();
    out.write_all(&response).and_then(|()| out.flush()).map_err(|error| format!("cannot answer: {error}"))
}
