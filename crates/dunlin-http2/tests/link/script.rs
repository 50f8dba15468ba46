//! What a call is to be. Both sides know it by its number, so that each can check the other.

use crate::random::Random;

#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) request: Message,
    pub(crate) response: Message,
    pub(crate) informational: usize,
    /// The server does not wait for the end of the request, and does not want it.
    pub(crate) is_early: bool,
    pub(crate) client_resets: bool,
    pub(crate) server_resets: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) len: usize,
    pub(crate) has_trailers: bool,
}

impl Message {
    fn new(random: &mut Random, largest: usize) -> Self {
        let len = match random.below(5) {
            0 => 0,
            1 => random.below(20),
            2 => random.below(largest / 10 + 1),
            _ => random.below(largest + 1),
        };
        Self { len, has_trailers: random.once_in(2) }
    }
}

impl Script {
    pub(crate) fn new(random: &mut Random, largest: usize) -> Self {
        Self {
            request: Message::new(random, largest),
            response: Message::new(random, largest),
            informational: random.pick(&[0, 0, 1, 3]),
            is_early: random.once_in(8),
            client_resets: random.once_in(10),
            server_resets: random.once_in(12),
        }
    }

    /// Content as large as this, and nothing that disturbs it.
    pub(crate) fn plain(request: usize, response: usize) -> Self {
        let message = |len| Message { len, has_trailers: true };
        Self {
            request: message(request),
            response: message(response),
            informational: 0,
            is_early: false,
            client_resets: false,
            server_resets: false,
        }
    }

    pub(crate) fn is_undisturbed(&self) -> bool {
        !self.client_resets && !self.server_resets
    }
}

/// The octet at a place of the content that a side sends in a call.
pub(crate) fn octet(call: usize, is_request: bool, at: usize) -> u8 {
    (call * 31 + usize::from(is_request) * 101 + at * 7 + at / 251) as u8
}
