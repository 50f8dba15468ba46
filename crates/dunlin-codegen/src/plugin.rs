//! Running code generators that speak the plugin protocol.

use std::io::{Read, Write};
use std::process::{Command, ExitStatus, Stdio};

use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::plugin::{CodeGeneratorRequest, CodeGeneratorResponse};
use dunlin_protobuf::wire::WireError;

/// Why a plugin gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// It cannot be started.
    #[error("cannot start `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Its output cannot be read.
    #[error("cannot read the output of the plugin: {0}")]
    Read(#[source] std::io::Error),
    /// It failed.
    #[error("the plugin failed: {0}")]
    Failed(ExitStatus),
    /// What it wrote is no answer.
    #[error("the output of the plugin cannot be decoded: {0}")]
    Decode(#[from] WireError),
}

/// Runs a plugin: writes the request to its standard input and reads its answer.
///
/// Its standard error is passed through. An answer that holds an error is returned like any other.
///
/// # Errors
/// If it cannot be run, fails, or does not answer.
pub fn run(
    command: &mut Command,
    request: &CodeGeneratorRequest,
) -> Result<CodeGeneratorResponse, PluginError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| PluginError::Start { program, source })?;
    let input = request.encode_to_vec();
    let stdin = child.stdin.take();
    let mut output = Vec::new();
    let read = std::thread::scope(|scope| {
        // Written from beside: a plugin may answer before it has read everything. One that stops
        // reading says in its exit status what is wrong, so a broken pipe is nothing to report.
        if let Some(mut stdin) = stdin {
            scope.spawn(move || {
                let _ = stdin.write_all(&input);
            });
        }
        match child.stdout.take() {
            Some(mut stdout) => stdout.read_to_end(&mut output).map(drop),
            None => Ok(()),
        }
    });
    let status = child.wait().map_err(PluginError::Read)?;
    read.map_err(PluginError::Read)?;
    if !status.success() {
        return Err(PluginError::Failed(status));
    }
    Ok(CodeGeneratorResponse::decode(&output)?)
}
