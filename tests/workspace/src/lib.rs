//! Rules that hold for the workspace as a whole; see `tests/`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the checkout.
///
/// # Panics
/// If this crate has moved.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("this crate stands two folders below the root")
}

/// The tracked files that exist, as paths below [`root`] with `/` between their parts, sorted.
///
/// Without git, or in an unpacked archive, these are all files but those of build folders.
pub fn tracked_files() -> Vec<String> {
    let root = root();
    let mut files = listed_by_git(&root).unwrap_or_else(|| {
        let mut files = Vec::new();
        walk(&root, "", &mut files);
        files
    });
    files.retain(|file| root.join(file).is_file());
    files.sort();
    files
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    // An archive unpacked inside of another repository is not that repository's business.
    if !root.join(".git").exists() {
        return None;
    }
    let output = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(root: &Path, below: &str, files: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(root.join(below)) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                if name != "target" && name != ".git" {
                    walk(root, &path, files);
                }
            }
            Ok(_) => files.push(path),
            Err(_) => {}
        }
    }
}
