//! `dunlin protoc`: placeholder while the compiler is brought up.
use dunlin_compiler::loader::{IncludePaths, VirtualPath};
use dunlin_compiler::{Compiler, DescriptorOptions};
use std::io::Write;
use std::process::ExitCode;

pub fn main(arguments: &[String]) -> ExitCode {
    let mut paths = IncludePaths::new();
    let mut files = vec![];
    let mut out = None;
    let mut opts = DescriptorOptions::default();
    let mut args: Vec<String> = vec![];
    for a in arguments {
        if let Some(f) = a.strip_prefix('@') {
            args.extend(std::fs::read_to_string(f).unwrap().lines().map(str::to_owned));
        } else { args.push(a.clone()); }
    }
    let mut it = args.into_iter();
    while let Some(a) = it.next() {
        if a == "-I" { paths = paths.folder(it.next().unwrap()); }
        else if let Some(p) = a.strip_prefix("-I") { paths = paths.folder(p); }
        else if a == "-o" { out = it.next(); }
        else if let Some(p) = a.strip_prefix("-o") { out = Some(p.into()); }
        else if a == "--include_imports" { opts.include_imports = true; }
        else if a == "--include_source_info" { opts.include_source_info = true; }
        else if a == "--retain_options" { opts.retain_options = true; }
        else { files.push(a); }
    }
    if paths.is_empty() { paths = paths.folder("."); }
    let inputs: Vec<String> = files.iter().map(|f| match paths.virtual_path(f) { VirtualPath::Found(v) if std::path::Path::new(f).exists() => v, _ => f.clone() }).collect();
    match Compiler::new(paths).source_info(opts.include_source_info).compile(inputs) {
        Ok(c) => {
            if let Some(out) = out {
                let mut w = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(out).unwrap());
                c.encode_file_descriptor_set(opts, |b| w.write_all(b)).unwrap();
            }
            ExitCode::SUCCESS
        }
        Err(d) => {
            for i in &d.items {
                let (f, lc) = match i.location { Some(l) => (d.source(l.source).display_path.clone(), d.line_column(l)), None => (String::new(), None) };
                eprintln!("{f}:{}:{}: {:?}: {} [{}] {:?}", lc.map_or(0, |l| l.0), lc.map_or(0, |l| l.1), i.severity, i.message, i.code, i.help);
            }
            ExitCode::FAILURE
        }
    }
}
