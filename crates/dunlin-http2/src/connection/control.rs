//! Frames about a stream or the connection as a whole: PRIORITY, RST_STREAM, SETTINGS, PING,
//! WINDOW_UPDATE (RFC 9113 §6.3 to §6.9).

use std::time::Instant;

use super::{Connection, Phase, Pressure, Role};
use crate::abuse::Limit;
use crate::bandwidth::PROBE;
use crate::error::{ConnectionError, ErrorCode, ResetReason, StreamFault};
use crate::event::Event;
use crate::frame::{self, FrameHeader, StreamId, flag, kind, u32_at};
use crate::settings;
use crate::stream::Receiving;

type Handled = Result<(), ConnectionError>;

/// So many streams that are not read stop a connection whose windows have grown.
const STREAMS_OF_A_WINDOW: i32 = 4;

impl Connection {
    /// Sends a PING; [`Event::Pong`] follows with the same octets. Those that the connection uses
    /// itself (`bandwdth`, `keepaliv`, `shutdown`) are answered by no event.
    pub fn ping(&mut self, opaque: [u8; 8]) {
        self.output.write(|out| frame::write_ping(out, 0, opaque));
    }

    pub(super) fn priority(&mut self, now: Instant, header: FrameHeader, payload: &[u8]) -> Handled {
        self.abuse.spend(Limit::Priorities, now)?;
        if payload.len() != 5 {
            let reason = "PRIORITY that has not five octets (RFC 9113 6.3)";
            return self.stream_fault(now, header.stream, ErrorCode::FRAME_SIZE_ERROR, reason);
        }
        // The priorities themselves mean nothing anymore (RFC 9113 §5.3).
        if StreamId::from_wire(u32_at(payload, 0)) == header.stream {
            let reason = "a stream depends on itself (RFC 7540 5.3.1)";
            return self.stream_fault(now, header.stream, ErrorCode::PROTOCOL_ERROR, reason);
        }
        Ok(())
    }

    /// A fault on a stream that may be there or not.
    fn stream_fault(&mut self, now: Instant, id: StreamId, code: ErrorCode, reason: &'static str) -> Handled {
        match self.streams.find(id) {
            Some(key) => self.fault(now, key, StreamFault::Protocol { code, reason }),
            // RST_STREAM must not be sent for an idle stream (RFC 9113 §6.4).
            None if self.is_idle(id) => Err(ConnectionError::Protocol { code, reason }),
            None => {
                self.abuse.spend(Limit::LocalResets, now)?;
                self.write_reset(id, code)
            }
        }
    }

    pub(super) fn rst_stream(&mut self, now: Instant, header: FrameHeader, payload: &[u8]) -> Handled {
        if payload.len() != 4 {
            return Err(ConnectionError::frame_size("RST_STREAM that has not four octets (RFC 9113 6.4)"));
        }
        if self.is_idle(header.stream) {
            return Err(ConnectionError::protocol("RST_STREAM on an idle stream (RFC 9113 6.4)"));
        }
        let code = ErrorCode(u32_at(payload, 0));
        let Some(key) = self.streams.find(header.stream) else {
            return self.abuse.spend(Limit::IgnoredFrames, now);
        };
        let is_done = self.streams.get(key).is_some_and(|stream| stream.receiving == Receiving::Ended);
        // A server may end a response early and then say that it needs no more of the request
        // (RFC 9113 §8.1), which is no reset to count.
        if self.role == Role::Server || !(code == ErrorCode::NO_ERROR && is_done) {
            self.abuse.spend(Limit::PeerResets, now)?;
        }
        if self.end_by_reset(key) {
            self.events.push_back(Event::Reset { stream: key, reason: ResetReason::Remote(code) });
        }
        Ok(())
    }

    pub(super) fn settings(&mut self, now: Instant, header: FrameHeader, payload: &[u8]) -> Handled {
        if header.has(flag::ACK) {
            if !payload.is_empty() {
                return Err(ConnectionError::frame_size("an acknowledgement with settings (RFC 9113 6.5)"));
            }
            return self.settings_acknowledged();
        }
        if !payload.len().is_multiple_of(6) {
            return Err(ConnectionError::frame_size(
                "SETTINGS that are no multiple of six octets (RFC 9113 6.5)",
            ));
        }
        self.abuse.spend(Limit::SettingsFrames, now)?;
        let allowed = self.config.max_settings_entries;
        if payload.len() / 6 > allowed as usize {
            return Err(self.abuse.exceeded(Limit::SettingsEntries, allowed.into()));
        }
        if self.phase == Phase::FirstSettings {
            // Without the setting there is no limit (RFC 9113 §6.5.2).
            self.peer.max_concurrent_streams = u32::MAX;
        }
        let before = self.peer;
        self.peer.apply(payload, self.role == Role::Client)?;
        if self.phase == Phase::FirstSettings {
            self.phase = Phase::Open;
            self.timeouts.preface_done(self.unacknowledged.is_empty());
        }
        self.encoder.set_peer_limit(self.peer.header_table_size);
        // Both are below 2^31, so the difference is no overflow.
        let shift = self.peer.initial_window_size - before.initial_window_size;
        if shift != 0 {
            self.shift_send_windows(shift)?;
        }
        self.control(|out| frame::write_header(out, kind::SETTINGS, flag::ACK, StreamId::CONNECTION, 0))?;
        self.events.push_back(Event::Settings);
        self.tell_capacity();
        Ok(())
    }

    /// RFC 9113 §6.5.3: from now on the peer goes by what we have set.
    fn settings_acknowledged(&mut self) -> Handled {
        let Some(window) = self.unacknowledged.pop_front() else {
            return Err(ConnectionError::protocol("an acknowledgement of no SETTINGS (RFC 9113 6.5)"));
        };
        self.decoder.set_allowed_size(self.config.header_table_size as usize);
        let shift = window - self.initial_window;
        self.initial_window = window;
        if shift != 0 {
            for (key, stream) in self.streams.iter_mut().filter(|(_, stream)| !stream.is_closed()) {
                let increment = stream.receive_window.resize(shift);
                if let Some(increment) = increment.filter(|_| stream.receiving != Receiving::Ended) {
                    self.output.write(|out| frame::write_window_update(out, key.id, increment));
                }
            }
        }
        if self.unacknowledged.is_empty() && self.phase == Phase::Open {
            self.timeouts.handshake_done();
        }
        Ok(())
    }

    pub(super) fn ping_frame(&mut self, now: Instant, header: FrameHeader, payload: &[u8]) -> Handled {
        let Ok(opaque) = <[u8; 8]>::try_from(payload) else {
            return Err(ConnectionError::frame_size("PING that has not eight octets (RFC 9113 6.7)"));
        };
        if !header.has(flag::ACK) {
            self.abuse.spend(Limit::Pings, now)?;
            if self.role == Role::Server {
                self.abuse.strike(now, self.concurrent > 0)?;
            }
            return self.control(|out| frame::write_ping(out, flag::ACK, opaque));
        }
        // Nobody has to answer what was not asked.
        self.abuse.spend(Limit::IgnoredFrames, now)?;
        match opaque {
            PROBE => self.grow_windows(),
            super::shutdown::DRAIN => self.drained(),
            opaque if Self::is_keepalive(opaque) => {}
            _ => self.events.push_back(Event::Pong { opaque }),
        }
        Ok(())
    }

    /// A bandwidth probe was answered.
    fn grow_windows(&mut self) {
        let max = self.config.max_window_size as i32;
        let size = self.receive_window.size();
        let stream_size = self.unacknowledged.back().copied().unwrap_or(self.initial_window);
        // Whichever window is the smaller one held the peer back.
        let wanted = self.bandwidth.end(size.min(stream_size), max / STREAMS_OF_A_WINDOW);
        let Some(wanted) = wanted.filter(|_| self.pressure == Pressure::None) else { return };
        // A stream that nobody reads must leave some of the connection's window to the others.
        let whole = wanted.saturating_mul(STREAMS_OF_A_WINDOW).min(max).max(size);
        if let Some(increment) = self.receive_window.grow(whole) {
            self.output.write(|out| frame::write_window_update(out, StreamId::CONNECTION, increment));
        }
        let wanted = wanted.min(whole / STREAMS_OF_A_WINDOW).max(stream_size);
        // More than a few that wait for an acknowledgement help nobody.
        if wanted > stream_size && self.unacknowledged.len() < 4 {
            self.unacknowledged.push_back(wanted);
            self.output.write(|out| settings::write_initial_window(wanted as u32, out));
        }
    }

    pub(super) fn window_update(&mut self, now: Instant, header: FrameHeader, payload: &[u8]) -> Handled {
        if payload.len() != 4 {
            return Err(ConnectionError::frame_size("WINDOW_UPDATE that has not four octets (RFC 9113 6.9)"));
        }
        self.abuse.spend(Limit::WindowUpdates, now)?;
        let increment = (u32_at(payload, 0) & 0x7fff_ffff) as i32;
        if header.stream == StreamId::CONNECTION {
            if increment == 0 {
                return Err(ConnectionError::protocol("WINDOW_UPDATE of nothing (RFC 9113 6.9)"));
            }
            self.send_window = self.send_window.add(increment).ok_or_else(|| {
                ConnectionError::flow_control("a connection window above 2^31-1 (RFC 9113 6.9.1)")
            })?;
            return Ok(());
        }
        if self.is_idle(header.stream) {
            return Err(ConnectionError::protocol("WINDOW_UPDATE on an idle stream (RFC 9113 5.1)"));
        }
        let Some(key) = self.streams.find(header.stream) else { return Ok(()) };
        let Some(stream) = self.streams.get_mut(key).filter(|stream| !stream.is_closed()) else {
            return Ok(());
        };
        let fault = match stream.send_window.add(increment) {
            _ if increment == 0 => StreamFault::Protocol {
                code: ErrorCode::PROTOCOL_ERROR,
                reason: "WINDOW_UPDATE of nothing (RFC 9113 6.9)",
            },
            Some(window) => {
                stream.send_window = window;
                if window.available() > 0 {
                    self.schedule(key);
                }
                return Ok(());
            }
            None => StreamFault::Protocol {
                code: ErrorCode::FLOW_CONTROL_ERROR,
                reason: "a stream window above 2^31-1 (RFC 9113 6.9.1)",
            },
        };
        self.fault(now, key, fault)
    }
}
