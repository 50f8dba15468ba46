//! Random exchanges give the same result with our engine as with the `h2` crate, on either side.
//!
//! A seed stands for a [`Script`]: settings, requests, responses and how each ends. It runs over an
//! in-process link in all four pairings of clients and servers, and both ends note what they see. Each
//! run is held against the script, and all runs against one another; `compare.rs` names what may differ,
//! and by which clause. `DUNLIN_SEED` runs one seed only.

mod compare;
mod follow;
mod h2_peer;
mod ours;
mod script;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use compare::{Outcome, differences, judge};
use follow::{Client, Head, Receive, Seen, Send};
use script::Script;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

/// Seeds of a run.
const SEEDS: u64 = 300;
/// How long one script may take in one pairing; it is far quicker, so more is a hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// After so many failures no new seeds are begun.
const ENOUGH: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Ours,
    H2,
}

/// Who is the client, and who the server.
#[derive(Clone, Copy)]
struct Pairing {
    client: Engine,
    server: Engine,
}

/// The first is what the others are compared with.
const PAIRINGS: [Pairing; 4] = [
    Pairing { client: Engine::H2, server: Engine::H2 },
    Pairing { client: Engine::Ours, server: Engine::H2 },
    Pairing { client: Engine::H2, server: Engine::Ours },
    Pairing { client: Engine::Ours, server: Engine::Ours },
];

impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {:?}, server {:?}", self.client, self.server)
    }
}

#[test]
fn exchanges_end_the_same_with_our_engine_as_with_h2() {
    let one = std::env::var("DUNLIN_SEED").ok().map(|seed| seed.parse().expect("DUNLIN_SEED is a number"));
    let (next, end) = one.map_or((0, SEEDS), |seed: u64| (seed, seed + 1));
    let (next, failures) = (AtomicU64::new(next), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let found = failures_of(seed);
                    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                    failures.extend(found);
                    if failures.len() >= ENOUGH {
                        return;
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

fn failures_of(seed: u64) -> Vec<String> {
    let script = Rc::new(Script::of(seed));
    let mut baseline = None;
    let mut failures = Vec::new();
    for pairing in PAIRINGS {
        let outcome = run(&script, pairing);
        let (mut faults, certain) = judge(&script, &outcome);
        match &baseline {
            None => baseline = Some(certain),
            Some(baseline) => faults.extend(differences(baseline, &certain)),
        }
        failures.extend(faults.into_iter().map(|fault| format!("DUNLIN_SEED={seed}, {pairing}: {fault}")));
    }
    failures
}

/// What each side has seen of each exchange.
type Noted = Rc<RefCell<Vec<Option<Seen>>>>;

fn run(script: &Rc<Script>, pairing: Pairing) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let nothing = || Rc::new(RefCell::new(vec![None; script.exchanges.len()]));
    let (seen_by_client, seen_by_server): (Noted, Noted) = (nothing(), nothing());
    let local = LocalSet::new();
    let both = async {
        // `h2` writes its preface before it reads, at both ends, so a link has to hold one of them.
        let is_h2_alone = [pairing.client, pairing.server] == [Engine::H2; 2];
        let capacity = if is_h2_alone { script.capacity.max(64) } else { script.capacity };
        let (near, far) = tokio::io::duplex(capacity);
        let client = async {
            match pairing.client {
                Engine::Ours => {
                    let (client, connection) = ours::client(near, &script.client);
                    let connection = tokio::task::spawn_local(connection);
                    requests(client, script, &seen_by_client).await;
                    connection.await.map_err(|error| error.to_string())?
                }
                Engine::H2 => {
                    let (client, connection) =
                        h2_peer::client(near, &script.client).await.map_err(|error| error.to_string())?;
                    let connection = tokio::task::spawn_local(connection);
                    requests(client, script, &seen_by_client).await;
                    connection.await.map_err(|error| error.to_string())?
                }
            }
        };
        let server = async {
            let (settings, shutdown_after) = (&script.server, script.shutdown_after);
            let mut tasks = JoinSet::new();
            let result = match pairing.server {
                Engine::Ours => {
                    let accepted = |head, send, receive| {
                        tasks.spawn_local(answer(
                            script.clone(),
                            seen_by_server.clone(),
                            head,
                            send,
                            receive,
                        ));
                    };
                    ours::server(far, settings, shutdown_after, accepted).await
                }
                Engine::H2 => {
                    let accepted = |head, send, receive| {
                        tasks.spawn_local(answer(
                            script.clone(),
                            seen_by_server.clone(),
                            head,
                            send,
                            receive,
                        ));
                    };
                    h2_peer::server(far, settings, shutdown_after, accepted).await
                }
            };
            tasks.join_all().await;
            result
        };
        tokio::time::timeout(PATIENCE, async { tokio::join!(client, server) }).await
    };
    let faults = match local.block_on(&runtime, both) {
        Ok((client, server)) => [client.err(), server.err()].into_iter().flatten().collect(),
        Err(_) => vec![format!("it hangs; {}", unfinished(&seen_by_client, &seen_by_server))],
    };
    drop(local);
    Outcome { client: seen_by_client.take(), server: seen_by_server.take(), faults }
}

fn unfinished(client: &Noted, server: &Noted) -> String {
    let of = |noted: &Noted| {
        let noted = noted.borrow();
        let open = noted.iter().enumerate().filter(|(_, seen)| seen.is_none());
        open.map(|(index, _)| index).collect::<Vec<_>>()
    };
    format!("without an end at the client {:?}, at the server {:?}", of(client), of(server))
}

/// All requests of the script, some at a time. The connection may end with the last one.
async fn requests<C: Client + 'static>(client: C, script: &Rc<Script>, noted: &Noted) {
    let (client, room) = (Rc::new(client), Rc::new(Semaphore::new(script.parallel)));
    let mut tasks = JoinSet::new();
    for index in 0..script.exchanges.len() {
        let (client, room, script, noted) = (client.clone(), room.clone(), script.clone(), noted.clone());
        tasks.spawn_local(async move {
            let _permit = room.acquire().await;
            let seen = follow::request(&*client, &script.exchanges[index]).await;
            noted.borrow_mut()[index] = Some(seen);
        });
    }
    tasks.join_all().await;
}

async fn answer(script: Rc<Script>, noted: Noted, head: Head, send: impl Send, receive: impl Receive) {
    let path = head.start.rsplit(' ').next().unwrap_or_default();
    let digits: String = path.chars().skip(1).take_while(char::is_ascii_digit).collect();
    let index: usize = digits.parse().expect("the path of a request of the script");
    let seen = follow::respond(head, send, receive, &script.exchanges[index]).await;
    noted.borrow_mut()[index] = Some(seen);
}
