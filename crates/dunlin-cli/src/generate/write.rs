//! Generated files on disk: writing what changed, deleting what is gone, telling what is stale.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dunlin_codegen::output::Output;

use crate::build::Failure;
use crate::print::complain;
use crate::protoc;

type Outputs = BTreeMap<PathBuf, Output>;

/// Writes all files; those that are on disk as they should be are left alone.
pub(super) fn write(outputs: &mut Outputs, clean: bool) -> Result<(), Failure> {
    if clean {
        for (place, output) in &*outputs {
            delete_others(place, output)?;
        }
    }
    for (place, output) in outputs {
        if let Some(archive) = archive(place, output) {
            let location = place.to_string_lossy();
            make_folder(place.parent())?;
            protoc::write_archive(&location, archive).map_err(|error| format!("{location}: {error}"))?;
            continue;
        }
        for (name, content) in output.files() {
            let path = place.join(name);
            if std::fs::read(&path).is_ok_and(|old| old == *content) {
                continue;
            }
            make_folder(path.parent())?;
            std::fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

/// Tells which files are not as they should be.
pub(super) fn check(outputs: &mut Outputs, clean: bool) -> Result<(), Failure> {
    let mut stale = Vec::new();
    for (place, output) in outputs {
        if archive(place, output).is_some() {
            return Err(Failure::Other(format!("{}: --check does not look into archives", place.display())));
        }
        for (name, content) in output.files() {
            let path = place.join(name);
            match std::fs::read(&path) {
                Ok(old) if old == *content => {}
                Ok(_) => stale.push(format!("{}: out of date", path.display())),
                Err(_) => stale.push(format!("{}: missing", path.display())),
            }
        }
        if clean {
            stale.extend(
                others(place, output).iter().map(|path| format!("{}: not generated", path.display())),
            );
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    stale.iter().for_each(|line| complain(line));
    Err(Failure::Findings)
}

fn archive<'o>(place: &Path, output: &'o mut Output) -> Option<&'o Output> {
    let extension = place.extension()?.to_str()?;
    if extension == "jar" {
        output.add_jar_manifest();
    }
    matches!(extension, "zip" | "jar").then_some(output)
}

fn make_folder(folder: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = folder else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|error| Failure::Other(format!("{}: {error}", folder.display())))
}

/// Files in an output folder that are not generated.
fn others(place: &Path, output: &Output) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(place).sort_by_file_name().into_iter().flatten();
    files
        .filter(|entry| !entry.file_type().is_dir())
        .filter(|entry| {
            let name = entry.path().strip_prefix(place).unwrap_or(entry.path());
            !output.files().contains_key(&name.to_string_lossy().replace('\\', "/"))
        })
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// Deletes all in an output folder but the files that are about to be written.
fn delete_others(place: &Path, output: &Output) -> Result<(), Failure> {
    let Ok(real) = place.canonicalize() else { return Ok(()) };
    // A folder that holds the sources, or the folder of another user, is nobody's output.
    if std::env::current_dir().and_then(|here| here.canonicalize()).is_ok_and(|here| here.starts_with(&real))
    {
        return Err(Failure::Other(format!(
            "{}: `clean` would delete the current folder; give the plugin an `out` of its own",
            place.display()
        )));
    }
    for path in others(place, output) {
        std::fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    // Folders that are empty now; others refuse.
    let folders = walkdir::WalkDir::new(place).min_depth(1).contents_first(true).into_iter().flatten();
    for folder in folders.filter(|entry| entry.file_type().is_dir()) {
        let _ = std::fs::remove_dir(folder.path());
    }
    Ok(())
}
