//! What a peer registers: one operation on one message.

use std::hint::black_box;

pub struct Case {
    pub message: &'static str,
    pub operation: &'static str,
    pub peer: &'static str,
    /// Runs the operation this many times.
    pub run: Box<dyn FnMut(u64)>,
}

impl Case {
    /// The result is dropped within the operation, and is part of what is measured.
    pub fn new<R>(
        peer: &'static str,
        message: &'static str,
        operation: &'static str,
        mut once: impl FnMut() -> R + 'static,
    ) -> Self {
        let run = move |iterations| {
            for _ in 0..iterations {
                // By reference, so that a large result is not moved on our account.
                black_box(&once());
            }
        };
        Self { message, operation, peer, run: Box::new(run) }
    }

    /// Whether every word of the filter (`order`, `order/decode`, `prost/json_encode`) is one of
    /// this case's names.
    pub fn matches(&self, filter: &str) -> bool {
        filter.split('/').all(|word| [self.message, self.operation, self.peer].contains(&word))
    }
}
