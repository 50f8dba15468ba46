//! Files, in pieces.
//!
//! A file is written under a name of its own, with `.part` behind it, and gets its place once it is whole and
//! on disk; then the database learns of it. What is left of uploads that were broken off is removed when the
//! shop is opened.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dunlin::{Code, ErrorDetails, Receiver, ResultExt, Sender, ServerContext, Status};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::auth::Caller;
use crate::errors::{DOMAIN, bad_field, not_found};
use crate::ids::FileId;
use crate::messages;
use crate::proto::download_file_response::Part as DownloadPart;
use crate::proto::upload_file_request::{Header, Part};
use crate::proto::{DownloadFileRequest, DownloadFileResponse, File, UploadFileRequest, UploadService};
use crate::store::files::{self, FileData};
use crate::store::{Moment, Store, StoreError};
use crate::validation;

/// Bytes of a piece that is sent.
const PIECE: usize = 64 << 10;

/// Implements [`UploadService`].
#[derive(Clone, Debug)]
pub struct Uploads {
    store: Store,
    folder: Arc<Path>,
    max_size: u64,
    next: Arc<AtomicU64>,
}

impl Uploads {
    /// Files of up to `max_size` bytes, in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// If the folder can not be made or read.
    pub async fn open(store: Store, folder: PathBuf, max_size: u64) -> std::io::Result<Self> {
        tokio::fs::create_dir_all(&folder).await?;
        let mut entries = tokio::fs::read_dir(&folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = name.clone();
            let is_kept = store.read(move |db| files::is_kept(db, &path)).await;
            if matches!(is_kept, Ok::<_, StoreError>(false)) && is_ours(&name) {
                tokio::fs::remove_file(entry.path()).await?;
            }
        }
        // No earlier process has used these names.
        let first = u64::try_from(Moment::now().0).unwrap_or_default();
        Ok(Self { store, folder: folder.into(), max_size, next: Arc::new(AtomicU64::new(first)) })
    }
}

/// Whether a file in the folder was put there by this service.
fn is_ours(name: &str) -> bool {
    let stem = name.strip_suffix(".part").unwrap_or(name);
    stem.strip_prefix("file-").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A file that is not whole. Dropping it removes what is there.
struct Unfinished {
    path: PathBuf,
    is_finished: bool,
}

impl Unfinished {
    /// It is whole, and known to the database.
    fn keep(&mut self) {
        self.is_finished = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            // It may be there no longer; else it is removed at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl UploadService for Uploads {
    async fn upload_file(
        &self,
        cx: &mut ServerContext,
        mut requests: Receiver<UploadFileRequest>,
    ) -> Result<File, Status> {
        let caller = Caller::of(cx)?;
        let header = match requests.next().await?.and_then(|request| request.part) {
            Some(Part::Header(header)) => checked(*header)?,
            _ => return Err(bad_field("part", "the first message has to be a header")),
        };
        let name = format!("file-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let (path, part) = (self.folder.join(&name), self.folder.join(format!("{name}.part")));
        let mut written = Unfinished { path: part.clone(), is_finished: false };
        let (size, sha256) = self.receive(&part, &mut requests).await?;
        if !header.sha256.is_empty() && header.sha256 != sha256.as_slice() {
            return Err(damaged(&header.sha256, &sha256));
        }
        tokio::fs::rename(&part, &path).await.map_err(disk)?;
        written.path = path;
        // The place of a file is on disk once its folder is.
        if cfg!(unix) {
            let folder = tokio::fs::File::open(&self.folder).await.map_err(disk)?;
            folder.sync_all().await.map_err(disk)?;
        }
        let data = FileData {
            path: name,
            name: header.name,
            content_type: header.content_type,
            size,
            sha256,
            owner: caller.name.clone(),
        };
        // Not torn in two if the caller gives up now.
        let store = self.store.clone();
        let kept = cx.shield(async move {
            let row = store.write(move |tx| files::insert(tx, data, Moment::now())).await?;
            written.keep();
            Ok::<_, StoreError>(row)
        });
        Ok(messages::file(kept.await??))
    }

    async fn download_file(
        &self,
        cx: &mut ServerContext,
        request: DownloadFileRequest,
        mut out: Sender<DownloadFileResponse>,
    ) -> Result<(), Status> {
        let caller = Caller::of(cx)?;
        let missing = || match &*request.id {
            "" => bad_field("id", "is missing"),
            id => not_found("file", id),
        };
        let id: FileId = request.id.parse().map_err(|_| missing())?;
        let row = self.store.read(move |db| files::get(db, id)).await?;
        if !caller.may_see(&row.data.owner) {
            return Err(missing());
        }
        let rest = row.data.size.saturating_sub(request.offset);
        if rest < 0 {
            let message = format!("{id} has {} bytes, and none from {} on", row.data.size, request.offset);
            return Err(Status::out_of_range(message));
        }
        let mut file = tokio::fs::File::open(self.folder.join(&row.data.path)).await.map_err(disk)?;
        file.seek(SeekFrom::Start(request.offset.unsigned_abs())).await.map_err(disk)?;
        out.send(answer(DownloadPart::File(Box::new(messages::file(row))))).await?;
        let wanted = if request.limit == 0 { rest } else { rest.min(request.limit) };
        let mut file = file.take(wanted.unsigned_abs());
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            if file.read_buf(&mut piece).await.map_err(disk)? == 0 {
                return Ok(());
            }
            out.send(answer(DownloadPart::Chunk(piece.into()))).await?;
        }
    }
}

impl Uploads {
    /// Writes all chunks to a file, and has them on disk; their number of bytes and SHA-256.
    async fn receive(
        &self,
        path: &Path,
        requests: &mut Receiver<UploadFileRequest>,
    ) -> Result<(i64, Vec<u8>), Status> {
        let mut file = tokio::fs::File::create_new(path).await.map_err(disk)?;
        let mut hash = Sha256::new();
        let mut size = 0_u64;
        while let Some(request) = requests.next().await? {
            let Some(Part::Chunk(chunk)) = request.part else {
                return Err(bad_field("part", "all messages but the first have to be chunks"));
            };
            size += chunk.len() as u64;
            if size > self.max_size {
                return Err(too_large(self.max_size));
            }
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(disk)?;
        }
        file.sync_all().await.map_err(disk)?;
        Ok((i64::try_from(size).status(Code::OutOfRange)?, hash.finalize().to_vec()))
    }
}

/// A header that is as it should be.
fn checked(header: Header) -> Result<Header, Status> {
    if !validation::text(&header.name, 1, 200) {
        return Err(bad_field("header.name", "must have 1 to 200 characters"));
    }
    if !validation::text(&header.content_type, 0, 100) {
        return Err(bad_field("header.content_type", "must have up to 100 characters"));
    }
    if !matches!(header.sha256.len(), 0 | 32) {
        return Err(bad_field("header.sha256", "must have 32 bytes, or none"));
    }
    match &*header.content_type {
        "" => Ok(Header { content_type: "application/octet-stream".into(), ..header }),
        _ => Ok(header),
    }
}

fn answer(part: DownloadPart) -> DownloadFileResponse {
    DownloadFileResponse { part: Some(part), ..Default::default() }
}

fn too_large(max_size: u64) -> Status {
    let message = format!("the file has more than {max_size} bytes, the most that this shop takes");
    let details = ErrorDetails::new()
        .error_info("FILE_TOO_LARGE", DOMAIN, [("max_bytes", max_size.to_string())])
        .quota_failure([("file", message.clone())]);
    Status::resource_exhausted(message).with_details(details)
}

fn damaged(wanted: &Bytes, found: &[u8]) -> Status {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let metadata = [("wanted", hex(wanted)), ("found", hex(found))];
    let details = ErrorDetails::new().error_info("CHECKSUM", DOMAIN, metadata);
    Status::data_loss("the bytes that arrived have another SHA-256 than the header says")
        .with_details(details)
}

/// The disk is full, or worse.
fn disk(error: std::io::Error) -> Status {
    Status::unavailable("files can not be read or written now").with_source(error)
}
