//! `--watch`: generates again when something changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use notify::{Event, EventKind, RecursiveMode, Watcher};

use super::{GenerateArgs, inputs, run, template};
use crate::build::{Failure, exit_code, local_path};
use crate::print::complain;

/// Editors and branches change many files at once; they are waited for until nothing happens for so long.
const QUIET: Duration = Duration::from_millis(100);

/// Generates, and generates again when something changes. Ends only if there is nothing to watch.
pub(super) fn watch(args: &GenerateArgs) -> Result<(), Failure> {
    let (told, changes) = mpsc::channel();
    let on_event = move |event: notify::Result<Event>| {
        if let Ok(event) = event
            && !matches!(event.kind, EventKind::Access(_))
        {
            // Nobody waits for it once the command ends.
            let _ = told.send(event.paths);
        }
    };
    let fail = |error: notify::Error| Failure::Other(format!("cannot watch: {error}"));
    let mut watcher = notify::recommended_watcher(on_event).map_err(fail)?;
    let mut watched: BTreeMap<PathBuf, RecursiveMode> = BTreeMap::new();
    loop {
        // What is watched may have changed with the configuration. What changes from now on is noticed.
        let wanted = places(args)?;
        for (path, mode) in &wanted {
            if watched.get(path) != Some(mode) {
                watcher.watch(path, *mode).map_err(fail)?;
            }
        }
        for path in watched.keys().filter(|path| !wanted.contains_key(*path)) {
            // It may be gone already.
            let _ = watcher.unwatch(path);
        }
        watched = wanted;
        match run(args) {
            Ok(()) => complain("generated; waiting for changes"),
            Err(Failure::ClosedPipe) => return Err(Failure::ClosedPipe),
            Err(failure) => {
                let _ = exit_code(Err(failure), args.schema.error_format());
                complain("not generated; waiting for changes");
            }
        }
        loop {
            let Ok(paths) = changes.recv() else { return Ok(()) };
            if paths.iter().any(|path| is_source(path, args)) {
                break;
            }
        }
        while changes.recv_timeout(QUIET).is_ok() {}
    }
}

/// Folders to watch: those of the inputs whole, and those with the configuration.
fn places(args: &GenerateArgs) -> Result<BTreeMap<PathBuf, RecursiveMode>, Failure> {
    let mut places = BTreeMap::from([(PathBuf::from("."), RecursiveMode::NonRecursive)]);
    let template = Path::new(&args.template);
    if template.is_file()
        && let Some(folder) = template.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        places.insert(folder.to_path_buf(), RecursiveMode::NonRecursive);
    }
    // One that cannot be read is told of when it is used.
    let inputs = template::read(&args.template).map(|template| inputs(args, &template)).unwrap_or_default();
    let mut found = inputs.is_empty();
    let locations = inputs.iter().map(|input| input.location.as_str());
    for path in locations.chain(args.schema.proto_path().iter().map(String::as_str)).filter_map(local_path) {
        found = true;
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        places.insert(folder.to_path_buf(), RecursiveMode::Recursive);
    }
    if !found {
        return Err(Failure::Other("--watch needs an input that is a file or folder here".into()));
    }
    Ok(places)
}

/// Whether it is a schema or configuration. What is generated lies in the same folders, mostly.
fn is_source(path: &Path, args: &GenerateArgs) -> bool {
    const NAMES: [&str; 6] =
        ["buf.yaml", "buf.gen.yaml", "buf.work.yaml", "buf.mod", "buf.work", "dunlin.toml"];
    let Some(name) = path.file_name() else { return false };
    let is_named = |other: &str| Path::new(other).file_name() == Some(name);
    let inputs =
        || template::read(&args.template).map(|template| inputs(args, &template)).unwrap_or_default();
    path.extension().is_some_and(|e| e == "proto")
        || NAMES.iter().any(|known| name == *known)
        || is_named(&args.template)
        // Descriptor sets.
        || inputs().iter().filter_map(|input| local_path(&input.location)).any(|path| path.file_name() == Some(name))
}
