//! Metadata as users write it.

use dunlin_grpc::Metadata;

use super::failure::{Failure, Stage};
use super::flags::HeaderArgs;
use crate::payload;

impl HeaderArgs {
    /// What a call gets.
    pub(crate) fn for_calls(&self) -> Result<Metadata, Failure> {
        self.metadata([&self.header, &self.rpc_header])
    }

    /// What reflection gets.
    pub(crate) fn for_reflection(&self) -> Result<Metadata, Failure> {
        self.metadata([&self.header, &self.reflect_header])
    }

    fn metadata(&self, lists: [&Vec<String>; 2]) -> Result<Metadata, Failure> {
        let mut metadata = Metadata::new();
        for text in lists.into_iter().flatten() {
            let Some(path) = text.strip_prefix('@') else {
                self.add(text, &mut metadata)?;
                continue;
            };
            let lines = std::fs::read_to_string(path).map_err(|error| {
                Failure::local(Stage::Encode, format!("cannot read headers from {path}: {error}"))
            })?;
            for line in lines.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
                self.add(line, &mut metadata)?;
            }
        }
        Ok(metadata)
    }

    fn add(&self, text: &str, metadata: &mut Metadata) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let text = if self.expand_headers { expand(text)? } else { text.to_owned() };
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let added = if name.ends_with("-bin") {
            // What is no base64 is taken as it is.
            let bytes = payload::from_base64(value.as_bytes()).unwrap_or_else(|_| value.as_bytes().to_vec());
            metadata.append_bin(&name, bytes)
        } else {
            metadata.append(&name, value)
        };
        added.map_err(|error| Failure::Usage(format!("-H '{name}': {error}; write -H 'name: value'")))
    }
}

/// `${NAME}` stands for an environment variable.
fn expand(text: &str) -> Result<String, Failure> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let name = rest[start + 2..].split('}').next().unwrap_or_default();
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let end = start + 2 + name.len();
        if !is_name || !rest[end..].starts_with('}') {
            out.push_str(&rest[..start + 2]);
            rest = &rest[start + 2..];
            continue;
        }
        let value = std::env::var(name).map_err(|_| {
            let header = text.split(':').next().unwrap_or_default();
            Failure::local(
                Stage::Encode,
                format!("header `{header}` needs the environment variable {name}, which is not set"),
            )
        })?;
        out.push_str(&rest[..start]);
        out.push_str(&value);
        rest = &rest[end + 1..];
    }
    Ok(out + rest)
}

/// Metadata for people: sorted by name, bytes in base64.
pub(crate) fn shown(metadata: &Metadata) -> String {
    let mut lines = lines(metadata);
    if lines.is_empty() {
        return "(empty)".to_owned();
    }
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    lines.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}

/// Metadata as an object: lists of values by name.
pub(crate) fn json(metadata: &Metadata) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for (name, value) in lines(metadata) {
        let values = object.entry(name).or_insert_with(|| serde_json::Value::Array(Vec::new()));
        if let serde_json::Value::Array(values) = values {
            values.push(value.into());
        }
    }
    serde_json::Value::Object(object)
}

fn lines(metadata: &Metadata) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (name, _) in metadata.iter() {
        if !seen.insert(name.to_owned()) {
            continue;
        }
        if name.ends_with("-bin") {
            let values = metadata.get_all_bin(name).map(|bytes| payload::to_base64(&bytes));
            lines.extend(values.map(|value| (name.to_owned(), value)));
        } else {
            let values = metadata.iter().filter(|(other, _)| *other == name);
            lines.extend(
                values.map(|(_, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned())),
            );
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_names_and_values() {
        let args = HeaderArgs {
            header: ["A: b ", "x", "a:c:d", "k-bin: AQI=", "r-bin: not base64!", ""]
                .map(str::to_owned)
                .to_vec(),
            rpc_header: vec!["only: call".into()],
            reflect_header: vec!["only: reflection".into()],
            expand_headers: false,
        };
        let metadata = args.for_calls().unwrap();
        let want = "a: b\na: c:d\nk-bin: AQI=\nonly: call\nr-bin: bm90IGJhc2U2NCE=\nx: ";
        assert_eq!(shown(&metadata), want);
        assert_eq!(args.for_reflection().unwrap().get("only"), Some("reflection"));
        assert_eq!(shown(&Metadata::new()), "(empty)");
    }

    #[test]
    fn environment_variables_are_put_in_where_that_is_asked_for() {
        let mut args = HeaderArgs { header: vec!["a: ${PATH} ${ $x".into()], ..Default::default() };
        assert_eq!(args.for_calls().unwrap().get("a"), Some("${PATH} ${ $x"));
        args.expand_headers = true;
        let path = std::env::var("PATH").unwrap();
        assert_eq!(args.for_calls().unwrap().get("a"), Some(format!("{path} ${{ $x").as_str()));
        args.header = vec!["a: ${DUNLIN_IS_NOT_SET}".into()];
        assert!(matches!(args.for_calls(), Err(Failure::Local(Stage::Encode, _))));
    }
}
