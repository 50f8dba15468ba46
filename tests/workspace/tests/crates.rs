//! Which crate may use which, and what every manifest says.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use workspace_tests::{root, tracked_files};

/// Where a crate stands: its dependencies point to lower levels only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Product(u8),
    /// A dev-dependency of all others, and free of what it tests.
    Dev,
}

use Level::{Dev, Product};

/// The levels of the crates, from what knows nothing to what users run.
const LEVELS: &[(&str, Level)] = &[
    ("dunlin-protobuf", Product(0)),
    ("dunlin-http2", Product(0)),
    ("dunlin-proto", Product(1)),
    ("dunlin-compiler", Product(1)),
    ("dunlin-grpc", Product(2)),
    ("dunlin-lint", Product(2)),
    ("dunlin-codegen", Product(2)),
    ("dunlin-validate", Product(2)),
    ("dunlin-transport", Product(3)),
    ("dunlin-build", Product(3)),
    ("dunlin-interceptors", Product(4)),
    ("dunlin-server", Product(4)),
    ("dunlin-client", Product(4)),
    ("dunlin-telemetry", Product(4)),
    ("dunlin-services", Product(5)),
    ("dunlin-testing", Product(5)),
    ("dunlin", Product(6)),
    ("dunlin-gateway", Product(6)),
    ("dunlin-cli", Product(7)),
    ("dunlin-testkit", Dev),
];

/// What the sources of a crate must not name, as text of Rust. Dependencies are found here by
/// their use, and parts of the standard library too.
const ABSENT: &[(&str, &[&str])] = &[
    ("dunlin-protobuf", &["std::fs", "std::net", "std::process", "async fn", "tokio", "dunlin_compiler"]),
    (
        "dunlin-http2",
        &["std::net", "std::sync::Mutex", "Instant::now", "SystemTime", "async fn", "tokio", "grpc"],
    ),
    ("dunlin-compiler", &["std::net", "std::process", "async fn", "tokio", "dunlin_grpc"]),
    ("dunlin-grpc", &["std::net", "tokio"]),
    ("dunlin-lint", &["std::net", "async fn", "tokio"]),
    ("dunlin-codegen", &["std::net", "async fn", "tokio", "dunlin_compiler"]),
    ("dunlin-validate", &["std::fs", "std::net", "async fn", "tokio", "dunlin_compiler"]),
    ("dunlin-build", &["async fn", "tokio"]),
    ("dunlin-transport", &["dunlin_protobuf", "dunlin_grpc"]),
    ("dunlin-server", &["dunlin_client"]),
    ("dunlin-client", &["dunlin_server"]),
    ("dunlin-telemetry", &["std::net", "dunlin_server", "dunlin_client"]),
];

fn level(name: &str) -> Level {
    let found = LEVELS.iter().find(|(known, _)| *known == name);
    let Some((_, level)) = found else {
        panic!("{name} has no level: add it to LEVELS in tests/workspace/tests/crates.rs");
    };
    *level
}

/// The members of the workspace, by name.
fn packages() -> BTreeMap<String, Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("the cargo that built this test is still there");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages
        .iter()
        .map(|package| (package["name"].as_str().expect("a name").to_owned(), package.clone()))
        .collect()
}

fn is_ours(name: &str) -> bool {
    name == "dunlin" || name.starts_with("dunlin-")
}

#[test]
fn dependencies_between_our_crates_point_to_a_lower_level() {
    let mut faults = Vec::new();
    let packages = packages();
    let ours = packages.iter().filter(|(name, _)| is_ours(name));
    for (name, package) in ours {
        let from = level(name);
        for dependency in package["dependencies"].as_array().expect("a list of dependencies") {
            let to = dependency["name"].as_str().expect("a name");
            if !is_ours(to) {
                continue;
            }
            let is_dev_dependency = dependency["kind"] == "dev";
            let allowed = match (from, level(to)) {
                (Dev, _) => false,
                _ if is_dev_dependency => true,
                (Product(from), Product(to)) => to < from,
                (Product(_), Dev) => false,
            };
            if !allowed {
                faults.push(format!("{name} ({from:?}) depends on {to} ({:?})", level(to)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_crate_does_not_name_what_must_be_absent_from_it() {
    let mut faults = Vec::new();
    for file in tracked_files() {
        let Some((name, below)) = file.strip_prefix("crates/").and_then(|path| path.split_once('/')) else {
            continue;
        };
        let Some((_, words)) = ABSENT.iter().find(|(known, _)| *known == name) else { continue };
        if !below.starts_with("src/") || !below.ends_with(".rs") {
            continue;
        }
        let text = std::fs::read_to_string(root().join(&file)).expect("a tracked Rust file is UTF-8");
        // Tests close a file, and may look at a clock.
        let product = text.lines().take_while(|line| *line != "#[cfg(test)]");
        for (number, line) in product.enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in words.iter().filter(|word| code.contains(**word)) {
                faults.push(format!("{file}:{}: {name} must not know {word}", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_crate_lies_in_a_folder_of_its_name() {
    let root = root();
    for (name, package) in packages() {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let folder = match (name.strip_suffix("-tests"), name.strip_suffix("-example")) {
            (Some(suite), _) => root.join("tests").join(suite),
            (_, Some(example)) => root.join("examples").join(example),
            _ => root.join("crates").join(&name),
        };
        let wanted = folder.join("Cargo.toml");
        assert_eq!(std::fs::canonicalize(manifest).ok(), wanted.canonicalize().ok(), "{name}: {manifest}");
    }
}

#[test]
fn every_manifest_takes_lints_version_edition_and_license_from_the_workspace() {
    let mut faults = Vec::new();
    for (name, package) in packages() {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let text = std::fs::read_to_string(manifest).expect("a manifest is readable");
        // The one crate with unsafe code, in one module, has the same lints but for that.
        let has_unsafe =
            name == "dunlin-protobuf" && inherits(&text, "lints.rust", "unsafe_code", "\"deny\"");
        // The README shows all of it, so it is what a newcomer writes.
        let is_first_program = name == "greeter-example";
        if !has_unsafe && !is_first_program && !inherits(&text, "lints", "workspace", "true") {
            faults.push(format!("{name}: no `[lints] workspace = true`"));
        }
        for key in ["version", "edition", "rust-version", "license", "repository"] {
            if !inherits(&text, "package", &format!("{key}.workspace"), "true") {
                faults.push(format!("{name}: no `{key}.workspace = true`"));
            }
        }
        if package["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
            faults.push(format!("{name}: no description"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether the manifest has `key = value` on a line of this section.
fn inherits(manifest: &str, section: &str, key: &str, value: &str) -> bool {
    let mut current = "";
    manifest.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            current = name;
            return false;
        }
        let pair = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        current == section && pair == Some((key, value))
    })
}

#[test]
fn the_package_with_the_command_runs_the_command() {
    // The README starts it by `cargo run -p dunlin-cli`, and it has a plugin beside it.
    assert_eq!(packages()["dunlin-cli"]["default_run"], "dunlin");
}
