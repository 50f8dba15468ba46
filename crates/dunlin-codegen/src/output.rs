//! Generated files, before they are written anywhere.

use std::collections::BTreeMap;

use dunlin_protobuf::plugin::{CodeGeneratorResponse, File};

/// Generated files by their relative paths; several generators may write to one output.
#[derive(Clone, Debug, Default)]
pub struct Output {
    files: BTreeMap<String, Vec<u8>>,
}

/// Why generated files do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The first file of an answer continues a file that does not exist.
    #[error("the first generated file has no name")]
    NoName,
    /// Two generators, or one twice, wrote the same file.
    #[error("{0}: this file is generated twice")]
    Duplicate(String),
    /// An insertion into a file that no earlier generator wrote.
    #[error("{0}: cannot insert into a file that is not generated")]
    NoFile(String),
    /// The file to insert into lacks the insertion point.
    #[error("{file}: insertion point \"{point}\" is not found")]
    NoInsertionPoint {
        /// The file.
        file: String,
        /// The name of the insertion point.
        point: String,
    },
    /// The path could lead outside the output folder.
    #[error("{0}: the path of a generated file cannot contain `..` or start with `/`")]
    Escapes(String),
}

impl Output {
    /// The files so far.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// Adds a whole file.
    ///
    /// # Errors
    /// If there is such a file already.
    pub fn add(&mut self, name: &str, content: Vec<u8>) -> Result<(), OutputError> {
        if self.files.insert(name.to_owned(), content).is_some() {
            return Err(OutputError::Duplicate(name.to_owned()));
        }
        Ok(())
    }

    /// Takes over the files and insertions that a plugin answered with.
    ///
    /// # Errors
    /// If they do not fit with each other or with what is there.
    pub fn apply(&mut self, response: CodeGeneratorResponse) -> Result<(), OutputError> {
        let mut current: Option<String> = None;
        for File { name, insertion_point, content, .. } in response.file {
            let name = name.filter(|name| !name.is_empty());
            let content = content.unwrap_or_default();
            if let Some(point) = insertion_point.filter(|point| !point.is_empty()) {
                let name = name.ok_or(OutputError::NoName)?;
                self.insert(&name, &point, content)?;
                current = None;
                continue;
            }
            match name {
                Some(name) => {
                    self.add(&name, content)?;
                    current = Some(name);
                }
                // Without a name it goes on with the file before.
                None => {
                    let file = current.as_ref().and_then(|name| self.files.get_mut(name));
                    file.ok_or(OutputError::NoName)?.extend(content);
                }
            }
        }
        Ok(())
    }

    /// Checks that all paths stay inside the output folder.
    ///
    /// # Errors
    /// The first path that may not.
    pub fn check_paths(&self) -> Result<(), OutputError> {
        match self.files.keys().find(|name| name.contains("..") || name.starts_with('/')) {
            Some(name) => Err(OutputError::Escapes(name.clone())),
            None => Ok(()),
        }
    }

    /// Adds what Java expects in an archive.
    pub fn add_jar_manifest(&mut self) {
        const MANIFEST: &str = "Manifest-Version: 1.0\nCreated-By: 1.6.0 (protoc)\n\n";
        self.files.entry("META-INF/MANIFEST.MF".into()).or_insert_with(|| MANIFEST.into());
    }

    // Above the line that holds the insertion point, with the indent of that line.
    fn insert(&mut self, name: &str, point: &str, mut content: Vec<u8>) -> Result<(), OutputError> {
        let file = self.files.get_mut(name).ok_or_else(|| OutputError::NoFile(name.to_owned()))?;
        if content.last().is_some_and(|&last| last != b'\n') {
            content.push(b'\n');
        }
        let magic = format!("@@protoc_insertion_point({point})");
        let Some(at) = find(file, magic.as_bytes()) else {
            return Err(OutputError::NoInsertionPoint { file: name.to_owned(), point: point.to_owned() });
        };
        // `/* @@protoc_insertion_point(x) */` inside a line: right before the comment.
        let is_inline = at > 3 && &file[at - 3..at - 1] == b"/*";
        let start = if is_inline {
            at - 3
        } else {
            file[..at].iter().rposition(|&b| b == b'\n').map_or(0, |newline| newline + 1)
        };
        let indent_len = file[start..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let indent = file[start..start + indent_len].to_vec();
        let mut inserted = Vec::with_capacity(content.len() + indent.len());
        for line in content.split_inclusive(|&b| b == b'\n') {
            inserted.extend_from_slice(&indent);
            inserted.extend_from_slice(line);
        }
        file.splice(start..start, inserted);
        Ok(())
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, point: &str, content: &str) -> File {
        File {
            name: Some(name.into()),
            insertion_point: Some(point.into()),
            content: Some(content.into()),
            ..Default::default()
        }
    }

    fn response(file: Vec<File>) -> CodeGeneratorResponse {
        CodeGeneratorResponse { file, ..Default::default() }
    }

    #[test]
    fn insertions_stand_above_their_point_in_the_order_of_arrival() {
        let mut output = Output::default();
        let base = "class A {\n  // @@protoc_insertion_point(body)\n}\n";
        output.apply(response(vec![file("a", "", base)])).unwrap();
        output.apply(response(vec![file("a", "body", "one\ntwo")])).unwrap();
        output.apply(response(vec![file("a", "body", "three\n")])).unwrap();
        let want = "class A {\n  one\n  two\n  three\n  // @@protoc_insertion_point(body)\n}\n";
        assert_eq!(String::from_utf8_lossy(&output.files()["a"]), want);
    }

    #[test]
    fn an_inline_point_gets_its_text_right_before_the_comment() {
        let mut output = Output::default();
        output.apply(response(vec![file("a", "", "f(1/* @@protoc_insertion_point(arg) */)\n")])).unwrap();
        output.apply(response(vec![file("a", "arg", ", 2")])).unwrap();
        assert_eq!(output.files()["a"], b"f(1, 2\n/* @@protoc_insertion_point(arg) */)\n");
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        let mut output = Output::default();
        output.apply(response(vec![file("a", "", "text")])).unwrap();
        for (response, want) in [
            (response(vec![file("a", "", "again")]), OutputError::Duplicate("a".into())),
            (response(vec![file("b", "x", "text")]), OutputError::NoFile("b".into())),
            (
                response(vec![file("a", "x", "text")]),
                OutputError::NoInsertionPoint { file: "a".into(), point: "x".into() },
            ),
            (response(vec![File::default()]), OutputError::NoName),
        ] {
            assert_eq!(output.apply(response), Err(want));
        }
        output.add("../up", vec![]).unwrap();
        assert_eq!(output.check_paths(), Err(OutputError::Escapes("../up".into())));
    }
}
