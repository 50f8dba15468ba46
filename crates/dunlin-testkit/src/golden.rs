//! Golden files.

use std::path::{Path, PathBuf};

/// Collects the differences of many cases, so that a run shows all of them.
#[derive(Debug, Default)]
pub struct Golden {
    differences: Vec<String>,
    updated: usize,
    checked: usize,
}

impl Golden {
    /// No cases yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares `actual` with the text of `expected`, or rewrites it if `DUNLIN_UPDATE` is set.
    pub fn check(&mut self, expected: &Path, actual: &str) {
        self.checked += 1;
        let wanted = std::fs::read_to_string(expected).unwrap_or_default();
        if wanted == actual {
            return;
        }
        if std::env::var_os("DUNLIN_UPDATE").is_some() {
            match std::fs::write(expected, actual) {
                Ok(()) => self.updated += 1,
                Err(error) => {
                    self.differences.push(format!("{}: cannot be written: {error}", expected.display()))
                }
            }
            return;
        }
        self.differences.push(format!(
            "{} differs (DUNLIN_UPDATE=1 rewrites it)\n--- expected\n{wanted}--- actual\n{actual}",
            expected.display()
        ));
    }

    /// Notes a failure that is no difference of text.
    pub fn fail(&mut self, message: impl Into<String>) {
        self.differences.push(message.into());
    }

    /// Ends the run.
    ///
    /// # Panics
    /// If a case differs, or if there were fewer than `least` cases.
    pub fn finish(self, least: usize) {
        assert!(self.checked >= least, "only {} cases were found; there should be {least}", self.checked);
        let shown: Vec<&str> = self.differences.iter().take(20).map(String::as_str).collect();
        assert!(
            self.differences.is_empty(),
            "{} of {} cases differ:\n{}",
            self.differences.len(),
            self.checked,
            shown.join("\n")
        );
    }
}

/// All files below `folder` with this extension, sorted.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
