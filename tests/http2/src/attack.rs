//! One attack, and what became of it.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use dunlin_testkit::http2::Frame;

use crate::honest::{Honest, Served};
use crate::memory;
use crate::session::{Flow, Seen, Session, Stop};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// For `--only`.
    pub name: &'static str,
    /// What it is known as.
    pub known_as: &'static str,
    /// What is sent before; an attack on the handshake sends nothing by itself.
    pub begins: bool,
    /// What shows whether the server has given in.
    pub then: Then,
    /// Sends the frames.
    pub send: fn(&mut Session) -> Flow,
}

/// What follows the frames of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// A PING, whose answer says that the server goes on.
    Ping,
    /// Silence, for as long as the target says.
    Silence,
}

/// A server to attack.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process, to look at its memory.
    pub pid: Option<u32>,
    /// What attacks ask for.
    pub path: String,
    /// What the honest client asks for.
    pub honest_path: String,
    /// What has a long answer, if something has.
    pub large: Option<String>,
    /// How long one attack may send.
    pub time: Duration,
    /// How long a server may take to lose its patience.
    pub patience: Duration,
}

impl Target {
    /// A server that is asked for `/`.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            pid: None,
            path: "/".to_owned(),
            honest_path: "/".to_owned(),
            large: None,
            time: Duration::from_secs(10),
            patience: Duration::from_secs(15),
        }
    }
}

/// How an attack ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server has taken all of it and goes on.
    Survived,
    /// The server ended the connection with this code.
    GoAway(u32),
    /// The server closed the connection without a word.
    Closed,
    /// The server takes nothing more on this connection, and does not close it.
    Stalled,
    /// The server waits for longer than we do.
    Waits,
    /// The server has nothing to try it with.
    Impossible(&'static str),
}

/// What became of an attack.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its name.
    pub name: &'static str,
    /// How it ended.
    pub end: End,
    /// Frames that were sent until then.
    pub frames: u64,
    /// How long it took.
    pub time: Duration,
    /// What the server has sent.
    pub seen: Seen,
    /// The honest client beside it.
    pub served: Served,
    /// Whether an honest client is served on a new connection afterwards.
    pub is_served_after: bool,
    /// How much resident memory the server has gained at most, in bytes.
    pub growth: Option<u64>,
}

/// Runs an attack, with an honest client beside it.
///
/// # Errors
/// There is no connection to the server.
pub fn run(attack: &Attack, target: &Target) -> io::Result<Report> {
    let before = target.pid.and_then(memory::resident);
    let honest = Honest::start(target.address, &target.honest_path, target.pid);
    let mut session = Session::connect(target.address, target.time)?;
    session.path.clone_from(&target.path);
    session.large.clone_from(&target.large);
    session.patience = target.patience;
    let begin = Instant::now();
    let sent = match attack.begins {
        true => session.hello(&[]),
        false => Flow::Continue(()),
    };
    let sent = match sent {
        ControlFlow::Continue(()) => (attack.send)(&mut session),
        stop => stop,
    };
    let end = end(&mut session, attack.then, sent, target.patience);
    let time = begin.elapsed();
    let served = honest.stop();
    let most = served.memory.max(target.pid.and_then(memory::resident));
    session.close();
    Ok(Report {
        name: attack.name,
        end,
        frames: session.frames,
        time,
        is_served_after: Honest::once(target.address, &target.honest_path),
        growth: before.zip(most).map(|(before, most)| most.saturating_sub(before)),
        served,
        seen: session.seen,
    })
}

/// Looks for what the server makes of it.
fn end(session: &mut Session, then: Then, sent: Flow, patience: Duration) -> End {
    if let ControlFlow::Break(Stop::Impossible(why)) = sent {
        return End::Impossible(why);
    }
    session.is_reading = true;
    session.extend(patience);
    let is_stalled = sent == ControlFlow::Break(Stop::Stalled);
    let settled = match then {
        _ if session.has_ended() => Flow::Break(Stop::Ended),
        // Half a frame may be on its way, so nothing can be asked; but it can be read on.
        _ if is_stalled => session.wait_for(Duration::from_secs(1), Seen::is_over),
        Then::Ping => {
            let pongs = session.seen.pongs + 1;
            match session.send(&[Frame::ping(*b"are you?")]) {
                ControlFlow::Continue(()) => session.wait_for(patience, |seen| seen.pongs >= pongs),
                stop => stop,
            }
        }
        Then::Silence => session.wait_for(patience, Seen::is_over),
    };
    match (&session.seen.goaway, settled) {
        (Some((code, _)), _) if session.seen.is_over() => End::GoAway(*code),
        (None, _) if session.seen.is_closed => End::Closed,
        _ if is_stalled => End::Stalled,
        (_, ControlFlow::Continue(())) if then == Then::Ping && session.seen.pongs > 0 => End::Survived,
        _ if then == Then::Silence => End::Waits,
        _ => End::Stalled,
    }
}
