//! What is written in two places agrees: cases and their golden files, files and their lists,
//! the documents and what they name.

use std::collections::BTreeSet;

use workspace_tests::{root, tracked_files};

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The folder of a path, without `/` at its end.
fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The names of the crates of the workspace.
fn crates() -> BTreeSet<String> {
    let files = tracked_files();
    let manifests = files.iter().filter_map(|file| file.strip_prefix("crates/"));
    manifests.filter_map(|path| path.strip_suffix("/Cargo.toml")).map(str::to_owned).collect()
}

#[test]
fn every_case_of_the_invalid_corpus_has_its_golden_file_and_no_golden_file_is_left_over() {
    let files: BTreeSet<String> =
        tracked_files().into_iter().filter(|file| file.starts_with("corpora/invalid/")).collect();
    let mut faults = Vec::new();
    for file in &files {
        if let Some(case) = file.strip_suffix(".proto") {
            // In a folder with main.proto the others are its imports.
            let main = format!("{}/main.proto", folder(file));
            let is_import = files.contains(&main) && *file != main;
            if !is_import && !files.contains(&format!("{case}.stderr")) {
                faults.push(format!("{file} has no golden file"));
            }
            if is_import && files.contains(&format!("{case}.stderr")) {
                faults.push(format!("{case}.stderr belongs to an import"));
            }
        } else if let Some(case) = file.strip_suffix(".stderr") {
            if !files.contains(&format!("{case}.proto")) {
                faults.push(format!("{file} has no case"));
            }
        } else {
            faults.push(format!("{file} is neither a case nor a golden file"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_well_known_file_is_built_in() {
    let source = read("crates/dunlin-compiler/src/wellknown.rs");
    let listed: BTreeSet<&str> =
        source.split('"').skip(1).step_by(2).filter(|text| text.ends_with(".proto")).collect();
    let files = tracked_files();
    let present: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.strip_prefix("crates/dunlin-compiler/src/wellknown/"))
        .filter(|path| path.ends_with(".proto"))
        .collect();
    assert!(!present.is_empty(), "the well-known files have moved");
    let missing: Vec<_> = present.difference(&listed).collect();
    assert!(missing.is_empty(), "not in the list of wellknown.rs: {missing:?}");
}

#[test]
fn every_schema_tree_can_be_installed() {
    let install = read("tests/oracles/install");
    let names: BTreeSet<&str> = install.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let trees = read("tests/oracles/trees.txt");
    let trees = trees.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('|'));
    for (name, _) in trees {
        let tree = name.trim().split(':').next().unwrap_or_default();
        assert!(names.contains(tree), "tests/oracles/install does not know {tree}");
    }
}

#[test]
fn the_architecture_names_every_crate_and_no_crate_that_is_gone() {
    let text = read("ARCHITECTURE.md");
    let words: BTreeSet<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_' && c != '/').collect();
    let crates = crates();
    let mut faults = Vec::new();
    for name in &crates {
        let path = format!("crates/{name}");
        let is_named = words.iter().any(|word| {
            *word == name
                || word.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if !is_named {
            faults.push(format!("ARCHITECTURE.md does not name {name}"));
        }
    }
    for word in &words {
        let named = word.strip_prefix("crates/").and_then(|path| path.split('/').next());
        if let Some(name) = named.filter(|name| !name.is_empty() && !crates.contains(*name)) {
            faults.push(format!("ARCHITECTURE.md names crates/{name}, which does not exist"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn relative_links_of_documents_lead_to_tracked_files() {
    let files = tracked_files();
    let mut places: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    for file in &files {
        let mut place = folder(file);
        while !place.is_empty() {
            places.insert(place);
            place = folder(place);
        }
    }
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.ends_with(".md")) {
        for link in links(&read(file)) {
            let target = link.split(['#', '?']).next().unwrap_or_default();
            if target.is_empty() || is_url(target) {
                continue;
            }
            let is_found = resolve(folder(file), target)
                .is_some_and(|path| path.is_empty() || places.contains(path.as_str()));
            if !is_found {
                faults.push(format!("{file}: {link}"));
            }
        }
    }
    assert!(faults.is_empty(), "links that lead nowhere:\n{}", faults.join("\n"));
}

/// The listings for other libraries were compiled by hand; ours is a program of the examples.
#[test]
fn the_service_in_the_documents_is_the_program_and_short() {
    let document = read("docs/one-service.md");
    let program = read("examples/calls/src/bin/shop.rs");
    let start = program.find("dunlin::include_generated!();").expect("the program has its schema first");
    let end = program.find("\n#[tokio::test]").expect("the program ends with its test");
    let code = &program[start..end];
    let proto = read("examples/calls/proto/shop.proto");
    assert!(document.contains(&format!("```rust\n{code}```\n")), "docs/one-service.md has another program");
    assert!(document.contains(&format!("```proto\n{proto}```\n")), "docs/one-service.md has another schema");
    assert!(code.lines().count() <= 70, "the program has {} lines", code.lines().count());
}

/// What a newcomer copies from the first page is compiled.
#[test]
fn the_service_of_the_readme_is_a_program_of_sixty_lines() {
    let document = read("README.md");
    let mut lines = 0;
    for (file, start) in [
        ("proto/greeter.proto", "```proto\n"),
        ("build.rs", "```rust\n// build.rs\n"),
        ("src/bin/server.rs", "```rust\n// src/bin/server.rs\n"),
        ("src/bin/client.rs", "```rust\n// src/bin/client.rs\n"),
    ] {
        let code = read(&format!("examples/greeter/{file}"));
        assert!(document.contains(&format!("{start}{code}```\n")), "README.md has another {file}");
        lines += code.lines().count();
    }
    assert!(lines <= 60, "the service of README.md has {lines} lines");
}

#[test]
fn the_tests_in_the_documents_are_run_and_short() {
    let document = read("docs/testing.md");
    let tests = read("examples/calls/tests/testing.rs");
    let blocks: Vec<&str> = document
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split_once("```\n").expect("a block that ends").0)
        .collect();
    assert_eq!(blocks.len(), tests.matches("#[tokio::test").count(), "docs/testing.md has not all tests");
    for block in blocks {
        assert!(tests.contains(block), "docs/testing.md has another test:\n{block}");
    }
    assert!(document.lines().count() <= 100, "docs/testing.md has {} lines", document.lines().count());
}

fn is_url(target: &str) -> bool {
    let scheme = target.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c)))
}

/// The path from the root that `target` means in a document of `folder`; none if it leaves the root.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let (mut parts, target) = match target.strip_prefix('/') {
        Some(rest) => (Vec::new(), rest),
        None => (folder.split('/').filter(|part| !part.is_empty()).collect(), target),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The targets of `[text](target)` and `[label]: target`, outside of code.
fn links(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fence: Option<&str> = None;
    for line in markdown.lines() {
        let line = line.trim_start();
        let marker = ["```", "~~~"].into_iter().find(|marker| line.starts_with(marker));
        match (fence, marker) {
            (None, Some(_)) => fence = marker,
            (Some(open), Some(close)) if open == close => fence = None,
            (Some(_), _) => {}
            (None, None) => {
                // Inline code stands between backticks.
                let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
                found.extend(links_of_line(&prose));
            }
        }
    }
    found
}

fn links_of_line(line: &str) -> Vec<String> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let definition = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .and_then(|(_, target)| target.split_whitespace().next());
    inline.chain(definition).map(|target| target.trim_matches(['<', '>']).to_owned()).collect()
}

#[test]
fn links_are_found_in_prose_and_not_in_code() {
    let text =
        "[a](b.md#c) and [`d`](../e \"title\")\n[f]: <g.md>\n`[no](no)`\n```\n[no](no)\n```\n![h](i.png)\n";
    assert_eq!(links(text), ["b.md#c", "../e", "g.md", "i.png"]);
    assert_eq!(resolve("docs/a", "../b.md").as_deref(), Some("docs/b.md"));
    assert_eq!(resolve("docs", "../../b.md"), None);
}
