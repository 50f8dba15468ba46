//! `tonic-server ADDRESS:PORT [--threads N] [--work MICROSECONDS]`

use dunlin_bench_rpc::tonic_peer::echo_server::{Echo, EchoServer};
use dunlin_bench_rpc::tonic_peer::{Msg, StreamReq};
use dunlin_bench_rpc::{Arguments, work};
use tonic::{Request, Response, Status};

struct Service {
    work: usize,
}

type Messages = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Msg, Status>> + Send>>;

#[tonic::async_trait]
impl Echo for Service {
    async fn unary(&self, request: Request<Msg>) -> Result<Response<Msg>, Status> {
        work(self.work);
        Ok(Response::new(request.into_inner()))
    }

    type StreamStream = Messages;

    async fn stream(&self, request: Request<StreamReq>) -> Result<Response<Messages>, Status> {
        let StreamReq { count, size } = request.into_inner();
        let message = move |_| Ok(Msg { payload: vec![b'x'; size as usize] });
        Ok(Response::new(Box::pin(futures_util::stream::iter((0..count).map(message)))))
    }
}

fn main() {
    let arguments = Arguments::new();
    let service = Service { work: arguments.option("--work") };
    arguments.runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind(arguments.text(0)).await.expect("a free address");
        println!("listening on {}", listener.local_addr().expect("an address"));
        let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
        let service = EchoServer::new(service).max_decoding_message_size(64 << 20);
        let server = tonic::transport::Server::builder().add_service(service);
        server.serve_with_incoming(incoming).await.expect("a server");
    });
}
