//! A server of our own, and what its connections went through.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dunlin_http2::{
    Config, Connection, ConnectionError, ErrorCode, Event, Field, HeaderBlock, HeadersKind, Limit, StreamKey,
};
use dunlin_transport::{CloseReason, ConnectionHandler, Driver, Ledger};
use tokio::sync::oneshot;

/// What one connection went through.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// An honest client was on it.
    pub is_honest: bool,
    /// How often each limit was drawn on, as far as the handler gets to see it.
    pub counters: [u64; Limit::ALL.len()],
    /// The most that the engine held on the heap, in bytes.
    pub memory: usize,
    /// The most streams there were.
    pub streams: usize,
    /// Requests that were given to the application.
    pub requests: u64,
    /// The paths of the first few of them.
    pub paths: Vec<String>,
    /// How it ended.
    pub end: Option<Ending>,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By the peer, or in peace.
    Quiet,
    /// With a GOAWAY that says why.
    Error(ConnectionError),
}

impl Record {
    /// How often a limit was drawn on, as far as the handler gets to see it.
    pub fn counter(&self, limit: Limit) -> u64 {
        self.counters[limit as usize]
    }

    /// Looks at the connection.
    pub fn observe(&mut self, connection: &Connection) {
        for &limit in Limit::ALL {
            self.counters[limit as usize] = connection.counter(limit);
        }
        self.memory = self.memory.max(connection.memory());
        self.streams = self.streams.max(connection.stream_count());
    }

    /// Notes the end.
    pub fn closed(&mut self, reason: &CloseReason) {
        self.end = Some(match reason {
            CloseReason::Protocol(error) => Ending::Error(error.clone()),
            _ => Ending::Quiet,
        });
    }
}

type Shared = Arc<Mutex<Vec<Record>>>;

/// A server on a thread of its own, which ends with it.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its connections hold.
    pub ledger: Ledger,
    records: Shared,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts it.
    pub fn start(config: Config) -> Self {
        Self::with_ledger(config, Ledger::default())
    }

    /// Starts it with another limit of memory.
    pub fn with_ledger(config: Config, ledger: Ledger) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("the loopback has free ports");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("a bound socket");
        let (stop, stopped) = oneshot::channel();
        let records = Shared::default();
        let (shared, accounts) = (Arc::clone(&records), ledger.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = serve(listener, Arc::new(config), shared, accounts) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, ledger, records, stop: Some(stop), thread: Some(thread) }
    }

    /// The connections that no honest client was on, once they have all ended.
    pub fn hostile(&self) -> Vec<Record> {
        let until = Instant::now() + Duration::from_secs(3);
        loop {
            let records = lock(&self.records).clone();
            let hostile: Vec<_> = records.into_iter().filter(|record| !record.is_honest).collect();
            if hostile.iter().all(|record| record.end.is_some()) || Instant::now() > until {
                return hostile;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn serve(listener: std::net::TcpListener, config: Arc<Config>, records: Shared, ledger: Ledger) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a socket that does not block");
    let status = HeaderBlock::builder().field(Field::new(":status", "200"));
    // A cookie enters no table, so the answer is as long each time.
    let cookie = Field::new("set-cookie", [b'c'; 120].as_slice());
    let status_only = status.clone().field(cookie).build().expect("fields of our own");
    let status = status.build().expect("fields of our own");
    while let Ok((stream, _)) = listener.accept().await {
        let connection = Connection::server(Arc::clone(&config), Instant::now());
        let index = {
            let mut records = lock(&records);
            records.push(Record::default());
            records.len() - 1
        };
        let handler = Handler {
            records: Arc::clone(&records),
            index,
            status: status.clone(),
            status_only: status_only.clone(),
            calls: HashMap::new(),
        };
        let (_, driver) = Driver::new(stream, connection, handler);
        tokio::spawn(driver.with_ledger(&ledger));
    }
}

/// What a call wants, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// `/`: an answer with content, once the request is complete.
    Answer,
    /// `/status`: an answer of headers only, at once, whatever else comes.
    Status,
    /// `/hold`: no answer, but nothing more is done once it is reset.
    Hold,
    /// `/keep`: no answer, and the work goes on though it is reset.
    Keep,
    /// `/each`: a chunk for each piece of content that comes.
    Each,
    /// `/large`: this many chunks are left of the answer.
    Large(u32),
}

struct Handler {
    records: Shared,
    index: usize,
    status: HeaderBlock,
    status_only: HeaderBlock,
    calls: HashMap<StreamKey, Call>,
}

static ZEROS: [u8; 16 << 10] = [0; 16 << 10];
const CHUNKS: u32 = 4096;

impl Handler {
    fn record(&self, change: impl FnOnce(&mut Record)) {
        change(&mut lock(&self.records)[self.index]);
    }

    fn ended(&mut self, connection: &mut Connection, stream: StreamKey) {
        match self.calls.get(&stream) {
            Some(Call::Answer) => {
                let _ = connection.send_headers(stream, &self.status, false);
                let _ = connection.send_data(stream, Bytes::from_static(b"hello"), true);
                self.calls.remove(&stream);
            }
            Some(Call::Large(_)) => {
                let _ = connection.send_headers(stream, &self.status, false);
                self.more(connection, stream);
            }
            _ => {}
        }
    }

    fn more(&mut self, connection: &mut Connection, stream: StreamKey) {
        let Some(Call::Large(left)) = self.calls.get_mut(&stream) else { return };
        while *left > 0 && !connection.is_congested(stream) {
            *left -= 1;
            let _ = connection.send_data(stream, Bytes::from_static(&ZEROS), *left == 0);
        }
    }
}

impl ConnectionHandler for Handler {
    type Operation = ();

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, _: Instant) {
        self.record(|record| record.observe(connection));
        match event {
            Event::Headers { stream, kind: HeadersKind::Request, headers, end_stream } => {
                self.record(|record| {
                    record.requests += 1;
                    if record.paths.len() < 32 {
                        record.paths.push(headers.path().unwrap_or_default().to_owned());
                    }
                    record.is_honest |= headers.path() == Some("/honest");
                });
                let call = match headers.path() {
                    Some("/status") => Call::Status,
                    Some("/hold") => Call::Hold,
                    Some("/keep") => Call::Keep,
                    Some("/each") => Call::Each,
                    Some("/large") => Call::Large(CHUNKS),
                    _ => Call::Answer,
                };
                if call == Call::Status {
                    let _ = connection.send_headers(stream, &self.status_only, true);
                    if !end_stream {
                        connection.forget(stream, ErrorCode::NO_ERROR);
                    }
                    return;
                }
                if call == Call::Keep {
                    connection.hold(stream);
                }
                if call == Call::Each {
                    let _ = connection.send_headers(stream, &self.status, false);
                }
                self.calls.insert(stream, call);
                if end_stream {
                    self.ended(connection, stream);
                }
            }
            Event::Headers { stream, .. } => self.ended(connection, stream),
            Event::Data { stream, data, end_stream } => {
                connection.release(stream, data.len());
                if self.calls.get(&stream) == Some(&Call::Each) {
                    let _ = connection.send_data(stream, Bytes::from_static(&ZEROS), end_stream);
                }
                if end_stream {
                    self.ended(connection, stream);
                }
            }
            Event::Drained { stream } => self.more(connection, stream),
            Event::Reset { stream, .. } if self.calls.get(&stream) != Some(&Call::Keep) => {
                connection.forget(stream, ErrorCode::CANCEL);
                self.calls.remove(&stream);
            }
            _ => {}
        }
    }

    fn operation(&mut self, _: &mut Connection, (): (), _: Instant) {}

    fn poll(&mut self, connection: &mut Connection, _: &mut std::task::Context<'_>, _: Instant) {
        self.record(|record| record.observe(connection));
    }

    fn closed(&mut self, connection: &Connection, reason: &CloseReason) {
        self.record(|record| {
            record.observe(connection);
            record.closed(reason);
        });
    }
}
