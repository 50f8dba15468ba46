//! What was measured so far.

use crate::instrument::Kind;
use crate::labels::Label;

/// An instrument with all its series, as [`Metrics::read`](crate::Metrics::read) finds them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reading {
    /// The name, as the family has it.
    pub name: &'static str,
    /// The unit by UCUM, such as `s`, `By` or `{call}`; empty if there is none.
    pub unit: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// What it does with its values.
    pub kind: Kind,
    /// The series, in no particular order.
    pub series: Vec<Point>,
}

/// One series of a [`Reading`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// What tells it apart.
    pub labels: Vec<Label>,
    /// What it has come to.
    pub value: Value,
}

impl Point {
    /// The value of a label, as text.
    pub fn label(&self, name: &str) -> Option<String> {
        self.labels.iter().find(|label| label.name == name).map(|label| label.value.to_string())
    }
}

/// What a series has come to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Of a [`Kind::Counter`].
    Count(u64),
    /// Of a [`Kind::Gauge`].
    Level(i64),
    /// Of a [`Kind::Histogram`].
    Spread {
        /// All values together.
        sum: f64,
        /// How many there were.
        count: u64,
        /// For each bucket its upper bound, which belongs to it, and how many values fell into it alone. The
        /// last bound is infinite.
        buckets: Vec<(f64, u64)>,
    },
}
