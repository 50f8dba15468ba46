//! Replacing a configuration while it is in use.

use std::fmt;
use std::hash::RandomState;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::error::TlsConfigError;
use super::pem::Files;

/// Settings that a configuration is made of, again and again.
pub(super) trait Recipe: Send + Sync + 'static {
    type Config: Send + Sync;

    fn paths(&self) -> Box<dyn Iterator<Item = &Path> + '_>;

    /// Builds from what the files hold now. `previous` is what is in use.
    fn build(&self, files: &Files, previous: Option<&Self::Config>) -> Result<Self::Config, TlsConfigError>;
}

/// How often a configuration was replaced, and how often that went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReloadCounts {
    /// New configurations taken into use, not counting the first.
    pub reloaded: u64,
    /// Attempts that were given up, the earlier configuration staying in use. Watched files count
    /// once per change of theirs.
    pub failed: u64,
}

/// A configuration in use, and what it was made of.
pub(super) struct Reloadable<R: Recipe> {
    recipe: R,
    current: RwLock<Arc<R::Config>>,
    /// The contents that were tried last; held while reloading, so that reloads follow each other.
    tried: Mutex<Option<u64>>,
    hash_state: RandomState,
    reloaded: AtomicU64,
    failed: AtomicU64,
}

impl<R: Recipe> Reloadable<R> {
    pub(super) fn new(recipe: R) -> Result<Self, TlsConfigError> {
        let files = Files::read(recipe.paths())?;
        let hash_state = RandomState::new();
        Ok(Self {
            current: RwLock::new(Arc::new(recipe.build(&files, None)?)),
            tried: Mutex::new(Some(files.fingerprint(&hash_state))),
            recipe,
            hash_state,
            reloaded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    pub(super) fn recipe(&self) -> &R {
        &self.recipe
    }

    // A poisoned lock would mean a panic while an `Arc` was copied; what it guards is whole anyway.
    pub(super) fn current(&self) -> Arc<R::Config> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn counts(&self) -> ReloadCounts {
        ReloadCounts {
            reloaded: self.reloaded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    /// Builds anew, whether or not a file has changed.
    pub(super) fn reload(&self) -> Result<(), TlsConfigError> {
        self.attempt(Trigger::Request).map(|_| ())
    }

    /// Builds anew if the files differ from what was tried last; says whether it did.
    fn reload_if_changed(&self) -> Result<bool, TlsConfigError> {
        self.attempt(Trigger::Change)
    }

    fn attempt(&self, trigger: Trigger) -> Result<bool, TlsConfigError> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let read = Files::read(self.recipe.paths());
        // Unreadable files are one kind of contents: reported once, until they change again.
        let fingerprint = read.as_ref().ok().map(|files| files.fingerprint(&self.hash_state));
        if trigger == Trigger::Change && fingerprint == *tried {
            return Ok(false);
        }
        *tried = fingerprint;
        let built = read.and_then(|files| self.recipe.build(&files, Some(&self.current())));
        match built {
            Ok(config) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                self.reloaded.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Looks at the files every `period`, until the guard or the last user of this value goes.
    pub(super) fn watch(self: &Arc<Self>, period: Duration) -> FileWatch {
        let weak = Arc::downgrade(self);
        let task = tokio::spawn(async move {
            let mut ticks = interval(period.max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(this) = weak.upgrade() else { return };
                // Files may lie on a slow disk, and keys take time to check.
                let looked = tokio::task::spawn_blocking(move || this.reload_if_changed()).await;
                match looked {
                    Ok(Ok(false)) => {}
                    Ok(Ok(true)) => info!("TLS files changed and are in use"),
                    Ok(Err(error)) => {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        warn!(%error, cause, "TLS files changed and cannot be used; the earlier ones stay");
                    }
                    // The runtime is shutting down.
                    Err(_) => return,
                }
            }
        });
        FileWatch { task: Some(task.abort_handle()) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Request,
    Change,
}

impl<R: Recipe + fmt::Debug> fmt::Debug for Reloadable<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.recipe.fmt(f)
    }
}

/// Keeps files watched; dropping it ends that.
#[derive(Debug)]
#[must_use = "dropping it ends the watching"]
pub struct FileWatch {
    task: Option<AbortHandle>,
}

impl FileWatch {
    /// Watches for as long as the configuration is used, without a guard.
    pub fn forever(mut self) {
        self.task = None;
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
