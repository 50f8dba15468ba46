//! Which file declares what.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use dunlin_protobuf::descriptor::{
    DescriptorMessage, DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

/// Files by all names that can be asked for.
#[derive(Debug, Default)]
pub(super) struct Index {
    files: Vec<File>,
    paths: HashMap<String, usize>,
    /// The file that declares a name.
    symbols: HashMap<String, usize>,
    /// The files of the extensions of each message, by their numbers; messages without any too.
    extensions: HashMap<String, BTreeMap<i32, usize>>,
}

#[derive(Debug)]
struct File {
    /// The encoded descriptor.
    bytes: Bytes,
    imports: Vec<String>,
}

/// The files that a caller has. Whoever has a file has all its imports.
#[derive(Debug)]
pub(super) struct Sent(Vec<bool>);

impl Index {
    /// Adds a file, unless there is one with its path.
    pub(super) fn add(&mut self, mut file: FileDescriptorProto) {
        let path = file.name.clone().unwrap_or_default();
        if self.paths.contains_key(&path) {
            return;
        }
        // Comments and places are for those who have the text.
        file.source_code_info = None;
        let index = self.files.len();
        self.paths.insert(path, index);
        Names { index: self, file: index }.file(&file);
        let imports = file.dependency.iter().chain(&file.option_dependency).cloned().collect();
        self.files.push(File { bytes: file.encode_to_vec().into(), imports });
    }

    /// Of a caller who has nothing.
    pub(super) fn none_sent(&self) -> Sent {
        Sent(vec![false; self.files.len()])
    }

    pub(super) fn by_path(&self, path: &str) -> Option<usize> {
        self.paths.get(path).copied()
    }

    /// The file that declares a name, which may have a dot in front.
    pub(super) fn by_symbol(&self, name: &str) -> Option<usize> {
        self.symbols.get(plain(name)).copied()
    }

    pub(super) fn by_extension(&self, message: &str, number: i32) -> Option<usize> {
        self.extensions.get(plain(message))?.get(&number).copied()
    }

    /// The numbers of all extensions of a message, in their order.
    pub(super) fn extension_numbers(&self, message: &str) -> Option<Vec<i32>> {
        let extensions = self.extensions.get(plain(message))?;
        Some(extensions.keys().copied().collect())
    }

    /// A file, and those of its imports that the caller does not have yet, breadth first. Over all requests
    /// of a caller, this looks at each import of each file once.
    pub(super) fn with_imports(&self, file: usize, sent: &mut Sent) -> Vec<Bytes> {
        let mut found = Vec::new();
        let mut queue = VecDeque::from([file]);
        // What was asked for is sent again.
        let mut is_wanted = true;
        while let Some(at) = queue.pop_front() {
            let was_sent = std::mem::replace(&mut sent.0[at], true);
            if was_sent && !is_wanted {
                continue;
            }
            is_wanted = false;
            found.push(self.files[at].bytes.clone());
            if !was_sent {
                // Those that are not there are not known to anybody.
                queue.extend(self.files[at].imports.iter().filter_map(|path| self.by_path(path)));
            }
        }
        found
    }
}

fn plain(name: &str) -> &str {
    name.strip_prefix('.').unwrap_or(name)
}

fn within(scope: &str, name: &Option<String>) -> String {
    let name = name.as_deref().unwrap_or_default();
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// Enters the names of a file.
struct Names<'i> {
    index: &'i mut Index,
    file: usize,
}

impl Names<'_> {
    fn file(&mut self, file: &FileDescriptorProto) {
        let package = file.package.as_deref().unwrap_or_default();
        // A queue, as messages may be nested without end.
        let mut messages: VecDeque<(String, &DescriptorProto)> =
            file.message_type.iter().map(|message| (within(package, &message.name), message)).collect();
        while let Some((name, message)) = messages.pop_front() {
            let nested = message.nested_type.iter();
            messages.extend(nested.map(|nested| (within(&name, &nested.name), nested)));
            self.message(name, message);
        }
        self.enums(package, &file.enum_type);
        self.extensions(package, &file.extension);
        for service in &file.service {
            let name = within(package, &service.name);
            for method in &service.method {
                self.symbol(within(&name, &method.name));
            }
            self.symbol(name);
        }
    }

    fn message(&mut self, name: String, message: &DescriptorProto) {
        for field in &message.field {
            self.symbol(within(&name, &field.name));
        }
        for oneof in &message.oneof_decl {
            self.symbol(within(&name, &oneof.name));
        }
        self.enums(&name, &message.enum_type);
        self.extensions(&name, &message.extension);
        self.index.extensions.entry(name.clone()).or_default();
        self.symbol(name);
    }

    fn enums(&mut self, scope: &str, enums: &[EnumDescriptorProto]) {
        for declared in enums {
            // Values stand beside their enum.
            for value in &declared.value {
                self.symbol(within(scope, &value.name));
            }
            self.symbol(within(scope, &declared.name));
        }
    }

    fn extensions(&mut self, scope: &str, extensions: &[FieldDescriptorProto]) {
        for extension in extensions {
            self.symbol(within(scope, &extension.name));
            if let (Some(of), Some(number)) = (&extension.extendee, extension.number) {
                let of = self.index.extensions.entry(plain(of).to_owned()).or_default();
                of.entry(number).or_insert(self.file);
            }
        }
    }

    fn symbol(&mut self, name: String) {
        self.index.symbols.entry(name).or_insert(self.file);
    }
}

#[cfg(test)]
mod tests {
    use dunlin_compiler::loader::Sources;
    use dunlin_compiler::{Compiler, DescriptorOptions};

    use super::*;

    fn index(sources: &[(&str, &str)]) -> Index {
        let loader = sources.iter().fold(Sources::new(), |all, (path, text)| all.file(*path, *text));
        let inputs: Vec<_> = sources.iter().map(|(path, _)| path.to_string()).collect();
        let compilation = Compiler::new(loader).source_info(true).compile(inputs).unwrap();
        let options = DescriptorOptions { include_source_info: true, ..Default::default() };
        let mut index = Index::default();
        compilation.file_descriptor_set(options).file.into_iter().for_each(|file| index.add(file));
        index
    }

    fn paths(files: &[Bytes]) -> Vec<String> {
        files.iter().map(|bytes| FileDescriptorProto::decode(bytes).unwrap().name.unwrap()).collect()
    }

    #[test]
    fn every_kind_of_name_is_found_in_its_file() {
        let index = index(&[
            ("other.proto", "syntax = \"proto3\"; package other; message M {}"),
            (
                "a.proto",
                r#"syntax = "proto2"; package a.b;
                message M {
                    optional int32 field = 1; oneof choice { bool yes = 2; }
                    message Inner { enum Deep { DEEP = 0; } } enum E { VALUE = 0; }
                    extensions 100 to 200; extend M { optional M nested = 101; }
                }
                enum Top { TOP = 0; }
                extend M { optional int32 outer = 150; }
                service S { rpc Get(M) returns (M); }"#,
            ),
        ]);
        for name in [
            "a.b.M",
            "a.b.M.field",
            "a.b.M.choice",
            "a.b.M.yes",
            "a.b.M.Inner",
            "a.b.M.Inner.Deep",
            "a.b.M.Inner.DEEP",
            "a.b.M.E",
            "a.b.M.VALUE",
            "a.b.M.nested",
            "a.b.Top",
            "a.b.TOP",
            "a.b.outer",
            "a.b.S",
            "a.b.S.Get",
            ".a.b.S",
        ] {
            assert_eq!(index.by_symbol(name), index.by_path("a.proto"), "{name}");
        }
        for name in ["", ".", "a.b", "a.b.M.E.VALUE", "M", "..a.b.M", "a.b.S/Get"] {
            assert_eq!(index.by_symbol(name), None, "{name}");
        }
        assert_eq!(index.by_extension("a.b.M", 101), index.by_path("a.proto"));
        assert_eq!(index.by_extension("a.b.M", 102), None);
        assert_eq!(index.extension_numbers(".a.b.M"), Some(vec![101, 150]));
        assert_eq!(index.extension_numbers("other.M"), Some(vec![]));
        assert_eq!(index.extension_numbers("a.b.Top"), None);
    }

    #[test]
    fn imports_follow_breadth_first_and_once() {
        let text = |imports: &[&str]| {
            let imports: String = imports.iter().map(|path| format!("import \"{path}\";")).collect();
            format!("syntax = \"proto3\"; {imports}")
        };
        let index = index(&[
            ("leaf.proto", &text(&[])),
            ("left.proto", &text(&["leaf.proto"])),
            ("right.proto", &text(&["leaf.proto"])),
            ("top.proto", &text(&["left.proto", "right.proto"])),
        ]);
        let file = |path| index.by_path(path).unwrap();
        let mut sent = index.none_sent();
        let mut ask = |path| paths(&index.with_imports(file(path), &mut sent));
        assert_eq!(ask("right.proto"), ["right.proto", "leaf.proto"]);
        assert_eq!(ask("top.proto"), ["top.proto", "left.proto"]);
        // What was asked for comes again, and nothing else.
        assert_eq!(ask("top.proto"), ["top.proto"]);
        assert_eq!(ask("leaf.proto"), ["leaf.proto"]);
        let all = index.with_imports(file("top.proto"), &mut index.none_sent());
        assert_eq!(paths(&all), ["top.proto", "left.proto", "right.proto", "leaf.proto"]);
    }

    #[test]
    fn files_keep_their_imports_and_lose_comments_and_missing_files_are_skipped() {
        let file = FileDescriptorProto {
            name: Some("a.proto".into()),
            dependency: vec!["gone.proto".into(), "a.proto".into()],
            source_code_info: Some(Default::default()),
            ..Default::default()
        };
        let mut index = Index::default();
        index.add(file.clone());
        // Not twice, whatever it says.
        index.add(FileDescriptorProto { package: Some("other".into()), ..file.clone() });
        let sent = index.with_imports(0, &mut index.none_sent());
        let wanted = FileDescriptorProto { source_code_info: None, ..file };
        assert_eq!(sent, [wanted.encode_to_vec()]);
    }
}
