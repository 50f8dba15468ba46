//! Generates a tree of schemas and splits the result into crates to check, for `tests/codegen/run`:
//! `tree INCLUDE OUT RUNTIME SHARD_BYTES <FILES`, the files on standard input, one a line.
//!
//! `OUT/generated` holds what was generated, in one run; `OUT/shard-NN` are the crates of a
//! workspace, each with some packages and what these need. Prints what was done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dunlin_build::Builder;
use dunlin_protobuf::descriptor::{DescriptorMessage, DescriptorProto, FileDescriptorSet};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [include, out, runtime, shard_bytes] = args.as_slice() else {
        return Err("usage: tree INCLUDE OUT RUNTIME SHARD_BYTES <FILES".into());
    };
    let (include, out) = (PathBuf::from(include), PathBuf::from(out));
    let files: Vec<PathBuf> =
        io::read_to_string(io::stdin())?.lines().map(|line| include.join(line)).collect();
    let generated = out.join("generated");
    let start = Instant::now();
    Builder::new()
        .include(&include)
        .files(&files)
        // The crates of the result depend on the runtime of messages alone.
        .options(|options| options.runtime("::dunlin_protobuf").client(false).server(false))
        .descriptor_set("all.binpb")
        .out_dir(&generated)
        .compile()?;
    let time = start.elapsed();
    let memory = peak_memory();
    let set = FileDescriptorSet::decode(&fs::read(generated.join("all.binpb"))?)?;
    let types: usize =
        set.file.iter().map(|f| f.enum_type.len() + f.message_type.iter().map(types).sum::<usize>()).sum();
    println(format_args!(
        "generated {} files, {types} types in {:.1} s, peak memory {memory} MiB",
        files.len(),
        time.as_secs_f64()
    ));
    let shards = Packages::new(&set, &generated)?.shards(shard_bytes.parse()?);
    let tree = fs::read_to_string(generated.join("mod.rs"))?;
    let mut members = String::new();
    for (index, shard) in shards.iter().enumerate() {
        let name = format!("shard-{:02}", index + 1);
        let folder = out.join(&name);
        fs::create_dir_all(folder.join("src"))?;
        fs::write(
            folder.join("Cargo.toml"),
            format!(
                "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
                 [dependencies]\ndunlin-protobuf = {{ path = \"{runtime}\" }}\n"
            ),
        )?;
        let lib = format!("#![deny(warnings)]\n{}", pruned(&tree, &shard.files, &generated));
        fs::write(folder.join("src/lib.rs"), lib)?;
        println(format_args!("{name} {} KiB: {} .. {}", shard.bytes / 1024, shard.first, shard.last));
        write!(members, "\"{name}\", ")?;
    }
    fs::write(out.join("Cargo.toml"), format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\n"))?;
    Ok(())
}

#[allow(clippy::print_stdout)] // Its output is what it is for.
fn println(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}

fn types(message: &DescriptorProto) -> usize {
    let is_entry = message.options.as_deref().and_then(|o| o.map_entry) == Some(true);
    usize::from(!is_entry) + message.enum_type.len() + message.nested_type.iter().map(types).sum::<usize>()
}

/// In MiB; 0 where the system does not tell.
fn peak_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).map_or(0, |kib: usize| kib / 1024)
}

/// The packages, the size of what was generated for them, and which they need.
struct Packages {
    bytes: BTreeMap<String, usize>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

struct Shard {
    bytes: usize,
    first: String,
    last: String,
    /// Names of generated files.
    files: BTreeSet<String>,
}

impl Packages {
    fn new(set: &FileDescriptorSet, generated: &Path) -> io::Result<Self> {
        let package_of: BTreeMap<&str, &str> =
            set.file.iter().map(|f| (name(&f.name), name(&f.package))).collect();
        let (mut bytes, mut needs) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
        for file in &set.file {
            let package = name(&file.package);
            let path = generated.join(file_name(package));
            // The runtime has the well-known types.
            if path.exists() {
                bytes.insert(package.to_owned(), fs::metadata(path)?.len() as usize);
                let imports = file.dependency.iter().map(|path| package_of[path.as_str()].to_owned());
                needs.entry(package.to_owned()).or_default().extend(imports);
            }
        }
        Ok(Self { bytes, needs })
    }

    /// Neighbours together, as many as a crate may have bytes.
    fn shards(&self, limit: usize) -> Vec<Shard> {
        let mut shards = Vec::new();
        let mut current: Option<(BTreeSet<&str>, &str, &str)> = None;
        let size = |packages: &BTreeSet<&str>| packages.iter().map(|p| self.bytes[*p]).sum::<usize>();
        let finish = |(packages, first, last): (BTreeSet<&str>, &str, &str)| Shard {
            bytes: size(&packages),
            first: first.to_owned(),
            last: last.to_owned(),
            files: packages.into_iter().map(file_name).collect(),
        };
        let parts = |package: &str| package.split('.').take(4).map(str::to_owned).collect::<Vec<_>>();
        for package in self.bytes.keys() {
            let mut wanted = BTreeSet::new();
            self.closure(package, &mut wanted);
            current = Some(match current.take() {
                None => (wanted, package, package),
                Some((packages, first, last)) => {
                    let both: BTreeSet<&str> = packages.union(&wanted).copied().collect();
                    // Versions of one interface import each other, so they stay together.
                    if size(&both) > limit && parts(package) != parts(last) {
                        shards.push(finish((packages, first, last)));
                        (wanted, package, package)
                    } else {
                        (both, first, package)
                    }
                }
            });
        }
        shards.extend(current.map(finish));
        shards
    }

    fn closure<'s>(&'s self, package: &'s str, out: &mut BTreeSet<&'s str>) {
        if self.bytes.contains_key(package) && out.insert(package) {
            self.needs[package].iter().for_each(|needed| self.closure(needed, out));
        }
    }
}

fn name(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

fn file_name(package: &str) -> String {
    format!("{}.rs", if package.is_empty() { "_" } else { package })
}

/// The tree of modules with these files only, included from where they are.
fn pruned(tree: &str, files: &BTreeSet<String>, generated: &Path) -> String {
    let mut out: Vec<String> = Vec::new();
    for line in tree.lines() {
        let trimmed = line.trim();
        if let Some(file) = trimmed.strip_prefix("include!(\"").and_then(|rest| rest.strip_suffix("\");")) {
            if files.contains(file) {
                out.push(format!("include!({:?});", generated.join(file)));
            }
        } else if trimmed == "}" && out.last().is_some_and(|last| last.ends_with('{')) {
            // Nothing is in it.
            out.pop();
            if out.last().is_some_and(|last| last.starts_with("#[")) {
                out.pop();
            }
        } else if !trimmed.is_empty() {
            out.push(trimmed.to_owned());
        }
    }
    out.join("\n")
}
