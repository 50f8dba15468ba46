//! Finds the place in a stream of messages where it is to be cut.

/// Octets before each message: a flag and its length.
const PREFIX: usize = 5;

/// Where to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind so many messages.
    Behind(u64),
    /// Within the message behind so many.
    Within(u64),
}

/// Counts the messages in content that comes in pieces.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    place: Place,
    whole: u64,
    prefix: [u8; PREFIX],
    /// Octets of the prefix that are known.
    filled: usize,
    /// Octets of the message that are to come, once its prefix is known.
    left: usize,
    /// Octets until the place, once that is known.
    until: Option<usize>,
}

impl Meter {
    pub(super) fn new(place: Place) -> Self {
        Self { place, whole: 0, prefix: [0; PREFIX], filled: 0, left: 0, until: None }
    }

    /// Whether the place is where the content stands.
    pub(super) fn is_there(&self) -> bool {
        self.place == Place::Behind(self.whole) && self.filled == 0
    }

    /// Takes the next content; gives the place, if it is in it.
    pub(super) fn feed(&mut self, content: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.is_there() {
                return Some(at);
            }
            if let Some(until) = self.until {
                let rest = content.len() - at;
                self.until = Some(until.saturating_sub(rest));
                return (until <= rest).then_some(at + until);
            }
            if at == content.len() {
                return None;
            }
            if self.filled < PREFIX {
                self.prefix[self.filled] = content[at];
                (self.filled, at) = (self.filled + 1, at + 1);
                if self.filled < PREFIX {
                    continue;
                }
                let [_, length @ ..] = self.prefix;
                self.left = u32::from_be_bytes(length) as usize;
                if self.place == Place::Within(self.whole) {
                    if self.left == 0 {
                        // An empty message is cut before the last octet of its prefix.
                        return Some(at - 1);
                    }
                    self.until = Some(self.left / 2);
                    continue;
                }
            }
            let step = self.left.min(content.len() - at);
            (self.left, at) = (self.left - step, at + step);
            if self.left == 0 {
                self.whole += 1;
                self.filled = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of 3, 0 and 10 octets.
    const CONTENT: [u8; 28] = [
        0, 0, 0, 0, 3, 1, 2, 3, //
        0, 0, 0, 0, 0, //
        1, 0, 0, 0, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ];

    #[test]
    fn places_are_found_however_content_is_cut_up() {
        let rows = [
            (Place::Behind(0), Some(0)),
            (Place::Behind(1), Some(8)),
            (Place::Behind(2), Some(13)),
            (Place::Behind(3), Some(28)),
            (Place::Behind(4), None),
            (Place::Within(0), Some(6)),
            (Place::Within(1), Some(12)),
            (Place::Within(2), Some(23)),
            (Place::Within(3), None),
        ];
        for (place, wanted) in rows {
            for size in 1..=CONTENT.len() {
                let mut meter = Meter::new(place);
                let mut before = 0;
                let found = CONTENT.chunks(size).find_map(|piece| {
                    let found = meter.feed(piece).map(|at| before + at);
                    before += piece.len();
                    found
                });
                assert_eq!(found, wanted, "{place:?} in pieces of {size}");
            }
        }
    }
}
