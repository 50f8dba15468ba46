//! `dunlin-server ADDRESS:PORT [--threads N] [--work MICROSECONDS] [--in-place 1] [--layers N]`; `--in-place` is
//! for tools under which a method seems slow that is not, `--layers` puts layers of tower around that do nothing

use dunlin::server::{HttpService, Placement};
use dunlin::{Sender, Server, ServerContext, Status};
use dunlin_bench_rpc::dunlin_peer::bench::{Echo, EchoServer, Msg, StreamReq};
use dunlin_bench_rpc::{Arguments, work};
use tower_layer::layer_fn;

struct Service {
    work: usize,
}

impl Echo for Service {
    async fn unary(&self, _: &mut ServerContext, request: Msg) -> Result<Msg, Status> {
        work(self.work);
        Ok(request)
    }

    async fn stream(
        &self,
        _: &mut ServerContext,
        request: StreamReq,
        mut out: Sender<Msg>,
    ) -> Result<(), Status> {
        for _ in 0..request.count {
            out.send(Msg { payload: vec![b'x'; request.size as usize].into(), ..Default::default() }).await?;
        }
        Ok(())
    }
}

fn main() {
    let arguments = Arguments::new();
    let service = Service { work: arguments.option("--work") };
    arguments.runtime().block_on(async {
        let server =
            Server::builder().max_receive_message_size(64 << 20).add_service(EchoServer::new(service));
        let server = match arguments.option("--in-place") {
            0 => server,
            _ => server.placement("/bench.Echo/Unary", Placement::InPlace),
        };
        // What the way through HTTP types costs, and each layer besides.
        let server = (0..arguments.option("--layers"))
            .fold(server, |server, _| server.layer(layer_fn(|service: HttpService| service)));
        let bound = server.bind(arguments.text(0)).await.expect("a free address");
        println!("listening on {}", bound.local_addr());
        let _ = bound.serve().await;
    });
}
