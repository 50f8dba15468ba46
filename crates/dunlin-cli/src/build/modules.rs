//! The files of modules.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dunlin_compiler::loader::{LoadError, LoadResult, Loaded, Loader};

use super::config::{Module, Workspace};

/// All files of a workspace, by import path.
#[derive(Debug, Default)]
pub(crate) struct ModuleFiles {
    files: HashMap<String, PathBuf>,
    /// The names of their modules, where they have one.
    names: HashMap<String, String>,
    roots: Vec<String>,
    /// A folder that nobody knows, and what is shown instead.
    shown: Option<(PathBuf, String)>,
}

impl ModuleFiles {
    /// Finds the files of all modules.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self, String> {
        let mut found = Self::default();
        for module in &workspace.modules {
            found.add(module)?;
        }
        Ok(found)
    }

    /// Files in this folder are shown as if they lay in one of this name.
    pub(crate) fn shown_in(mut self, folder: &Path, name: &str) -> Self {
        self.shown = Some((folder.to_path_buf(), name.to_owned()));
        self
    }

    fn add(&mut self, module: &Module) -> Result<(), String> {
        if !module.root.is_dir() {
            return Err(format!("module folder {} does not exist", module.root.display()));
        }
        self.roots.push(module.root.display().to_string());
        let is_wanted = |path: &Path| {
            (module.includes.is_empty() || module.includes.iter().any(|include| path.starts_with(include)))
                && !module.excludes.iter().any(|exclude| path.starts_with(exclude))
        };
        for entry in walkdir::WalkDir::new(&module.root).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|error| error.to_string())?;
            let path = entry.path();
            if !entry.file_type().is_file()
                || path.extension().is_none_or(|e| e != "proto")
                || !is_wanted(path)
            {
                continue;
            }
            let import = path.strip_prefix(&module.root).unwrap_or(path).to_string_lossy().replace('\\', "/");
            if let Some(name) = &module.name {
                self.names.insert(import.clone(), name.clone());
            }
            if let Some(other) = self.files.insert(import.clone(), path.to_path_buf()) {
                return Err(format!(
                    "\"{import}\" is in two modules: {} and {}",
                    other.display(),
                    path.display()
                ));
            }
        }
        Ok(())
    }

    /// The names of modules by the import paths of files, for modules that have one.
    pub(crate) fn names(&self) -> &HashMap<String, String> {
        &self.names
    }

    /// Import path and file of each, sorted.
    pub(crate) fn iter(&self) -> Vec<(&str, &Path)> {
        let mut files: Vec<(&str, &Path)> =
            self.files.iter().map(|(i, p)| (i.as_str(), p.as_path())).collect();
        files.sort_unstable();
        files
    }
}

impl Loader for ModuleFiles {
    fn load(&self, path: &str) -> LoadResult {
        let Some(file) = self.files.get(path) else {
            return Err(LoadError::NotFound { searched: self.roots.clone() });
        };
        match std::fs::read(file) {
            Ok(text) => {
                let shown = file.strip_prefix(".").unwrap_or(file);
                let display_path = match &self.shown {
                    Some((folder, name)) => match file.strip_prefix(folder) {
                        Ok(inner) => format!("{name}/{}", inner.display()),
                        Err(_) => shown.display().to_string(),
                    },
                    None => shown.display().to_string(),
                };
                Ok(Loaded::Text { display_path, text })
            }
            Err(error) => Err(LoadError::Unreadable { reason: format!("{}: {error}", file.display()) }),
        }
    }
}
