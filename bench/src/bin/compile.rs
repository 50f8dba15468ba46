//! Time and memory of compiling a schema tree: ours, protoc and buf, interleaved.
//!
//! `compile [--rounds N]`, after `tests/oracles/install protoc core buf` and a release build of
//! `dunlin-cli`. Prints the median of the rounds per command, and the ratios to ours.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use nix::sys::resource::{UsageWho, getrusage};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What one run of a command took.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    wall_ms: f64,
    cpu_ms: f64,
    peak_mib: f64,
}

struct Peer {
    name: &'static str,
    command: Vec<String>,
}

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["measure", command @ ..] => measure(command),
        ["--rounds", rounds] => compare(rounds.parse()?),
        [] => compare(5),
        _ => Err("usage: compile [--rounds N]".into()),
    }
}

/// Runs one command and prints its cost: a process of its own, so that the usage of its children
/// is that of the command.
fn measure(command: &[&str]) -> Result<()> {
    let (program, args) = command.split_first().ok_or("no command to measure")?;
    let start = Instant::now();
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let wall = start.elapsed();
    if !status.success() {
        return Err(format!("{program} ended with {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let (user, system) = (usage.user_time(), usage.system_time());
    let micros = user.tv_sec() * 1_000_000 + user.tv_usec() + system.tv_sec() * 1_000_000 + system.tv_usec();
    println!("{} {} {}", wall.as_micros(), micros, usage.max_rss());
    Ok(())
}

fn run(command: &[String]) -> Result<Cost> {
    let output = Command::new(env::current_exe()?).arg("measure").args(command).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
    let [wall, cpu, rss] = numbers[..] else { return Err(format!("unexpected output {text:?}").into()) };
    Ok(Cost { wall_ms: wall / 1e3, cpu_ms: cpu / 1e3, peak_mib: rss / 1024.0 })
}

fn compare(rounds: usize) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let oracles = env::var_os("ORACLES").map_or_else(|| root.join("target/oracles"), PathBuf::from);
    let tree = oracles.join("googleapis");
    let out = env::temp_dir().join(format!("dunlin-bench-{}", std::process::id()));
    fs::create_dir_all(&out)?;
    let shown = |path: PathBuf| path.display().to_string();
    let dunlin = shown(root.join("target/release/dunlin"));
    let protoc = shown(oracles.join("protoc/bin/protoc"));
    let buf = shown(find(&oracles.join("buf/node_modules/@bufbuild"), "bin/buf")?);

    let mut files = Vec::new();
    list(&tree, &tree, &mut files)?;
    files.retain(|file| !file.starts_with("google/protobuf/"));
    files.sort();
    let list_file = out.join("files");
    fs::write(&list_file, files.join("\n"))?;
    let protoc_args = [
        format!("-I{}", tree.display()),
        format!("-I{}", oracles.join("protoc/include").display()),
        "--include_source_info".to_owned(),
        "--include_imports".to_owned(),
    ];
    let set = |name: &str| format!("-o{}", out.join(name).display());
    let mut ours = vec![dunlin.clone(), "protoc".to_owned()];
    ours.extend(protoc_args.iter().cloned().chain([set("ours"), format!("@{}", list_file.display())]));
    let mut theirs = vec![protoc.clone()];
    theirs.extend(protoc_args.iter().cloned().chain([set("theirs"), format!("@{}", list_file.display())]));
    let build = |program: &str, name: &str| {
        let path = tree.display();
        let excluded = format!("{path}/google/protobuf");
        let args =
            ["build", &path.to_string(), "--exclude-path", &excluded, "--as-file-descriptor-set", "-o"];
        let mut command = vec![program.to_owned()];
        command.extend(args.iter().map(|arg| (*arg).to_owned()));
        command.push(shown(out.join(format!("{name}.binpb"))));
        command
    };
    println!("googleapis, {} files, to a descriptor set with imports and source info", files.len());
    table(
        rounds,
        &[
            Peer { name: "dunlin protoc", command: ours },
            Peer { name: "protoc", command: theirs },
            Peer { name: "dunlin build", command: build(&dunlin, "ours") },
            Peer { name: "buf build", command: build(&buf, "buf") },
        ],
    )?;
    if fs::read(out.join("ours"))? != fs::read(out.join("theirs"))? {
        return Err("the descriptor sets of dunlin and protoc differ".into());
    }

    let small = out.join("small");
    fs::create_dir_all(&small)?;
    fs::write(small.join("hello.proto"), SMALL)?;
    let file = |program: &[&str], name: &str| {
        let mut command: Vec<String> = program.iter().map(|arg| (*arg).to_owned()).collect();
        command.extend([format!("-I{}", small.display()), set(name), "hello.proto".to_owned()]);
        command
    };
    println!("\none small file");
    let mut build_small = vec![buf];
    build_small.extend([
        "build".to_owned(),
        shown(small.clone()),
        "-o".to_owned(),
        shown(out.join("s.binpb")),
    ]);
    table(
        rounds * 4,
        &[
            Peer { name: "dunlin protoc", command: file(&[&dunlin, "protoc"], "s1") },
            Peer { name: "protoc", command: file(&[&protoc], "s2") },
            Peer { name: "buf build", command: build_small },
        ],
    )?;
    fs::remove_dir_all(&out)?;
    Ok(())
}

const SMALL: &str = r#"syntax = "proto3";
package hello.v1;
message HelloRequest { string name = 1; }
message HelloResponse { string greeting = 1; }
service HelloService { rpc SayHello(HelloRequest) returns (HelloResponse); }
"#;

/// Runs the peers in turn, after one round that warms the page cache, and prints the medians.
fn table(rounds: usize, peers: &[Peer]) -> Result<()> {
    let mut costs = vec![Vec::new(); peers.len()];
    for round in 0..=rounds {
        for (peer, costs) in peers.iter().zip(&mut costs) {
            let cost = run(&peer.command)?;
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    println!(
        "{:16}{:>12}{:>12}{:>12}   ratio to the first: wall, CPU, peak",
        "", "wall ms", "CPU ms", "peak MiB"
    );
    let medians: Vec<Cost> = costs
        .iter()
        .map(|costs| Cost {
            wall_ms: median(costs, |cost| cost.wall_ms),
            cpu_ms: median(costs, |cost| cost.cpu_ms),
            peak_mib: median(costs, |cost| cost.peak_mib),
        })
        .collect();
    let first = medians[0];
    for (peer, cost) in peers.iter().zip(&medians) {
        println!(
            "{:16}{:>12.1}{:>12.1}{:>12.1}   {:>6.2} {:>6.2} {:>6.2}",
            peer.name,
            cost.wall_ms,
            cost.cpu_ms,
            cost.peak_mib,
            cost.wall_ms / first.wall_ms,
            cost.cpu_ms / first.cpu_ms,
            cost.peak_mib / first.peak_mib
        );
    }
    Ok(())
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn list(root: &Path, dir: &Path, out: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            list(root, &path, out)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            out.push(path.strip_prefix(root)?.display().to_string());
        }
    }
    Ok(())
}

/// The one folder of `dir` that has the file `name`.
fn find(dir: &Path, name: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for entry in entries {
        let candidate = entry?.path().join(name);
        if candidate.is_file() {
            return Ok(candidate);
        }
    }
    Err(format!("{name} is not below {}; run tests/oracles/install buf", dir.display()).into())
}
