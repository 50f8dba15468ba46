//! Work that blocks its thread.

use std::sync::Arc;

use dunlin_grpc::Status;
use tokio::sync::Semaphore;

/// Threads for work that blocks, at most so many at a time; more of it waits.
///
/// ```
/// use dunlin_server::BlockingPool;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dunlin_grpc::Status> {
/// let pool = BlockingPool::new(4);
/// let sum = pool.run(|| (1..=10).sum::<u32>()).await?;
/// assert_eq!(sum, 55);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BlockingPool {
    places: Arc<Semaphore>,
}

impl BlockingPool {
    /// At most so many pieces of work at a time, at least one.
    pub fn new(threads: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(threads.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// Runs `work` on a thread that may block. Work that waits for its turn is dropped with the future;
    /// work that has begun goes on.
    ///
    /// # Errors
    /// INTERNAL if it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let ambient = dunlin_grpc::ambient::current();
        let run = move || {
            let _place = place;
            dunlin_grpc::ambient::enter(ambient, work)
        };
        tokio::task::spawn_blocking(run).await.map_err(|error| {
            Status::internal(if error.is_panic() { "the work panicked" } else { "the runtime has shut down" })
        })
    }
}
