//! Which connection a call takes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use dunlin_grpc::{Method, Status};
use dunlin_transport::{ConnectionInfo, Handle};

use tokio::sync::mpsc;

use crate::connection::Operation;
use crate::manager::Command;

/// What a picker may go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PickInfo<'c> {
    #[expect(dead_code, reason = "pickers of other policies go by it")]
    pub(crate) method: &'c Method,
}

/// What becomes of a call.
#[derive(Debug)]
pub(crate) enum Pick {
    /// It takes this connection.
    Complete(Arc<Link>),
    /// It waits for the next picker.
    Queue,
    /// It fails, unless it waits for ready.
    Fail(Status),
    /// It fails, whatever it waits for.
    Drop(Status),
}

/// Chooses a connection for each call. A new one is made whenever something changes.
pub(crate) trait Picker: Send + Sync {
    /// The connection for one call. Neither blocks nor waits.
    fn pick(&self, info: &PickInfo<'_>) -> Pick;
}

/// There is nothing to choose from yet.
pub(crate) struct Queueing;

impl Picker for Queueing {
    fn pick(&self, _: &PickInfo<'_>) -> Pick {
        Pick::Queue
    }
}

/// Connecting failed.
pub(crate) struct Failing(pub(crate) Status);

impl Picker for Failing {
    fn pick(&self, _: &PickInfo<'_>) -> Pick {
        Pick::Fail(self.0.clone())
    }
}

/// The channel is shut down.
pub(crate) struct ShutDown;

impl Picker for ShutDown {
    fn pick(&self, _: &PickInfo<'_>) -> Pick {
        Pick::Drop(Status::unavailable("the channel is shut down"))
    }
}

/// Connections to one address.
pub(crate) struct OneAddress {
    pub(crate) links: Vec<Arc<Link>>,
    /// Asks for one more, if there may be more. Calls wait for it when all others are full.
    pub(crate) grow: Option<Grow>,
}

/// Asks the manager for one more connection, once; or one is being made already.
pub(crate) struct Grow {
    is_asked: AtomicBool,
    manager: mpsc::WeakUnboundedSender<Command>,
}

impl Grow {
    pub(crate) fn new(manager: mpsc::WeakUnboundedSender<Command>, is_underway: bool) -> Self {
        Self { is_asked: AtomicBool::new(is_underway), manager }
    }

    fn ask(&self) {
        if !self.is_asked.swap(true, Ordering::Relaxed)
            && let Some(manager) = self.manager.upgrade()
        {
            let _ = manager.send(Command::Grow);
        }
    }
}

impl Picker for OneAddress {
    fn pick(&self, _: &PickInfo<'_>) -> Pick {
        if let Some(link) = self.links.iter().find(|link| link.has_room()) {
            return Pick::Complete(Arc::clone(link));
        }
        // All of them have as many streams as the server allows.
        let mut alive = self.links.iter().filter(|link| !link.is_gone());
        let Some(first) = alive.next() else { return Pick::Queue };
        if let Some(grow) = &self.grow {
            grow.ask();
            return Pick::Queue;
        }
        let least = alive.fold(first, |least, link| if link.open() < least.open() { link } else { least });
        Pick::Complete(Arc::clone(least))
    }
}

/// One connection, as calls see it.
pub(crate) struct Link {
    pub(crate) handle: Handle<Operation>,
    pub(crate) info: ConnectionInfo,
    /// Calls that have chosen it and are not over.
    open: AtomicU32,
    /// What the server allows.
    limit: AtomicU32,
    is_gone: AtomicBool,
    /// The server has taken a call.
    is_useful: AtomicBool,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.info.peer)
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(crate) fn new(handle: Handle<Operation>, info: ConnectionInfo) -> Self {
        Self {
            handle,
            info,
            open: AtomicU32::new(0),
            limit: AtomicU32::new(100),
            is_gone: AtomicBool::new(false),
            is_useful: AtomicBool::new(false),
        }
    }

    fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    fn has_room(&self) -> bool {
        !self.is_gone() && self.open() < self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Whether it takes no more calls.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    pub(crate) fn set_gone(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
    }

    /// Whether it was worth being made.
    pub(crate) fn is_useful(&self) -> bool {
        self.is_useful.load(Ordering::Relaxed)
    }

    pub(crate) fn set_useful(&self) {
        self.is_useful.store(true, Ordering::Relaxed);
    }

    pub(crate) fn begin(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether no call uses it.
    pub(crate) fn is_idle(&self) -> bool {
        self.open() == 0
    }
}
