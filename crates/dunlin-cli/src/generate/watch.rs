//! `--watch`: generates again when something changes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecursiveMode, Watcher};

use super::{GenerateArgs, inputs, run, template};
use crate::build::{Failure, Local, exit_code, local};
use crate::print::complain;

/// Editors and branches change many files at once; they are waited for until nothing happens for so long.
const QUIET: Duration = Duration::from_millis(100);
/// But not for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Generates, and generates again when something changes. Ends only if there is nothing to watch.
pub(super) fn watch(args: &GenerateArgs) -> Result<(), Failure> {
    let (told, changes) = mpsc::channel();
    let on_event = move |event| {
        // Nobody waits for it once the command ends.
        let _ = told.send(event);
    };
    let fail = |error: notify::Error| Failure::Other(format!("cannot watch: {error}"));
    let mut watcher = notify::recommended_watcher(on_event).map_err(fail)?;
    let mut watched: Vec<PathBuf> = Vec::new();
    loop {
        // What is to be watched may have changed, and a folder may be another one of the same name. What changes from
        // now on is noticed, what has changed before is read.
        for path in watched.drain(..) {
            // It may be gone already.
            let _ = watcher.unwatch(&path);
        }
        let places = Places::find(args)?;
        for (path, mode) in &places.folders {
            watcher.watch(path, *mode).map_err(fail)?;
            watched.push(path.clone());
        }
        match run(args) {
            Ok(()) => complain("generated; waiting for changes"),
            Err(Failure::ClosedPipe) => return Err(Failure::ClosedPipe),
            Err(failure) => {
                let _ = exit_code(Err(failure), args.schema.error_format());
                complain("not generated; waiting for changes");
            }
        }
        loop {
            let Ok(event) = changes.recv() else { return Ok(()) };
            if places.concerns(&event) {
                break;
            }
        }
        let (start, mut quiet_since) = (Instant::now(), Instant::now());
        while quiet_since.elapsed() < QUIET && start.elapsed() < PATIENCE {
            if changes.recv_timeout(QUIET).is_ok_and(|event| places.concerns(&event)) {
                quiet_since = Instant::now();
            }
        }
    }
}

/// What is watched.
struct Places {
    folders: BTreeMap<PathBuf, RecursiveMode>,
    /// Names of files that matter besides schemas: configuration and descriptor sets.
    names: Vec<OsString>,
}

impl Places {
    /// The folders of modules, whole; those around them and those with single files, by themselves.
    fn find(args: &GenerateArgs) -> Result<Self, Failure> {
        const NAMES: [&str; 6] =
            ["buf.yaml", "buf.gen.yaml", "buf.work.yaml", "buf.mod", "buf.work", "dunlin.toml"];
        let mut places = Self {
            folders: BTreeMap::from([(PathBuf::from("."), RecursiveMode::NonRecursive)]),
            names: NAMES.map(OsString::from).to_vec(),
        };
        let template = Path::new(&args.template);
        if template.is_file() {
            places.file(template);
        }
        // A template that cannot be read is told of when it is used.
        let inputs = template::read(&args.template).map(|template| inputs(args, &template));
        let mut is_any = inputs.is_err();
        for input in inputs.unwrap_or_default() {
            match local(&input.location) {
                Some(Local::Modules(folders)) => folders.iter().for_each(|folder| places.folder(folder)),
                Some(Local::File(path)) => places.file(&path),
                None => continue,
            }
            is_any = true;
        }
        args.schema.proto_path().iter().for_each(|folder| places.folder(Path::new(folder)));
        if !is_any {
            return Err(Failure::Other("--watch needs an input that is a file or folder here".into()));
        }
        Ok(places)
    }

    fn file(&mut self, path: &Path) {
        self.names.extend(path.file_name().map(OsString::from));
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        self.folders
            .entry(folder.unwrap_or(Path::new(".")).to_path_buf())
            .or_insert(RecursiveMode::NonRecursive);
    }

    fn folder(&mut self, folder: &Path) {
        if !folder.is_dir() {
            return;
        }
        // Configuration is looked for upwards.
        for outer in folder.ancestors().skip(1).filter(|outer| !outer.as_os_str().is_empty()) {
            self.folders.entry(outer.to_path_buf()).or_insert(RecursiveMode::NonRecursive);
        }
        self.folders.insert(folder.to_path_buf(), RecursiveMode::Recursive);
    }

    /// Whether schemas or configuration changed. What is generated lies in the same folders, mostly.
    fn concerns(&self, event: &notify::Result<Event>) -> bool {
        // Something was missed: it may have been a schema.
        let Ok(event) = event else { return true };
        let is_named = |path: &PathBuf| {
            path.extension().is_some_and(|e| e == "proto")
                || path.file_name().is_some_and(|name| self.names.iter().any(|known| known == name))
        };
        // Of a folder that moves, nothing is told of what is in it.
        let is_folder = |path: &PathBuf| path.extension().is_none() && !path.is_file();
        let moves = matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        let is_read = matches!(event.kind, EventKind::Access(_));
        event.need_rescan()
            || (!is_read && event.paths.iter().any(is_named))
            || (moves && event.paths.iter().any(is_folder))
    }
}
