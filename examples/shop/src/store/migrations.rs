//! The tables, and how they came to be what they are.

use std::path::Path;

use rusqlite::Connection;

use super::OpenError;

/// What makes each version of the one before. Never changed, only added to.
const MIGRATIONS: &[&str] = &[include_str!("migrations/1.sql")];

/// The version that this program works with.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// "SHOP", in the header of the file.
const APPLICATION_ID: i64 = 0x5348_4f50;

/// Whether the database is a shop's, and not of a later version. Nothing was written to it so far.
pub(super) fn check(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let number = |pragma: &str| {
        let number = db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        number.map_err(|source| OpenError::File { path: path.to_owned(), source })
    };
    let (application, found) = (number("application_id")?, number("user_version")?);
    let is_new = application == 0 && found == 0 && number("schema_version")? == 0;
    if !is_new && application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    if found > VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found });
    }
    Ok(())
}

/// Brings the database to the version of this program, each step whole or not at all.
pub(super) fn run(db: &mut Connection) -> rusqlite::Result<()> {
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (version, migration) in (1..).zip(MIGRATIONS) {
        if version > found {
            let tx = db.transaction()?;
            tx.execute_batch(migration)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", version)?;
            tx.commit()?;
        }
    }
    Ok(())
}
