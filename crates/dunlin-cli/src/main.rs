//! `dunlin`: compile, check and talk Protocol Buffers and gRPC.

mod print;
mod protoc;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let name = std::path::Path::new(&program).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<String> = arguments.map(|a| a.to_string_lossy().into_owned()).collect();
    if name == "protoc" {
        return protoc::main(&arguments);
    }
    match arguments.split_first() {
        Some((first, rest)) if first == "protoc" => protoc::main(rest),
        _ => ExitCode::from(2),
    }
}
