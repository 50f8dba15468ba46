//! What no file of the repository may contain: the place where someone worked on it, and the
//! names of package registries. Clients know their registry, and a mirror may stand in for it.

use workspace_tests::{root, tracked_files};

/// Folders of a machine. They are written in two parts, so that this file does not match itself.
const FOLDERS: &[(&str, &str)] = &[
    ("/ho", "me/"),
    ("/Us", "ers/"),
    ("/ro", "ot/"),
    ("/wo", "rk/"),
    ("/t", "mp/"),
    ("/pri", "vate/"),
    ("/var/fol", "ders/"),
    (":\\Us", "ers\\"),
];

/// Host names of registries, likewise.
const REGISTRIES: &[(&str, &str)] = &[
    ("crates", ".io"),
    ("npm", "js"),
    ("yarn", "pkg.com"),
    ("pypi", ".org"),
    ("python", "hosted.org"),
    ("proxy.go", "lang.org"),
    ("sum.go", "lang.org"),
    ("repo1.ma", "ven"),
    ("repo.ma", "ven"),
    ("search.ma", "ven"),
    ("sona", "type"),
    ("deb.deb", "ian.org"),
    ("security.deb", "ian.org"),
    ("ftp.deb", "ian.org"),
    ("archive.ub", "untu.com"),
    ("security.ub", "untu.com"),
];

/// A fault of this line, if there is one.
fn fault(file: &str, line: &str) -> Option<String> {
    if line.contains("mktemp") {
        return None;
    }
    for (first, rest) in FOLDERS {
        let folder = format!("{first}{rest}");
        if line.match_indices(&folder).any(|(at, _)| is_absolute(&line[..at])) {
            return Some(format!("a path of one machine, {folder}"));
        }
    }
    // Cargo writes these, whichever mirror it asks.
    let is_lock_file = file == "Cargo.lock" || file.ends_with("/Cargo.lock");
    if is_lock_file && line.starts_with("source = \"registry+") {
        return None;
    }
    let line = line.to_ascii_lowercase();
    for (first, rest) in REGISTRIES {
        let host = format!("{first}{rest}");
        if line.contains(&host) {
            return Some(format!("the name of a package registry, {host}"));
        }
    }
    None
}

/// Whether a path starts after this text, and is not only continued: `-I` and `:` come before
/// paths, and `$x`, `..` or a name of a folder or host belong to them.
fn is_absolute(before: &str) -> bool {
    let word_start =
        before.rfind(|c: char| c.is_whitespace() || "\"'`=:,;(<".contains(c)).map_or(0, |at| at + 1);
    let word = &before[word_start..];
    let is_short_flag = word.len() == 2 && word.starts_with('-');
    // `file://` and a drive letter, whose colon belongs to the pattern.
    is_short_flag || word.chars().all(|c| !c.is_alphanumeric() && !"._-~$}*".contains(c)) || is_drive(word)
}

fn is_drive(word: &str) -> bool {
    matches!(word.as_bytes(), [letter] if letter.is_ascii_uppercase())
}

#[test]
fn no_tracked_file_names_a_folder_of_one_machine_or_a_package_registry() {
    let mut faults = Vec::new();
    let files = tracked_files();
    assert!(files.len() > 100, "only {} files were found", files.len());
    for file in &files {
        let bytes = std::fs::read(root().join(file)).expect("a tracked file is readable");
        for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
            if let Some(fault) = fault(file, line) {
                faults.push(format!("{file}:{}: {fault}", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{} lines:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn paths_and_hosts_are_found_where_they_start_and_not_inside_of_others() {
    let home = FOLDERS[0].0.to_owned() + FOLDERS[0].1;
    let temporary = FOLDERS[4].0.to_owned() + FOLDERS[4].1;
    let windows = FOLDERS[7].0.to_owned() + FOLDERS[7].1;
    let host = REGISTRIES[0].0.to_owned() + REGISTRIES[0].1;
    for (file, line, want) in [
        ("a.rs", format!("\"{home}someone/x\""), true),
        ("a.sh", format!("cc -I{home}someone/include"), true),
        ("a.sh", format!("-I a:{home}someone/include"), true),
        ("a.md", format!("file://{home}someone"), true),
        ("a.md", format!("C{windows}someone"), true),
        ("a.md", format!("see example.com{home}page"), false), // a path of a host
        ("a.sh", format!("cd \"$root{home}x\""), false),       // a path below a variable
        ("a.sh", format!("cd ..{home}x"), false),              // a relative path
        ("a.sh", format!("dunlin build -o {temporary}x"), true),
        ("a.sh", format!("mktemp -d {temporary}x.XXXX"), false), // a fresh folder, named by mktemp
        ("a.md", format!("published on {host}"), true),
        ("a/Cargo.lock", format!("source = \"registry+https://{host}-index\""), false),
        ("a/Cargo.toml", format!("source = \"registry+https://{host}-index\""), true),
    ] {
        assert_eq!(fault(file, &line).is_some(), want, "{file}: {line}");
    }
}
