//! How far it is, for whoever waits at a terminal.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use dunlin_compiler::loader::{LoadResult, Loader};

use super::{SchemaArgs, When};

/// Nothing is shown before this long.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the line is redrawn.
const INTERVAL: Duration = Duration::from_millis(100);

/// A line on standard error that counts files.
pub(crate) struct Progress {
    loaded: Arc<AtomicUsize>,
    line: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    pub(crate) fn start(args: &SchemaArgs) -> Self {
        let loaded = Arc::new(AtomicUsize::new(0));
        let wanted = match args.progress {
            When::Always => true,
            When::Never => false,
            When::Auto => !args.quiet && std::io::stderr().is_terminal(),
        };
        let line = wanted.then(|| {
            let (stop, stopped) = mpsc::channel::<()>();
            let count = Arc::clone(&loaded);
            (stop, std::thread::spawn(move || draw(&count, &stopped)))
        });
        Self { loaded, line }
    }

    /// A loader that is counted.
    pub(crate) fn watch<'l, L: Loader>(&'l self, loader: &'l L) -> Watched<'l, L> {
        Watched { loader, loaded: &self.loaded }
    }

    /// Clears the line.
    pub(crate) fn finish(self) {
        if let Some((stop, thread)) = self.line {
            drop(stop);
            let _ = thread.join();
        }
    }
}

fn draw(count: &AtomicUsize, stopped: &mpsc::Receiver<()>) {
    let mut wait = PATIENCE;
    let mut drawn = false;
    // The channel ends when the work does.
    while matches!(stopped.recv_timeout(wait), Err(mpsc::RecvTimeoutError::Timeout)) {
        let _ = write!(std::io::stderr().lock(), "\r{} files read", count.load(Ordering::Relaxed));
        drawn = true;
        wait = INTERVAL;
    }
    if drawn {
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
    }
}

/// Counts what goes through it.
pub(crate) struct Watched<'l, L> {
    loader: &'l L,
    loaded: &'l AtomicUsize,
}

impl<L: Loader> Loader for Watched<'_, L> {
    fn load(&self, path: &str) -> LoadResult {
        self.loaded.fetch_add(1, Ordering::Relaxed);
        self.loader.load(path)
    }
}
