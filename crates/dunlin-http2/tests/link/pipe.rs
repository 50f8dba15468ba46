//! One direction of the link.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::random::Random;

/// How octets are cut into what is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pieces {
    One,
    Random,
    Whole,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pieces: Pieces,
    random: Random,
    in_flight: VecDeque<(Instant, Vec<u8>)>,
    stalled_until: Instant,
}

impl Pipe {
    pub(crate) fn new(pieces: Pieces, random: Random, now: Instant) -> Self {
        Self { pieces, random, in_flight: VecDeque::new(), stalled_until: now }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub(crate) fn push(&mut self, now: Instant, octets: Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        if self.random.once_in(50) {
            self.stalled_until = now + Duration::from_millis(self.random.below(400) as u64);
        }
        let delay = Duration::from_millis(self.random.below(20) as u64);
        // What was sent before does not come later.
        let before = self.in_flight.back().map_or(now, |(at, _)| *at);
        self.in_flight.push_back((before.max(now + delay), octets));
    }

    /// The pieces that arrive now.
    pub(crate) fn arrive(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut octets = Vec::new();
        while self.stalled_until <= now
            && let Some((at, _)) = self.in_flight.front()
            && *at <= now
        {
            octets.extend(self.in_flight.pop_front().expect("there is one").1);
        }
        let mut pieces = Vec::new();
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let len = match self.pieces {
                Pieces::One => 1,
                Pieces::Whole => rest.len(),
                Pieces::Random => 1 + self.random.below(rest.len().min(3000)),
            };
            let (piece, behind) = rest.split_at(len);
            pieces.push(piece.to_vec());
            rest = behind;
        }
        pieces
    }
}
