//! Deadlines and cancellation over three hops: a client, a server that calls a server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::server::{InProcess, ServerContext};
use dunlin::{Channel, Code, Server, Status};
use tokio::sync::Notify;

use crate::harness::{UNARY, ask, code, soon, text};

/// What happened, in its order.
#[derive(Default, Debug)]
struct Log {
    events: Mutex<Vec<String>>,
    changed: Notify,
}

impl Log {
    fn note(&self, event: impl Into<String>) {
        self.events.lock().unwrap().push(event.into());
        self.changed.notify_one();
    }

    /// Waits until so much has happened.
    async fn wait(&self, count: usize) -> Vec<String> {
        loop {
            let events = self.events.lock().unwrap().clone();
            if events.len() >= count {
                return events;
            }
            soon(self.changed.notified()).await;
        }
    }
}

struct Gone(Arc<Log>, &'static str);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.note(format!("{} dropped", self.1));
    }
}

/// A server that asks `next` with the same request after a second, or waits forever.
fn hop(name: &'static str, next: Option<Client>, log: &Arc<Log>) -> InProcess {
    let log = Arc::clone(log);
    let server = Server::builder().methods(|methods| {
        methods.unary(UNARY, move |cx: ServerContext, request: StringValue| {
            let (log, next) = (Arc::clone(&log), next.clone());
            async move {
                log.note(format!("{name} has {} ms", cx.remaining().unwrap_or_default().as_millis()));
                let _gone = Gone(Arc::clone(&log), name);
                let result = match next {
                    Some(next) => {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        let result: Result<StringValue, Status> = next.unary(UNARY, request).await;
                        result
                    }
                    None => std::future::pending().await,
                };
                (cx, result)
            }
        });
    });
    server.build().unwrap().in_process()
}

fn client(server: &InProcess) -> Client {
    Client::new(Channel::in_process(server.connector()))
}

#[tokio::test(start_paused = true)]
async fn what_remains_shrinks_from_hop_to_hop_and_the_deadline_ends_all() {
    let log = Arc::new(Log::default());
    let c = hop("C", None, &log);
    let b = hop("B", Some(client(&c)), &log);
    let a = hop("A", Some(client(&b)), &log);
    let began = tokio::time::Instant::now();
    let call = client(&a).unary::<_, StringValue>(UNARY, text("x")).timeout(Duration::from_secs(10));
    assert_eq!(code(call.await).0, Code::DeadlineExceeded);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(10) && took < Duration::from_millis(10_050), "{took:?}");
    let mut events = log.wait(6).await;
    assert_eq!(events[..3], ["A has 10000 ms", "B has 9000 ms", "C has 8000 ms"]);
    events[3..].sort();
    assert_eq!(events[3..], ["A dropped", "B dropped", "C dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_cancelled_on_all_hops_in_order() {
    let log = Arc::new(Log::default());
    let c = hop("C", None, &log);
    let b = hop("B", Some(client(&c)), &log);
    let a = hop("A", Some(client(&b)), &log);
    let call = tokio::spawn(client(&a).unary::<_, StringValue>(UNARY, text("x")));
    log.wait(3).await;
    let before = tokio::time::Instant::now();
    call.abort();
    let events = log.wait(6).await;
    assert_eq!(events[3..], ["A dropped", "B dropped", "C dropped"]);
    assert!(before.elapsed() < Duration::from_millis(50), "nothing waits for a timer");
}

#[tokio::test(start_paused = true)]
async fn a_call_may_leave_the_deadline_of_the_one_it_serves() {
    let log = Arc::new(Log::default());
    let c = hop("C", None, &log);
    let next = client(&c).with_options(dunlin::CallOptions::new().detached());
    let b = hop("B", Some(next), &log);
    let call = client(&b).unary::<_, StringValue>(UNARY, text("x")).timeout(Duration::from_secs(10));
    assert_eq!(code(call.await).0, Code::DeadlineExceeded);
    assert_eq!(log.wait(4).await[1], "C has 0 ms", "no deadline");
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_cancelled_calls_leave_nothing_behind() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    struct Ended;
    impl Drop for Ended {
        fn drop(&mut self) {
            ENDED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let server = Server::builder().max_concurrent_streams(1000).methods(|methods| {
        methods.unary(UNARY, |cx: ServerContext, request: StringValue| async move {
            if request.value == "wait" {
                BEGUN.fetch_add(1, Ordering::Relaxed);
                let _ended = Ended;
                std::future::pending::<()>().await;
            }
            (cx, Ok(request))
        });
    });
    let server = server.build().unwrap().in_process();
    let client = client(&server);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let round = async |count: usize| {
        for _ in 0..count / 100 {
            let calls: Vec<_> =
                (0..100).map(|_| tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")))).collect();
            tokio::task::yield_now().await;
            for call in calls {
                call.abort();
                let _ = call.await;
            }
        }
        // Whatever is on its way comes before this.
        assert_eq!(ask(&client, "last").await.unwrap(), "last");
        while BEGUN.load(Ordering::Relaxed) != ENDED.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    round(5_000).await;
    let (tasks_before, memory_before) = (tasks(), resident());
    round(100_000).await;
    let mut left = tasks();
    for _ in 0..1000 {
        if left <= tasks_before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        left = tasks();
    }
    assert!(left <= tasks_before, "{left} tasks, {tasks_before} before");
    let grown = resident().saturating_sub(memory_before);
    assert!(grown < 16 << 20, "{grown} bytes more");
    assert!(BEGUN.load(Ordering::Relaxed) > 1000, "calls did begin: {BEGUN:?}");
}
