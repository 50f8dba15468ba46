//! The one thread that writes. What comes while it is busy is done in one transaction, so that a commit,
//! which waits for the disk, is shared by all who wait for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::StoreError;
use super::orders::OrderChange;
use super::products::ProductChange;

/// Jobs that wait; more wait outside.
const QUEUE: usize = 1024;
/// Jobs of one transaction.
const GROUP: usize = 256;

/// Something is not what it was.
#[derive(Clone, Debug)]
pub enum Change {
    /// A product.
    Product(ProductChange),
    /// How far an order is.
    Order(OrderChange),
}

/// What a job writes with. Its changes become one with those of other jobs, or are taken back alone.
#[derive(Debug)]
pub struct Transaction<'c> {
    db: &'c Connection,
    changes: Vec<Change>,
}

impl<'c> Transaction<'c> {
    /// The database.
    pub fn db(&self) -> &'c Connection {
        self.db
    }

    /// Tells those who watch, once it is on disk.
    pub fn note(&mut self, change: impl Into<Change>) {
        self.changes.push(change.into());
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// Something to write, and who waits for it.
trait Job: Send {
    /// Does it; false if it is to be taken back.
    fn run(&mut self, tx: &mut Transaction<'_>) -> bool;

    /// Tells who waits what became of it.
    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>);
}

struct Task<F, T, E> {
    work: Option<F>,
    result: Result<T, E>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Task<F, T, E>
where
    F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, tx: &mut Transaction<'_>) -> bool {
        // Whoever asked for it may have given up.
        if let Some(work) = self.work.take().filter(|_| !self.reply.is_closed()) {
            // What the work has seen of the database is taken back if it panics.
            let result = catch_unwind(AssertUnwindSafe(|| work(tx)));
            self.result = result.unwrap_or_else(|_| Err(StoreError::Panicked.into()));
        }
        self.result.is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>) {
        let result = match committed {
            Ok(()) => self.result,
            Err(error) => self.result.and(Err(StoreError::Commit(error).into())),
        };
        // Nobody may wait any longer.
        let _ = self.reply.send(result);
    }
}

impl Writer {
    pub(super) fn start(db: Connection, changes: broadcast::Sender<Change>) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name("shop-writer".into());
        let thread = thread.spawn(move || write(&db, queue, &changes))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) async fn run<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        let task = Task { work: Some(work), result: Err(StoreError::Closed.into()), reply };
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(Box::new(task)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // Panics of jobs are caught; there is nothing else to be told.
            let _ = thread.join();
        }
    }
}

fn write(db: &Connection, mut queue: mpsc::Receiver<Box<dyn Job>>, changes: &broadcast::Sender<Change>) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = Vec::new();
        let committed = write_group(db, first, &mut queue, &mut group);
        let committed = committed.map_err(Arc::new);
        match &committed {
            // Nobody may watch.
            Ok(noted) => noted.iter().for_each(|change| drop(changes.send(change.clone()))),
            Err(error) => {
                tracing::error!(%error, jobs = group.len(), "the database can not be written");
                if !db.is_autocommit() {
                    // The next group says it if that does not work either.
                    let _ = db.execute_batch("ROLLBACK");
                }
            }
        }
        let committed = committed.map(drop);
        group.into_iter().for_each(|job| job.answer(committed.clone()));
    }
}

/// Does the first job and those that come meanwhile, and commits; all are in `group` then.
fn write_group(
    db: &Connection,
    first: Box<dyn Job>,
    queue: &mut mpsc::Receiver<Box<dyn Job>>,
    group: &mut Vec<Box<dyn Job>>,
) -> rusqlite::Result<Vec<Change>> {
    let mut noted = Vec::new();
    let mut next = Some(first);
    let mut has_begun = false;
    while let Some(mut job) = next {
        // The jobs that are done so far go with one that can not begin.
        let begun = if has_begun { Ok(()) } else { db.prepare_cached("BEGIN IMMEDIATE").and_then(run) };
        let begun = begun.and_then(|()| db.prepare_cached("SAVEPOINT job").and_then(run));
        if let Err(error) = begun {
            group.push(job);
            return Err(error);
        }
        has_begun = true;
        let mut tx = Transaction { db, changes: Vec::new() };
        let is_kept = job.run(&mut tx);
        let changes = tx.changes;
        group.push(job);
        if is_kept {
            noted.extend(changes);
        } else {
            db.prepare_cached("ROLLBACK TO job").and_then(run)?;
        }
        db.prepare_cached("RELEASE job").and_then(run)?;
        next = if group.len() < GROUP { queue.try_recv().ok() } else { None };
    }
    db.prepare_cached("COMMIT").and_then(run)?;
    Ok(noted)
}

fn run(mut statement: rusqlite::CachedStatement<'_>) -> rusqlite::Result<()> {
    statement.execute([]).map(drop)
}
