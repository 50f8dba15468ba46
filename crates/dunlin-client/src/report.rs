//! Where the time of a call went.

use std::fmt;
use std::time::Duration;

/// Where the time of a call went, and how connecting went if that is why it failed. The source of statuses
/// that the client made itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallReport {
    /// What was to be reached.
    pub target: String,
    /// From its first poll until it had a connection.
    pub queued: Duration,
    /// From then on.
    pub waited: Duration,
    /// Every address that was tried last, and why it could not be had.
    pub connecting: Option<String>,
}

impl fmt::Display for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: queued for a connection {:.1?}, then waited {:.1?}",
            self.target, self.queued, self.waited
        )?;
        match &self.connecting {
            Some(connecting) => write!(f, "; {connecting}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CallReport {}
