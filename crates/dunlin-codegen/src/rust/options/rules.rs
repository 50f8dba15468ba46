//! What the options say about a type, field or file.

use super::table::OPTIONS;
use super::{OptionError, OptionInfo};

/// One setting of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    option: &'static str,
    path: String,
    value: String,
}

/// Everything that was set, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

/// Where a type is that another crate has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside<'r> {
    /// What is below this path of the schema is below that path of Rust.
    Below(&'r str, &'r str),
    /// The modules of packages are in this module.
    Root(&'r str),
}

impl Rules {
    pub(crate) fn set(&mut self, name: &str, argument: &str) -> Result<(), OptionError> {
        let option = OPTIONS
            .iter()
            .find(|option| option.name == name)
            .ok_or_else(|| OptionError::Unknown(name.into()))?;
        let OptionInfo { name, form, .. } = *option;
        let Some((path, value)) = form.parse(argument) else {
            return Err(OptionError::Value { name, value: argument.into(), expected: form.expected() });
        };
        self.push(name, path, value);
        Ok(())
    }

    pub(super) fn push(&mut self, option: &'static str, path: impl Into<String>, value: impl Into<String>) {
        debug_assert!(OPTIONS.iter().any(|known| known.name == option), "{option} is in the table");
        self.0.push(Rule { option, path: path.into(), value: value.into() });
    }

    /// Puts other rules before these, so that these count where both say something.
    pub(crate) fn after(mut self, mut first: Self) -> Self {
        first.0.append(&mut self.0);
        first
    }

    fn of(&self, option: &'static str) -> impl DoubleEndedIterator<Item = &Rule> {
        self.0.iter().filter(move |rule| rule.option == option)
    }

    /// What the longest path that covers a name says; of equal ones the last.
    fn nearest(&self, option: &'static str, full_name: &str) -> Option<&Rule> {
        let all = self.of(option).filter(|rule| is_below(&rule.path, full_name));
        all.max_by_key(|rule| rule.path.trim_matches('.').len())
    }

    /// What a flag is set to for a name.
    pub(crate) fn flag(&self, option: &'static str, full_name: &str) -> Option<bool> {
        self.nearest(option, full_name).map(|rule| rule.value == "true")
    }

    /// All values that cover a name.
    pub(crate) fn texts<'r>(&'r self, options: &[&str], full_name: &str) -> Vec<&'r str> {
        let all = self.0.iter().filter(|rule| options.contains(&rule.option));
        all.filter(|rule| is_below(&rule.path, full_name)).map(|rule| rule.value.as_str()).collect()
    }

    /// The last value of an option that is said for the whole.
    fn last(&self, option: &'static str) -> Option<&str> {
        self.of(option).next_back().map(|rule| rule.value.as_str())
    }

    pub(crate) fn runtime(&self) -> &str {
        self.last("runtime").unwrap_or("::dunlin::protobuf")
    }

    /// Where the RPC runtime is, if there is one.
    pub(crate) fn rpc_runtime(&self) -> Option<&str> {
        let default = || self.runtime().strip_suffix("::protobuf").filter(|root| !root.is_empty());
        self.last("rpc_runtime").or_else(|| default().filter(|_| !self.is_no_std()))
    }

    /// True if the well-known types are those of the runtime.
    pub(crate) fn has_runtime_types(&self) -> bool {
        self.last("well_known_types") != Some("generate")
    }

    pub(crate) fn is_no_std(&self) -> bool {
        self.last("no_std") == Some("true")
    }

    /// Where a type is, if it is not generated.
    pub(crate) fn outside(&self, full_name: &str, file: &str) -> Option<Outside<'_>> {
        if let Some(rule) = self.nearest("extern_path", full_name) {
            return Some(Outside::Below(rule.path.trim_matches('.'), &rule.value));
        }
        let files = self.of("extern_file").filter(|rule| is_in(&rule.path, file));
        files.max_by_key(|rule| rule.path.len()).map(|rule| Outside::Root(&rule.value))
    }

    /// True if the file is to be generated, for all that is said about files.
    pub(crate) fn wants_file(&self, file: &str) -> bool {
        let mut included = self.of("include_file").peekable();
        (included.peek().is_none() || included.any(|rule| is_in(&rule.value, file)))
            && !self.of("exclude_file").any(|rule| is_in(&rule.value, file))
    }
}

/// True if `full_name` is `path`, or something inside it.
fn is_below(path: &str, full_name: &str) -> bool {
    let path = path.trim_matches('.');
    path.is_empty()
        || full_name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// True if `file` is `path`, or lies in that folder.
fn is_in(path: &str, file: &str) -> bool {
    let path = path.trim_end_matches('/');
    file.strip_prefix(path).is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
}
