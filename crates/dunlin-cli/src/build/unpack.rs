//! Inputs that are not folders yet: archives and repositories.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::reference::{Compression, Kind, Reference, Revision};

/// Bytes that a compressed input may have when it is taken apart; all files of an archive together.
const MAX_UNPACKED: u64 = 1 << 30;

/// The content of a file, without its compression.
pub(super) fn reader(from: impl Read + 'static, compression: Compression) -> io::Result<Box<dyn Read>> {
    let reader: Box<dyn Read> = match compression {
        Compression::None => return Ok(Box::new(from)),
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(from)),
        Compression::Zstd => {
            Box::new(ruzstd::decoding::StreamingDecoder::new(from).map_err(io::Error::other)?)
        }
    };
    Ok(Box::new(Limited { reader, left: MAX_UNPACKED }))
}

/// The same content, compressed.
pub(super) fn compress(bytes: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    match compression {
        Compression::None => Ok(bytes.to_vec()),
        Compression::Gzip => {
            let mut reader = flate2::read::GzEncoder::new(bytes, flate2::Compression::default());
            let mut out = Vec::new();
            reader.read_to_end(&mut out).map(|_| out)
        }
        Compression::Zstd => {
            Ok(ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest))
        }
    }
}

/// Fails where [`Read::take`] would end.
struct Limited<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buf)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(too_large)?;
        Ok(read)
    }
}

fn too_large() -> io::Error {
    io::Error::other(format!("it is larger than {} MiB when unpacked", MAX_UNPACKED >> 20))
}

/// Puts what an archive or repository holds into a folder that is there as long as the value.
///
/// # Errors
/// Why that is not possible.
pub(super) fn unpack(reference: &Reference<'_>) -> Result<TempDir, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let shown = reference.path;
    match reference.kind {
        Kind::Git => checkout(reference.path, reference.revision, folder.path()),
        Kind::Zip => unzip(reference, folder.path()).map_err(|error| format!("{shown}: {error}")),
        _ => untar(reference, folder.path()).map_err(|error| format!("{shown}: {error}")),
    }?;
    Ok(folder)
}

/// Where a file of an archive goes; `None` for one that is of no use, or would lie outside.
fn place(name: &Path, reference: &Reference<'_>, folder: &Path) -> Option<PathBuf> {
    let is_wanted = name.extension().is_some_and(|e| e == "proto")
        || name.file_name().is_some_and(|name| {
            ["buf.yaml", "buf.mod", "buf.work.yaml", "buf.work"].iter().any(|known| name == *known)
        });
    let parts = name.components().filter(|part| *part != Component::CurDir);
    let is_inside = name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let inner: PathBuf = parts.skip(reference.strip_components).collect();
    (is_wanted && is_inside && !inner.as_os_str().is_empty()).then(|| folder.join(inner))
}

/// What a file or folder costs besides its content.
const ENTRY: u64 = 4096;

fn write(to: &Path, from: &mut impl Read, left: &mut u64) -> io::Result<()> {
    let folders = to.components().count() as u64;
    *left = left.checked_sub(ENTRY * folders).ok_or_else(too_large)?;
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut limited = Limited { reader: from, left: *left };
    io::copy(&mut limited, &mut File::create(to)?)?;
    *left = limited.left;
    Ok(())
}

fn untar(reference: &Reference<'_>, folder: &Path) -> io::Result<()> {
    let file: Box<dyn Read> = match reference.path {
        "-" => Box::new(io::stdin()),
        path => Box::new(BufReader::new(File::open(path)?)),
    };
    let mut archive = tar::Archive::new(reader(file, reference.compression)?);
    let mut left = MAX_UNPACKED;
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path()?.into_owned();
        if let Some(to) = place(&name, reference, folder) {
            write(&to, &mut entry, &mut left)?;
        }
    }
    Ok(())
}

fn unzip(reference: &Reference<'_>, folder: &Path) -> io::Result<()> {
    let mut bytes = Vec::new();
    match reference.path {
        "-" => io::stdin().read_to_end(&mut bytes)?,
        path => File::open(path)?.read_to_end(&mut bytes)?,
    };
    let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes)).map_err(io::Error::other)?;
    let mut left = MAX_UNPACKED;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(io::Error::other)?;
        let name = PathBuf::from(&*entry.name().map_err(io::Error::other)?);
        if entry.is_file()
            && let Some(to) = place(&name, reference, folder)
        {
            write(&to, &mut entry, &mut left)?;
        }
    }
    Ok(())
}

/// Has git fetch a revision; what credentials and proxies there are is its own.
fn checkout(address: &str, revision: Revision<'_>, folder: &Path) -> Result<(), String> {
    let is_local = Path::new(address).exists();
    let absolute = match is_local {
        true => std::path::absolute(address).map_err(|error| format!("{address}: {error}"))?,
        false => PathBuf::from(address),
    };
    let source = absolute.to_str().ok_or_else(|| format!("{address}: the path is no UTF-8"))?;
    let wanted = match revision {
        Revision { branch: Some(branch), .. } => format!("refs/heads/{branch}"),
        Revision { tag: Some(tag), .. } => format!("refs/tags/{tag}"),
        _ => "HEAD".to_owned(),
    };
    git(folder, &["init", "--quiet"])?;
    // Submodules may be named relative to it.
    git(folder, &["config", "remote.origin.url", source])?;
    let depth = format!("--depth={}", revision.depth.unwrap_or(1).max(1));
    let fetch = |wanted: &str| git(folder, &["fetch", "--quiet", &depth, "--", source, wanted]);
    match revision.reference {
        // What the server does not know by this name, such as `HEAD~1`, is looked up here. HEAD is the branch then.
        Some(reference) if revision.branch.is_some() || fetch(reference).is_err() => {
            let all = "+refs/heads/*:refs/heads/*";
            // No branch is checked out, though HEAD names one.
            let mut arguments = vec!["fetch", "--quiet", "--tags", "--update-head-ok"];
            if revision.depth.is_some() {
                arguments.push(&depth);
            }
            arguments.extend(["--", source, &wanted, all]);
            git(folder, &arguments)?;
            check_out(folder, "FETCH_HEAD")?;
            check_out(folder, reference)?;
        }
        Some(_) => check_out(folder, "FETCH_HEAD")?,
        None => {
            fetch(&wanted)?;
            check_out(folder, "FETCH_HEAD")?;
        }
    }
    if revision.recurse_submodules {
        git(folder, &["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"])?;
    }
    remove_links(folder).map_err(|error| format!("{address}: {error}"))
}

/// Links could lead anywhere; archives lose theirs too.
fn remove_links(folder: &Path) -> io::Result<()> {
    for entry in walkdir::WalkDir::new(folder).follow_links(false) {
        let entry = entry.map_err(io::Error::other)?;
        if entry.path_is_symlink() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn check_out(folder: &Path, revision: &str) -> Result<(), String> {
    let commit = format!("{revision}^{{commit}}");
    let name = git(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
    git(folder, &["checkout", "--quiet", "--force", "--detach", name.trim()]).map(drop)
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    // A hook has these set, for another repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(name);
    }
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "git is not installed, and the input is a repository".to_owned(),
        _ => format!("git: {error}"),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        return Err(format!(
            "git {} failed: {}",
            arguments[0],
            if said.is_empty() { "no such revision" } else { said }
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
