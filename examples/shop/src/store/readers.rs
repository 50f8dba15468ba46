//! Threads that read, each with a connection of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::StoreError;

type Job = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Debug)]
pub(super) struct Readers {
    jobs: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let threads = connections.into_iter().enumerate().map(|(number, db)| {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name(format!("shop-reader-{number}"));
            thread.spawn(move || {
                while let Some(job) = next(&queue) {
                    job(&db)
                }
            })
        });
        Ok(Self { threads: threads.collect::<Result<_, _>>()?, jobs: Some(jobs) })
    }

    /// As many calls wait here as there are: their number is limited by the server.
    pub(super) async fn run<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            if !reply.is_closed() {
                let result = catch_unwind(AssertUnwindSafe(|| work(db)));
                // Nobody may wait any longer.
                let _ = reply.send(result.unwrap_or_else(|_| Err(StoreError::Panicked.into())));
            }
        });
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// The next job, for one of those who wait; `None` at the end.
fn next(queue: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    // Nothing panics under the lock.
    queue.lock().ok()?.recv().ok()
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // Panics of jobs are caught; there is nothing else to be told.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}
