//! Generates each peer's code for a schema and counts its tokens:
//! `generate INCLUDE FILE OUT` writes `OUT/PEER/`, `generate tokens FILE...` prints a sum.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use proc_macro2::{TokenStream, TokenTree};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tokens", files @ ..] => {
            let mut sum = 0;
            for file in files {
                sum += tokens(fs::read_to_string(file)?.parse()?);
            }
            println!("{sum}");
            Ok(())
        }
        [include, file, out] => {
            for peer in ["dunlin", "prost", "buffa"] {
                let folder = Path::new(out).join(peer);
                fs::create_dir_all(&folder)?;
                match peer {
                    "dunlin" => dunlin(include, file, &folder)?,
                    "prost" => prost(include, file, &folder)?,
                    _ => buffa(include, file, &folder)?,
                }
            }
            Ok(())
        }
        _ => Err("usage: generate INCLUDE FILE OUT, or generate tokens FILE...".into()),
    }
}

/// Views and reflection are always there.
fn dunlin(include: &str, file: &str, out: &Path) -> Result<()> {
    let builder = dunlin_build::Builder::new().include(include).file(file).out_dir(out);
    builder.options(|options| options.runtime("::dunlin_protobuf")).compile()?;
    Ok(fs::rename(out.join("mod.rs"), out.join("lib.rs"))?)
}

/// It has neither views nor reflection.
fn prost(include: &str, file: &str, out: &Path) -> Result<()> {
    let descriptors = out.join("descriptors.binpb");
    prost_build::Config::new()
        .file_descriptor_set_path(&descriptors)
        .compile_well_known_types()
        .extern_path(".google.protobuf", "::pbjson_types")
        .out_dir(out)
        .compile_protos(&[file], &[include])?;
    pbjson_build::Builder::new()
        .register_descriptors(&fs::read(descriptors)?)?
        .extern_path(".google.protobuf", "::pbjson_types")
        .out_dir(out)
        .build(&[".protobuf_test_messages"])?;
    let mut lib = String::new();
    for entry in fs::read_dir(out)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if name.starts_with("protobuf_test_messages") && name.ends_with(".rs") {
            lib.push_str(&format!("include!(concat!(env!(\"GENERATED\"), \"/prost/{name}\"));\n"));
        }
    }
    Ok(fs::write(out.join("lib.rs"), lib)?)
}

fn buffa(include: &str, file: &str, out: &Path) -> Result<()> {
    buffa_build::Config::new()
        .files(&[file])
        .includes(&[include])
        .generate_json(true)
        .generate_views(true)
        .generate_reflection(true)
        .out_dir(out)
        .include_file("mod.rs")
        .compile()?;
    Ok(fs::rename(out.join("mod.rs"), out.join("lib.rs"))?)
}

/// Documentation is no code: it is the schema's, and the same for all.
fn tokens(stream: TokenStream) -> usize {
    let mut count = 0;
    let mut all = stream.into_iter().peekable();
    while let Some(token) = all.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => match all.peek() {
                Some(TokenTree::Group(group)) if group.to_string().starts_with("[doc") => {
                    all.next();
                }
                _ => count += 1,
            },
            TokenTree::Group(group) => count += 2 + tokens(group.stream()),
            _ => count += 1,
        }
    }
    count
}
