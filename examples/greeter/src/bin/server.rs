dunlin::include_generated!();
use dunlin::{Sender, Server, ServerContext, Status, services::Reflection};
use greeter::v1::{Greeter, GreeterServer, HelloReply, HelloRequest};

struct Hello;

impl Greeter for Hello {
    async fn say_hello(&self, _: &mut ServerContext, to: HelloRequest) -> Result<HelloReply, Status> {
        Ok(HelloReply { text: format!("Hello {}", to.name), ..Default::default() })
    }
    async fn say_hello_often(
        &self,
        _: &mut ServerContext,
        to: HelloRequest,
        mut replies: Sender<HelloReply>,
    ) -> Result<(), Status> {
        for n in 1..=3 {
            let text = format!("Hello {}, {n}", to.name);
            replies.send(HelloReply { text, ..Default::default() }).await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), dunlin::server::ServeError> {
    let server = Server::builder().add_service(GreeterServer::new(Hello)).add_service(Reflection::new());
    server.serve("127.0.0.1:50051").await
}
