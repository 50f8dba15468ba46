//! Types of other crates, by the metadata that cargo passes between build scripts.
//!
//! What a crate publishes is a file with a line for each fact: `include FOLDER`, or an option of the
//! generator. Its path goes to the crates that depend on it directly as `DEP_<LINKS>_DUNLIN_TYPES`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dunlin_codegen::rust::{OptionError, Options};

/// The name of the file, and what its path is called in cargo's metadata.
pub(crate) const FILE: &str = "dunlin.types";
pub(crate) const KEY: &str = "dunlin_types";

/// What other crates publish.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) includes: Vec<PathBuf>,
    /// Names and arguments of options.
    options: Vec<(String, String)>,
}

impl Published {
    /// What the files say that cargo names; the paths of those that cannot be read, and why.
    pub(crate) fn of_dependencies() -> Result<Self, (PathBuf, std::io::Error)> {
        let mut files: Vec<PathBuf> = std::env::vars_os()
            .filter(|(name, _)| {
                let name = name.to_string_lossy();
                name.starts_with("DEP_") && name.ends_with("_DUNLIN_TYPES")
            })
            .map(|(_, path)| path.into())
            .collect();
        files.sort();
        let mut published = Self::default();
        for path in files {
            let text = std::fs::read_to_string(&path).map_err(|error| (path, error))?;
            published.read(&text);
        }
        Ok(published)
    }

    fn read(&mut self, text: &str) {
        for line in text.lines() {
            if let Some(folder) = line.strip_prefix("include ") {
                let folder = PathBuf::from(folder);
                if !self.includes.contains(&folder) {
                    self.includes.push(folder);
                }
            } else if let Some((name, argument)) = line.split_once('=') {
                let option = (name.to_owned(), argument.to_owned());
                if !self.options.contains(&option) {
                    self.options.push(option);
                }
            }
        }
    }

    /// The options, except for those that say where one of `own` files is.
    pub(crate) fn options(&self, own: &[String]) -> Result<Options, OptionError> {
        let is_own = |(name, argument): &&(String, String)| {
            let file = argument.split('=').next().unwrap_or_default();
            name == "extern_file" && own.iter().any(|path| path == file)
        };
        let foreign = self.options.iter().filter(|option| !is_own(option));
        foreign
            .cloned()
            .try_fold(Options::default(), |options, (name, argument)| options.set(&name, &argument))
    }

    /// The text that tells other crates of `includes` and `options`, and of what this knows already.
    pub(crate) fn text(&self, includes: &[PathBuf], options: &[String]) -> String {
        let mut out = String::new();
        for folder in includes.iter().chain(&self.includes) {
            let _ = writeln!(out, "include {}", absolute(folder).display());
        }
        options.iter().for_each(|option| out += &format!("{option}\n"));
        self.options.iter().for_each(|(name, argument)| out += &format!("{name}={argument}\n"));
        out
    }
}

fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_read_again() {
        let mut first = Published::default();
        first.read("include /a\nextern_file=a.proto=::a\nviews=.a.A=false\n");
        let text = first.text(&["/b".into()], &["extern_file=b.proto=::b".into()]);
        let mut second = Published::default();
        second.read(&text);
        assert_eq!(second.includes, [PathBuf::from("/b"), "/a".into()]);
        let options = second.options(&["a.proto".into()]).unwrap();
        let want = Options::default().extern_file("b.proto", "::b").views((".a.A", false));
        assert_eq!(format!("{options:?}"), format!("{want:?}"));
    }
}
