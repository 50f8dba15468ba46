//! Schemas of servers as files: `-protoset-out` and `-proto-out-dir`.

use std::collections::HashSet;
use std::path::{Component, Path};
use std::sync::Arc;

use clap::Args;
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::FileId;

use super::failure::{Failure, Stage};
use super::schema::{Found, Source};
use super::symbols;

/// Where to write the schema of what is shown or called.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Schema")]
pub(crate) struct ExportArgs {
    /// Write a descriptor set of what is shown, with all that it needs
    #[arg(long, value_name = "FILE")]
    protoset_out: Option<String>,
    /// Write .proto files of what is shown, with all that it needs
    #[arg(long, value_name = "FOLDER")]
    proto_out_dir: Option<String>,
}

impl ExportArgs {
    /// Writes the files that declare these names, and what they import.
    pub(crate) async fn write(&self, source: &Source, names: &[String]) -> Result<(), Failure> {
        if self.protoset_out.is_none() && self.proto_out_dir.is_none() {
            return Ok(());
        }
        let mut files = Files::default();
        for name in names {
            files.add(&symbols::any(source, name).await?);
        }
        if let Some(path) = &self.protoset_out {
            let file =
                files.list.iter().filter_map(|(pool, id)| pool.descriptors().file(*id).proto().cloned());
            let set = FileDescriptorSet { file: file.collect(), ..Default::default() };
            std::fs::write(path, set.encode_to_vec())
                .map_err(|error| Failure::local(Stage::Output, format!("cannot write {path}: {error}")))?;
        }
        if let Some(folder) = &self.proto_out_dir {
            for (pool, id) in &files.list {
                write_source(Path::new(folder), pool, *id)?;
            }
        }
        Ok(())
    }
}

/// Files, each behind those that it imports.
#[derive(Default)]
struct Files {
    seen: HashSet<String>,
    list: Vec<(Arc<DynamicPool>, FileId)>,
}

impl Files {
    fn add(&mut self, found: &Found) {
        // A stack of its own, as imports may go deep.
        let mut stack = vec![(found.file, false)];
        let descriptors = found.pool.descriptors();
        while let Some((id, is_ready)) = stack.pop() {
            if is_ready {
                self.list.push((found.pool.clone(), id));
                continue;
            }
            let file = descriptors.file(id);
            if !self.seen.insert(file.path().to_owned()) {
                continue;
            }
            stack.push((id, true));
            let imports: Vec<FileId> = file.imports().map(|(import, _)| import).collect();
            stack.extend(imports.into_iter().rev().map(|import| (import, false)));
        }
    }
}

/// A server chooses the names of its files, but not where they go.
fn write_source(folder: &Path, pool: &Arc<DynamicPool>, id: FileId) -> Result<(), Failure> {
    let file = pool.descriptors().file(id);
    let path = Path::new(file.path());
    if file.path().is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(Failure::local(
            Stage::Output,
            format!("the file {:?} of the schema would lie outside of {}", file.path(), folder.display()),
        ));
    }
    let path = folder.join(path);
    let fail = |error: std::io::Error| {
        Failure::local(Stage::Output, format!("cannot write {}: {error}", path.display()))
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    std::fs::write(&path, crate::source::file(pool, id)).map_err(fail)
}
