//! Generates each peer's code from `proto/codec.proto` and `google/protobuf/descriptor.proto`.
//!
//! PROTOC names protoc 36.2, which `run` installs; the files that it includes lie beside it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use dunlin_build::Options;

const FILES: [&str; 2] = ["codec.proto", "google/protobuf/descriptor.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/codec.proto");
    println!("cargo::rerun-if-env-changed=PROTOC");
    let protoc = PathBuf::from(env::var_os("PROTOC").ok_or("PROTOC is not set; start bench/codec/run")?);
    let include = protoc.ancestors().nth(2).ok_or("PROTOC has no folder include beside it")?.join("include");
    let roots = [Path::new("proto"), &include];
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);

    // The data is built with ordered maps, so that it is the same bytes in each run; the peer is not.
    let mut data = prost_build::Config::new();
    data.btree_map(["."]);
    prost(data, &roots, &out.join("data"))?;
    prost(prost_build::Config::new(), &roots, &out.join("prost"))?;
    #[cfg(feature = "peers")]
    {
        buffa(&roots, &out.join("buffa"))?;
        upb(&roots, &out.join("upb"))?;
    }
    dunlin(&out.join("dunlin"), |options| options)?;
    let shared = |options: Options| options.shared_strings(true).views(false).runtime_well_known_types(false);
    dunlin(&out.join("shared"), shared)?;

    let status = Command::new(&protoc)
        .arg("-I")
        .arg(&include)
        .arg("-o")
        .arg(out.join("descriptor.binpb"))
        .arg("google/protobuf/descriptor.proto")
        .status()?;
    if status.success() { Ok(()) } else { Err("protoc failed on descriptor.proto".into()) }
}

fn prost(mut config: prost_build::Config, roots: &[&Path], out: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    config.compile_well_known_types().out_dir(out).include_file("mod.rs");
    Ok(config.compile_protos(&FILES, roots)?)
}

#[cfg(feature = "peers")]
fn buffa(roots: &[&Path], out: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    buffa_build::Config::new()
        .files(&FILES)
        .includes(roots)
        .generate_json(true)
        .out_dir(out)
        .include_file("mod.rs")
        .compile()
}

fn dunlin(out: &Path, options: impl Fn(Options) -> Options) -> Result<(), Box<dyn Error>> {
    let builder = dunlin_build::Builder::new().include("proto").file("proto/codec.proto").out_dir(out);
    let builder = builder.file("google/protobuf/descriptor.proto").descriptor_set("schemas.binpb");
    Ok(builder.options(|default| options(default.runtime("::dunlin_protobuf"))).compile()?)
}

#[cfg(feature = "peers")]
fn upb(roots: &[&Path], out: &Path) -> Result<(), Box<dyn Error>> {
    let mut codegen = protobuf_codegen::CodeGen::new();
    codegen.inputs(FILES).includes(roots.iter()).output_dir(out);
    Ok(codegen.generate_and_compile()?)
}
