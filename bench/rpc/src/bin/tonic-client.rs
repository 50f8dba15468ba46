//! `tonic-client ADDRESS:PORT IN_FLIGHT COUNT SIZE [--threads N]`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use dunlin_bench_rpc::tonic_peer::{Msg, echo_client::EchoClient};
use dunlin_bench_rpc::{Arguments, percentile};
use tonic::transport::Channel;

fn main() {
    let arguments = Arguments::new();
    let (in_flight, count, size) = (arguments.number(1), arguments.number(2), arguments.number(3));
    arguments.runtime().block_on(async {
        let channel = Channel::from_shared(format!("http://{}", arguments.text(0)))
            .expect("an address")
            .tcp_nodelay(true)
            .connect()
            .await
            .expect("a server");
        let client = EchoClient::new(channel);
        let left = Arc::new(AtomicUsize::new(count));
        let started = Instant::now();
        let tasks: Vec<_> = (0..in_flight)
            .map(|_| {
                let (mut client, left) = (client.clone(), Arc::clone(&left));
                tokio::spawn(async move {
                    let payload = vec![0; size];
                    let mut latencies = Vec::with_capacity(count / in_flight * 2);
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                        .is_ok()
                    {
                        let began = Instant::now();
                        let request = Msg { payload: payload.clone() };
                        let reply = client.unary(request).await.expect("a reply").into_inner();
                        assert_eq!(reply.payload.len(), size);
                        latencies.push(began.elapsed().as_micros() as u32);
                    }
                    latencies
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.expect("a task"));
        }
        let rate = count as f64 / started.elapsed().as_secs_f64();
        println!(
            "{rate:.0} calls/s, median {} us, 99 % {} us",
            percentile(&mut latencies, 0.5),
            percentile(&mut latencies, 0.99)
        );
    });
}
