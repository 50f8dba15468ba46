//! What was measured so far.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

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

impl Reading {
    /// Makes one series of those with the same labels: not every family of names tells targets apart, and one
    /// target may be written in several ways.
    pub(crate) fn unite(&mut self) {
        let mut places = HashMap::new();
        let mut united: Vec<Point> = Vec::with_capacity(self.series.len());
        for point in self.series.drain(..) {
            let labels: Vec<_> = point.labels.iter().map(|of| (of.name, of.value.to_string())).collect();
            match places.entry(labels) {
                Entry::Occupied(place) => {
                    let place: &mut Point = &mut united[*place.get()];
                    place.value.add(point.value);
                }
                Entry::Vacant(place) => {
                    place.insert(united.len());
                    united.push(point);
                }
            }
        }
        self.series = united;
    }
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

impl Value {
    /// Both together. Values of one instrument are of one kind, and have the same buckets.
    fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::Count(all), Self::Count(more)) => *all += more,
            (Self::Level(all), Self::Level(more)) => *all += more,
            (
                Self::Spread { sum, count, buckets },
                Self::Spread { sum: more, count: further, buckets: others },
            ) => {
                *sum += more;
                *count += further;
                buckets.iter_mut().zip(others).for_each(|((_, all), (_, more))| *all += more);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Label;

    #[test]
    fn series_with_the_same_labels_are_one() {
        let labels = |method: &'static str| vec![Label::text("grpc_method", method)];
        let spread =
            |count| Value::Spread { sum: 0.5, count, buckets: vec![(1.0, count), (f64::INFINITY, 0)] };
        let count = |method, value| Point { labels: labels(method), value };
        let mut reading = Reading {
            name: "grpc_client_handled_total",
            unit: "",
            help: "",
            kind: Kind::Histogram,
            series: vec![count("Get", spread(1)), count("List", spread(2)), count("Get", spread(3))],
        };
        reading.unite();
        let both = Value::Spread { sum: 1.0, count: 4, buckets: vec![(1.0, 4), (f64::INFINITY, 0)] };
        assert_eq!(reading.series, [count("Get", both), count("List", spread(2))]);
    }
}
