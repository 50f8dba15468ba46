//! How many connections may be open.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of places for connections, which several acceptors can share.
#[derive(Clone, Debug)]
pub struct ConnectionLimit {
    places: Arc<Semaphore>,
    max: usize,
}

/// A connection's place; dropping it lets the next connection in.
#[derive(Debug)]
#[must_use = "dropping it gives the connection's place away"]
pub struct ConnectionPermit {
    _place: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    /// A limit of `max` connections; zero lets nobody in.
    pub fn new(max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(max)), max }
    }

    /// How many connections are open now.
    pub fn open(&self) -> usize {
        self.max - self.places.available_permits()
    }

    /// The limit.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Cancel safe, but a dropped future loses its turn among those who wait.
    pub(super) async fn acquire(&self) -> ConnectionPermit {
        let place = self.places.clone().acquire_owned().await;
        ConnectionPermit { _place: place.expect("the semaphore is never closed") }
    }

    pub(super) fn try_acquire(&self) -> Option<ConnectionPermit> {
        self.places.clone().try_acquire_owned().ok().map(|place| ConnectionPermit { _place: place })
    }
}
