//! What the shop knows: a database, one thread that writes it, and some that read it.
//!
//! The store knows nothing of calls and messages. What of a product or an order nothing is decided by lies
//! in the database as the bytes of its message.

pub mod audit;
pub mod files;
mod migrations;
pub mod orders;
pub mod products;
mod readers;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::broadcast;

use crate::ids::{OrderId, ProductId};
use crate::money::MoneyError;
pub use migrations::VERSION;
use orders::{LineFault, OrderStatus};
use products::ProductChange;
use readers::Readers;
use writer::Writer;
pub use writer::{Change, Transaction};

/// Changes that are kept for those who watch. Who falls further behind has missed some.
const KEPT_CHANGES: usize = 1024;

/// Why something was not done. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing.
    #[error("there is no {kind} {id}")]
    NotFound {
        /// What it would be, such as `product`.
        kind: &'static str,
        /// What it would be called.
        id: String,
    },
    /// Two products would have one stock keeping unit.
    #[error("{id} has the SKU {sku} already")]
    SkuTaken {
        /// The unit.
        sku: String,
        /// The product that has it.
        id: ProductId,
    },
    /// Orders wait for the product.
    #[error("{reserved} pieces of {id} are in orders that have not left the house")]
    InUse {
        /// The product.
        id: ProductId,
        /// The pieces.
        reserved: u32,
    },
    /// More is taken out than there is, or more put in than can be counted.
    #[error("{available} pieces of {id} are there, which can not become {wanted}")]
    Stock {
        /// The product.
        id: ProductId,
        /// Pieces that are there.
        available: u32,
        /// What they would become.
        wanted: i64,
    },
    /// Lines of an order that can not be.
    #[error("{} of the lines can not be ordered: {}", .0.len(), first(.0))]
    Lines(Vec<LineFault>),
    /// A key that another order has.
    #[error("the idempotency key belongs to {id}, which is another order")]
    KeyTaken {
        /// That order.
        id: OrderId,
    },
    /// A step that does not follow.
    #[error("{id} is {from}, and can not become {to}")]
    Step {
        /// The order.
        id: OrderId,
        /// How far it is.
        from: OrderStatus,
        /// What was asked for.
        to: OrderStatus,
    },
    /// A sum that can not be counted.
    #[error("the order {0}")]
    Money(#[from] MoneyError),
    /// The database can not do it.
    #[error("the database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The work was done, but could not be kept.
    #[error("the database can not keep it: {0}")]
    Commit(Arc<rusqlite::Error>),
    /// A bug.
    #[error("the work panicked")]
    Panicked,
    /// The threads of the store have ended.
    #[error("the store is closed")]
    Closed,
}

fn first(faults: &[LineFault]) -> String {
    faults.first().map(ToString::to_string).unwrap_or_default()
}

/// Why the store can not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is not there, and can not be made.
    #[error("can not make the folder {}; choose another one with --data, or keep nothing with --memory", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another shop has its things in the folder.
    #[error("another shop uses the folder {}; stop it, or choose another one with --data", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file can not be opened or written.
    #[error("can not write the database {}; see that the folder can be written, or choose another one with --data", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// A database that a later version has made.
    #[error(
        "the database {} is of version {found}, and this shop knows versions up to {VERSION}; start a newer shop, or choose another folder with --data",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// A database of something else.
    #[error("the database {} is not a shop's; choose another folder with --data", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A thread can not be started.
    #[error("can not start a thread of the store")]
    Thread(#[source] std::io::Error),
}

/// The database, and the threads that work on it. Clones are of the same one.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // Dropped first: the writer is the last one to close the database, and tidies it up.
    readers: Option<Readers>,
    writer: Writer,
    changes: broadcast::Sender<Change>,
}

impl Store {
    /// The database in this file, which is made if it is not there. It survives the end of the process at any
    /// moment, and that of the machine.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = |source| OpenError::File { path: path.to_owned(), source };
        let mut db = Connection::open(path).map_err(file)?;
        migrations::check(&db, path)?;
        prepare(&db).map_err(file)?;
        migrations::run(&mut db).map_err(file)?;
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        let readers = (0..threads).map(|_| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(path, flags)?;
            db.busy_timeout(BUSY_TIMEOUT)?;
            db.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
            Ok(db)
        });
        let readers = readers.collect::<rusqlite::Result<Vec<_>>>().map_err(file)?;
        Self::start(db, Some(Readers::start(readers).map_err(OpenError::Thread)?))
    }

    /// A database in memory, gone with the process. The one thread reads it too.
    pub fn in_memory() -> Result<Self, OpenError> {
        let path = PathBuf::from(":memory:");
        let file = |source| OpenError::File { path: path.clone(), source };
        let mut db = Connection::open_in_memory().map_err(file)?;
        prepare(&db).map_err(file)?;
        migrations::run(&mut db).map_err(file)?;
        Self::start(db, None)
    }

    fn start(db: Connection, readers: Option<Readers>) -> Result<Self, OpenError> {
        let changes = broadcast::Sender::new(KEPT_CHANGES);
        let writer = Writer::start(db, changes.clone()).map_err(OpenError::Thread)?;
        Ok(Self { inner: Arc::new(Inner { readers, writer, changes }) })
    }

    /// Reads: what `work` sees is of one moment if it is one statement.
    pub async fn read<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        match &self.inner.readers {
            Some(readers) => readers.run(work).await,
            None => self.inner.writer.run(|tx| work(tx.db())).await,
        }
    }

    /// Writes: all that `work` does is kept, or nothing if it fails. It is on disk once this returns. Work that
    /// nobody waits for any longer is not begun.
    pub async fn write<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        self.inner.writer.run(work).await
    }

    /// What changes from now on, in the order in which it is kept.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    /// Whether the database can be read and written.
    pub async fn probe(&self) -> Result<(), StoreError> {
        const READ: &str = "SELECT count(*) FROM (SELECT 1 FROM products LIMIT 1)";
        self.read(|db| Ok::<_, StoreError>(db.query_row(READ, [], |_| Ok(()))?)).await?;
        self.write(|tx| Ok(tx.db().execute("UPDATE products SET id = id WHERE false", []).map(drop)?)).await
    }
}

/// Nobody else gets the lock of the same folder as long as this is there and the process lives.
#[derive(Debug)]
pub struct Lock {
    _held: Connection,
}

/// Takes the lock of a folder.
///
/// # Errors
/// If someone has it, or nothing can be written there.
pub fn lock(folder: &Path) -> Result<Lock, OpenError> {
    let path = folder.join("shop.lock");
    let open = || {
        let db = Connection::open(&path)?;
        db.busy_timeout(std::time::Duration::ZERO)?;
        // An exclusive transaction that never ends.
        db.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(Lock { _held: db })
    };
    open().map_err(|source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => OpenError::InUse { path: folder.to_owned() },
        _ => OpenError::File { path: path.clone(), source },
    })
}

const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
const CACHED_STATEMENTS: usize = 64;

fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Readers and the writer do not wait for each other, and what is committed survives a power cut.
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)
}

/// A moment in microseconds since 1970, as the database has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // 2^63 microseconds are 292,000 years.
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

impl rusqlite::ToSql for Moment {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl rusqlite::types::FromSql for Moment {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

impl From<ProductChange> for Change {
    fn from(change: ProductChange) -> Self {
        Self::Product(change)
    }
}
