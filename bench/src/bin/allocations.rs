//! The allocations of compiling a fixed schema on one thread, against the limit kept beside.
//!
//! `allocations` fails above the limits of `allocations.txt`, and says when they can be lowered.
//! Lowering is free; raising needs its reason in the same commit.

use std::alloc::System;
use std::convert::Infallible;
use std::error::Error;

use dunlin_compiler::loader::Sources;
use dunlin_compiler::{Compiler, DescriptorOptions};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LIMITS: &str = include_str!("../../allocations.txt");

fn main() -> Result<(), Box<dyn Error>> {
    let text = schema();
    // The first run pays for what is set up once.
    compile(&text)?;
    let region = Region::new(ALLOCATOR);
    compile(&text)?;
    let change = region.change();
    let mut failed = false;
    for (name, measured) in [("allocations", change.allocations), ("reallocations", change.reallocations)] {
        let limit = limit(name)?;
        println!("{name}: {measured} of {limit}");
        failed |= measured > limit;
        if measured * 100 < limit * 97 {
            println!("  the limit in bench/allocations.txt can be lowered");
        }
    }
    if failed { Err("more allocations than bench/allocations.txt allows".into()) } else { Ok(()) }
}

fn compile(text: &str) -> Result<usize, Box<dyn Error>> {
    let sources = Sources::new().file("shop.proto", text);
    let compilation = Compiler::new(sources).threads(1).source_info(true).compile(["shop.proto"])?;
    let options = DescriptorOptions { include_source_info: true, ..Default::default() };
    let mut len = 0;
    compilation.encode_file_descriptor_set(options, |chunk| {
        len += chunk.len();
        Ok::<(), Infallible>(())
    })?;
    Ok(len)
}

fn limit(name: &str) -> Result<usize, Box<dyn Error>> {
    let line = LIMITS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.ok_or_else(|| format!("allocations.txt has no line for {name}"))?.trim().parse()?)
}

/// A hundred messages, enums and methods, with comments and options.
fn schema() -> String {
    let mut text = String::from("syntax = \"proto3\";\npackage shop.v1;\n");
    for index in 0..100 {
        text += &format!(
            "// Order number {index}.\nmessage Order{index} {{\n  // The name.\n  string name = 1;\n  \
             repeated int64 items = 2 [packed = true];\n  map<string, Order{index}> parts = 3;\n  \
             State{index} state = 4 [deprecated = true];\n  oneof kind {{ bool small = 5; bytes large = 6; }}\n}}\n\
             enum State{index} {{ STATE{index}_UNKNOWN = 0; STATE{index}_OPEN = 1; }}\n"
        );
    }
    text += "service Orders {\n";
    for index in 0..100 {
        text += &format!("  rpc Get{index}(Order{index}) returns (stream Order{index});\n");
    }
    text + "}\n"
}
