//! How calls that would go on for ever learn that the shop closes.

use std::sync::Arc;

use dunlin::Status;
use tokio::sync::watch;

use crate::errors::unavailable;

/// Whether the shop closes. Clones are of the same shop.
#[derive(Clone, Debug)]
pub struct Closing {
    is_closing: Arc<watch::Sender<bool>>,
}

impl Default for Closing {
    fn default() -> Self {
        Self { is_closing: Arc::new(watch::Sender::new(false)) }
    }
}

impl Closing {
    /// It closes.
    pub fn begin(&self) {
        self.is_closing.send_replace(true);
    }

    /// Waits until it closes, and says what callers are told then.
    pub async fn begun(&self) -> Status {
        // The sender is here, so this fails never.
        let _ = self.is_closing.subscribe().wait_for(|is_closing| *is_closing).await;
        unavailable("the shop closes; call again, and another one may answer")
    }
}
