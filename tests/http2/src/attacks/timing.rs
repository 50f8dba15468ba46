//! A handshake that does not come to its end.

use std::time::Duration;

use dunlin_testkit::http2::{Frame, PREFACE};

use crate::session::{Flow, Session};

/// Not one octet.
pub(super) fn no_preface(session: &mut Session) -> Flow {
    session.is_answering = false;
    Flow::Continue(())
}

/// An octet at a time.
pub(super) fn slow_preface(session: &mut Session) -> Flow {
    session.is_answering = false;
    for octet in PREFACE {
        session.raw(&[*octet])?;
        session.flush()?;
        session.wait_for(Duration::from_millis(250), |_| false)?;
    }
    Flow::Continue(())
}

/// The preface, and no SETTINGS.
pub(super) fn no_settings(session: &mut Session) -> Flow {
    session.is_answering = false;
    session.raw(PREFACE)?;
    session.flush()
}

/// SETTINGS, and no acknowledgement of those of the server.
pub(super) fn no_acknowledgement(session: &mut Session) -> Flow {
    session.is_answering = false;
    session.raw(PREFACE)?;
    session.send(&[Frame::settings(&[])])?;
    session.flush()
}
