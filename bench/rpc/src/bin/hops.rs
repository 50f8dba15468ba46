//! How long it takes until the last of three hops has heard that the first call was dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dunlin::{Channel, Sender, Server, ServerContext, Status};
use dunlin_bench_rpc::dunlin_peer::bench::{Echo, EchoClient, EchoServer, Msg, StreamReq};
use dunlin_bench_rpc::percentile;
use tokio::sync::Notify;

struct Hop {
    next: Option<EchoClient>,
    begun: Arc<Notify>,
    ended: Arc<Notify>,
}

struct Ended(Arc<Notify>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Echo for Hop {
    async fn unary(&self, _: &mut ServerContext, request: Msg) -> Result<Msg, Status> {
        match &self.next {
            Some(next) => next.unary(request).await,
            None => {
                let _ended = Ended(Arc::clone(&self.ended));
                self.begun.notify_one();
                std::future::pending().await
            }
        }
    }

    async fn stream(&self, _: &mut ServerContext, _: StreamReq, _: Sender<Msg>) -> Result<(), Status> {
        Ok(())
    }
}

async fn hop(next: Option<EchoClient>, begun: &Arc<Notify>, ended: &Arc<Notify>) -> EchoClient {
    let service = Hop { next, begun: Arc::clone(begun), ended: Arc::clone(ended) };
    let bound =
        Server::builder().add_service(EchoServer::new(service)).bind("127.0.0.1:0").await.expect("a port");
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    EchoClient::new(Channel::builder(address).connect().await.expect("a server"))
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let mut next = None;
    for _ in 0..3 {
        next = Some(hop(next, &begun, &ended).await);
    }
    let first = next.expect("three hops");
    let most = AtomicU64::new(0);
    let mut latencies = Vec::new();
    for _ in 0..1000 {
        let call = tokio::spawn(first.unary(Msg::default()));
        begun.notified().await;
        let began = Instant::now();
        call.abort();
        tokio::time::timeout(Duration::from_secs(5), ended.notified()).await.expect("it hears of it");
        let took = began.elapsed().as_micros() as u64;
        most.fetch_max(took, Ordering::Relaxed);
        latencies.push(took as u32);
    }
    let (half, most) = (percentile(&mut latencies, 0.5), most.into_inner());
    println!("cancellation over three hops: median {half} us, at most {most} us of 1000");
}
