//! A folder with files, and programs run in it.
#![allow(dead_code, missing_docs, unreachable_pub)] // Each test binary uses a part.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::FileDescriptorSet;

/// What a program left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn new(code: i32, stdout: &str, stderr: &str) -> Self {
        Self { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    /// Nothing was said, and all went well.
    pub fn silent() -> Self {
        Self::new(0, "", "")
    }

    /// Fails with what was said if the program did not succeed without a word.
    #[track_caller]
    pub fn succeeds(&self) {
        assert_eq!(*self, Self::silent());
    }
}

/// A temporary folder, the working folder of the programs run in it.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    #[track_caller]
    pub fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    #[track_caller]
    pub fn read_text(&self, path: &str) -> String {
        String::from_utf8(self.read(path)).unwrap()
    }

    pub fn has(&self, path: &str) -> bool {
        self.path().join(path).exists()
    }

    /// All files below a folder of this one, sorted.
    pub fn files(&self, below: &str) -> Vec<String> {
        let root = self.path().join(below);
        walkdir::WalkDir::new(&root)
            .sort_by_file_name()
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    /// The descriptor set in a file.
    #[track_caller]
    pub fn set(&self, path: &str) -> FileDescriptorSet {
        FileDescriptorSet::decode(&self.read(path)).unwrap()
    }

    /// A program with this as working folder, and without what the caller's environment says.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "DUNLIN_PROTOC"] {
            command.env_remove(name);
        }
        command
    }
}

pub fn run(command: &mut Command) -> Run {
    run_with(command, b"")
}

/// Runs a program that reads `input`.
pub fn run_with(command: &mut Command, input: &[u8]) -> Run {
    let (run, stdout) = run_bytes(command, input);
    Run { stdout: String::from_utf8(stdout).unwrap(), ..run }
}

/// Runs a program that writes bytes to standard output.
pub fn run_bytes(command: &mut Command, input: &[u8]) -> (Run, Vec<u8>) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may end without reading it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (Run { code: output.status.code().unwrap_or(-1), stdout: String::new(), stderr }, output.stdout)
}

/// The names of the files of a set, in their order.
pub fn names(set: &FileDescriptorSet) -> Vec<&str> {
    set.file.iter().map(|file| file.name.as_deref().unwrap_or_default()).collect()
}

/// The names of the messages of the files of a set, in their order.
pub fn messages(set: &FileDescriptorSet) -> Vec<&str> {
    let messages = set.file.iter().flat_map(|file| &file.message_type);
    messages.map(|message| message.name.as_deref().unwrap_or_default()).collect()
}
