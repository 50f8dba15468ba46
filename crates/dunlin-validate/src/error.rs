//! Why a message did not pass.

use crate::proto::Violations;

/// Why a message did not pass.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidationError {
    /// Rules that do not hold. The message is at fault.
    #[error("{0}")]
    Violations(Violations),
    /// Rules that make no sense: of another type than the field, with an expression that cannot be
    /// read, with a pattern that is none. The schema is at fault.
    #[error("the rules of {message} cannot be used: {reason}")]
    Compilation {
        /// The full name of the message type.
        message: String,
        /// What is wrong, and with which field.
        reason: String,
    },
    /// An expression that has no value for this message: a key that is not there, an index beyond the
    /// end, bytes that are not UTF-8.
    #[error("the rule {rule:?} cannot be evaluated: {reason}")]
    Runtime {
        /// The id of the rule.
        rule: String,
        /// What is wrong.
        reason: String,
    },
    /// All expressions together cost more than [`max_cost`](crate::Builder::max_cost), which the rules
    /// and the size of the message decide.
    #[error("the rules cost more than max_cost, {limit}, at the rule {rule:?}")]
    Cost {
        /// The id of the rule at which it was noticed.
        rule: String,
        /// The limit.
        limit: u64,
    },
    /// Messages are nested deeper than [`max_depth`](crate::Builder::max_depth).
    #[error("messages are nested deeper than max_depth, {limit}")]
    Depth {
        /// The limit.
        limit: usize,
    },
    /// No descriptor is known for the type of a generated message, so that its rules are not known.
    #[error("no descriptor is known for {message}: add those of its schema to the validator")]
    UnknownType {
        /// The full name of the message type.
        message: String,
    },
}

impl ValidationError {
    /// The rules that do not hold; `None` if it was not the message that was at fault.
    pub fn violations(&self) -> Option<&Violations> {
        match self {
            Self::Violations(violations) => Some(violations),
            _ => None,
        }
    }
}
