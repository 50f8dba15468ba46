//! The table of attacks: every row of the hardening list, in its order.

mod control;
mod data;
mod headers;
mod resets;
mod timing;

use crate::attack::{Attack, Then};
use crate::session::{Flow, Session};

const fn flood(name: &'static str, known_as: &'static str, send: fn(&mut Session) -> Flow) -> Attack {
    Attack { name, known_as, begins: true, then: Then::Ping, send }
}

const fn silence(name: &'static str, known_as: &'static str, send: fn(&mut Session) -> Flow) -> Attack {
    Attack { name, known_as, begins: true, then: Then::Silence, send }
}

/// Before the handshake is complete.
const fn early(name: &'static str, known_as: &'static str, send: fn(&mut Session) -> Flow) -> Attack {
    Attack { name, known_as, begins: false, then: Then::Silence, send }
}

/// All attacks.
pub const ATTACKS: &[Attack] = &[
    flood("rapid-reset", "Rapid Reset (CVE-2023-44487)", resets::rapid),
    flood("rapid-reset-ended", "Rapid Reset of whole requests", resets::rapid_ended),
    flood("refused-streams", "streams beyond MAX_CONCURRENT_STREAMS", resets::refused),
    flood("made-you-reset-window-zero", "MadeYouReset (CVE-2025-8671)", resets::window_zero),
    flood("made-you-reset-window-overflow", "MadeYouReset", resets::window_overflow),
    flood("made-you-reset-priority-length", "MadeYouReset", resets::priority_length),
    flood("made-you-reset-self-dependency", "MadeYouReset", resets::self_dependency),
    flood("made-you-reset-headers-after-end", "MadeYouReset", resets::headers_after_end),
    flood("made-you-reset-data-after-end", "MadeYouReset", resets::data_after_end),
    flood("made-you-reset-content-length", "MadeYouReset", resets::content_length),
    flood("malformed-requests", "reset flood (CVE-2019-9514)", resets::malformed),
    flood("continuation-small", "CONTINUATION flood (CVE-2024-27316 and others)", headers::small),
    flood("continuation-empty", "CONTINUATION flood, CVE-2019-9518", headers::empty_continuations),
    flood("continuation-large", "CONTINUATION flood", headers::large),
    silence("continuation-silence", "CONTINUATION that never ends", headers::never_ending),
    silence("headers-cut", "slow headers", headers::cut),
    flood("hpack-bomb", "HPACK bomb (CVE-2016-6581 and others)", headers::bomb),
    flood("header-list-size", "header lists somewhat too large", headers::list_size),
    flood("header-count", "many fields", headers::count),
    flood("header-names-empty", "0-length headers leak (CVE-2019-9516)", headers::empty_names),
    flood("headers-empty", "empty frames flood (CVE-2019-9518)", headers::empty),
    flood("smuggling", "request smuggling", headers::smuggling),
    flood("data-dribble", "data dribble (CVE-2019-9511)", data::dribble),
    flood("tiny-initial-window", "data dribble, over all streams", data::tiny_initial_window),
    silence("internal-buffering", "internal data buffering (CVE-2019-9517)", data::never_read),
    silence("answers-unread", "outbound queue growth", data::answers_unread),
    flood("control-unread", "outbound queue growth", data::control_unread),
    flood("data-empty", "empty frames flood (CVE-2019-9518)", data::empty),
    flood("data-padding", "empty frames flood", data::padding),
    flood("ping-flood", "ping flood (CVE-2019-9512)", control::pings),
    flood("ping-flood-unread", "ping flood", control::pings_unread),
    flood("settings-flood", "settings flood (CVE-2019-9515)", control::settings),
    flood("settings-entries", "settings flood", control::settings_entries),
    flood("priority-flood", "resource loop (CVE-2019-9513)", control::priorities),
    flood("window-update-flood", "WINDOW_UPDATE flood", control::window_updates),
    flood("window-update-flood-stream", "WINDOW_UPDATE flood", control::window_updates_of_a_stream),
    flood("unknown-frames", "ignored frames", control::unknown),
    flood("ping-ack-flood", "ignored frames", control::pongs),
    flood("reset-again-flood", "ignored frames", control::resets_again),
    flood("goaway-flood", "ignored frames", control::goaways),
    early("no-preface", "slow handshake", timing::no_preface),
    early("slow-preface", "slow handshake", timing::slow_preface),
    early("no-settings", "slow handshake", timing::no_settings),
    early("no-settings-ack", "slow handshake", timing::no_acknowledgement),
];
