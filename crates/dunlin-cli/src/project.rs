//! `dunlin.toml`: what a project says to the commands.
//!
//! ```toml
//! [generate.rust]
//! views = false
//! boxed = [".shop.Order.customer"]
//! type_attribute = { ".shop" = "#[must_use]" }
//! ```

use std::path::Path;

use dunlin_codegen::rust::Options;
use toml::{Table, Value};

const NAME: &str = "dunlin.toml";

/// The options of the Rust generator in the `dunlin.toml` of the working directory, or else of the
/// nearest folder around it; the defaults if there is none.
pub(crate) fn rust_options() -> Result<Options, String> {
    let folder = std::env::current_dir().map_err(|error| format!("the working directory: {error}"))?;
    let Some(path) = folder.ancestors().map(|folder| folder.join(NAME)).find(|path| path.is_file()) else {
        return Ok(Options::default());
    };
    read(&path).map_err(|message| format!("{}: {message}", path.display()))
}

fn read(path: &Path) -> Result<Options, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    parse(&text)
}

fn parse(text: &str) -> Result<Options, String> {
    let root: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let Some(rust) = root.get("generate").and_then(|generate| generate.get("rust")) else {
        return Ok(Options::default());
    };
    let rust = rust.as_table().ok_or("`generate.rust` has to be a table")?;
    let mut options = Options::default();
    for (name, value) in rust {
        for argument in arguments(value).ok_or_else(|| format!("generate.rust.{name}: unexpected value"))? {
            options = options.set(name, &argument).map_err(|error| format!("generate.rust: {error}"))?;
        }
    }
    Ok(options)
}

/// What an option is set to, in order: a word, a list of words, or such by path.
fn arguments(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Table(by_path) => {
            let mut all = Vec::new();
            for (path, value) in by_path {
                all.extend(words(value)?.into_iter().map(|word| format!("{path}={word}")));
            }
            Some(all)
        }
        value => words(value),
    }
}

fn words(value: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Boolean(on) => Some(on.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter().map(word).collect(),
        value => Some(vec![word(value)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_option_can_be_written() {
        let text = r##"
            [generate.rust]
            boxed = [".a.B", ".a.C"]
            runtime = "::dunlin_protobuf"
            type_attribute = { ".a" = ["#[x]", "#[y]"] }
            views = false
            wrappers = { ".a" = true, ".a.b" = false }
        "##;
        let want = Options::default()
            .boxed(".a.B")
            .boxed(".a.C")
            .runtime("::dunlin_protobuf")
            .type_attribute(".a", "#[x]")
            .type_attribute(".a", "#[y]")
            .views(false)
            .wrappers(".a")
            .wrappers((".a.b", false));
        assert_eq!(format!("{:?}", parse(text).unwrap()), format!("{want:?}"));
        assert_eq!(format!("{:?}", parse("[other]").unwrap()), format!("{:?}", Options::default()));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, want) in [
            ("[generate.rust]\nnope = true", "unknown option `nope`"),
            ("[generate.rust]\nviews = 1", "generate.rust.views: unexpected value"),
            ("[generate]\nrust = 1", "has to be a table"),
            ("[generate", "TOML parse error"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(want), "{message}");
        }
    }
}
