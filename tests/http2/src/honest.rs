//! A client that does no wrong, on a connection of its own.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dunlin_testkit::http2::Frame;

use crate::memory;
use crate::session::{Session, Stop};

/// The longest that an honest call may take before it counts as not served.
const CALL: Duration = Duration::from_secs(3);
/// Between two calls.
const PAUSE: Duration = Duration::from_millis(5);

/// What became of the calls.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// Calls that were answered.
    pub calls: u64,
    /// What went wrong, if something did.
    pub fault: Option<String>,
    /// The longest call.
    pub slowest: Duration,
    /// The most resident memory of the server meanwhile, in bytes.
    pub memory: Option<u64>,
}

/// An honest client at work.
#[derive(Debug)]
pub struct Honest {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Served>,
}

impl Honest {
    /// Calls `path` again and again until it is [stopped](Self::stop).
    pub fn start(address: SocketAddr, path: &str, pid: Option<u32>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (flag, path) = (Arc::clone(&is_over), path.to_owned());
        let thread = thread::spawn(move || {
            let mut served = Served::default();
            let mut session = match open(address) {
                Ok(session) => session,
                Err(fault) => return Served { fault: Some(fault), ..served },
            };
            loop {
                let begin = Instant::now();
                if let ControlFlow::Break(fault) = call(&mut session, &path) {
                    return Served { fault: Some(fault), ..served };
                }
                served.calls += 1;
                served.slowest = served.slowest.max(begin.elapsed());
                served.memory = served.memory.max(pid.and_then(memory::resident));
                if flag.load(Ordering::Relaxed) {
                    return served;
                }
                thread::sleep(PAUSE);
            }
        });
        Self { is_over, thread }
    }

    /// One connection with one call.
    pub fn once(address: SocketAddr, path: &str) -> bool {
        open(address).is_ok_and(|mut session| call(&mut session, path).is_continue())
    }

    /// Ends with the call that is on its way.
    ///
    /// # Panics
    /// If the client has.
    pub fn stop(self) -> Served {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("an honest client does not panic")
    }
}

fn open(address: SocketAddr) -> Result<Session, String> {
    let mut session = Session::connect(address, CALL).map_err(|error| error.to_string())?;
    match session.hello(&[]) {
        ControlFlow::Continue(()) => Ok(session),
        ControlFlow::Break(stop) => Err(text(&session, stop)),
    }
}

fn call(session: &mut Session, path: &str) -> ControlFlow<String> {
    session.extend(CALL);
    let (stream, data) = (session.next_stream(), session.seen.data);
    let request = Frame::headers(stream, session.request_block(path)).end_stream();
    let exchange = || {
        session.send(&[request])?;
        session.wait_for(CALL, |seen| seen.last_ended == stream)?;
        let received = (session.seen.data - data) as u32;
        if received > 0 {
            session.send(&[Frame::window_update(0, received)])?;
        }
        session.flush()
    };
    if let ControlFlow::Break(stop) = exchange() {
        return ControlFlow::Break(text(session, stop));
    }
    match session.seen.last_ended == stream {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(format!("no answer within {CALL:?}")),
    }
}

fn text(session: &Session, stop: Stop) -> String {
    match &session.seen.goaway {
        Some((code, text)) => format!("GOAWAY {code} {text}"),
        None => format!("{stop:?}"),
    }
}
