//! What is known of files. Their bytes lie in a folder.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Moment, StoreError, Transaction};
use crate::ids::FileId;

/// What is known of a file before it is kept.
#[derive(Clone, Debug)]
pub struct FileData {
    /// What it is called in the folder.
    pub path: String,
    /// What its owner calls it.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub size: i64,
    /// Its SHA-256.
    pub sha256: Vec<u8>,
    /// Who brought it.
    pub owner: String,
}

/// A file as the database has it.
#[derive(Clone, Debug)]
pub struct FileRow {
    /// What it is called outside.
    pub id: FileId,
    /// What is known of it.
    pub data: FileData,
    /// When it was brought.
    pub created_at: Moment,
}

/// Keeps a file, which lies in the folder already.
pub fn insert(tx: &mut Transaction<'_>, data: FileData, now: Moment) -> Result<FileRow, StoreError> {
    let FileData { path, name, content_type, size, sha256, owner } = &data;
    tx.db()
        .prepare_cached(
            "INSERT INTO files (path, name, content_type, size, sha256, owner, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![path, name, content_type, size, sha256, owner, now])?;
    Ok(FileRow { id: FileId(tx.db().last_insert_rowid()), data, created_at: now })
}

/// One file.
pub fn get(db: &Connection, id: FileId) -> Result<FileRow, StoreError> {
    let row = db
        .prepare_cached(
            "SELECT path, name, content_type, size, sha256, owner, created_at FROM files WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let data = FileData {
                path: row.get(0)?,
                name: row.get(1)?,
                content_type: row.get(2)?,
                size: row.get(3)?,
                sha256: row.get(4)?,
                owner: row.get(5)?,
            };
            Ok(FileRow { id, data, created_at: row.get(6)? })
        })
        .optional()?;
    row.ok_or_else(|| StoreError::NotFound { kind: "file", id: id.to_string() })
}

/// Whether a file of this path is kept.
pub fn is_kept(db: &Connection, path: &str) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM files WHERE path = ?1")?.exists([path])?)
}
