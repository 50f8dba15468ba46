dunlin::include_generated!();
use dunlin::Channel;
use greeter::v1::{GreeterClient, HelloRequest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let greeter = GreeterClient::new(Channel::builder("127.0.0.1:50051").connect().await?);
    let request = HelloRequest { name: "you".into(), ..Default::default() };
    println!("{}", greeter.say_hello(request.clone()).await?.text);
    let mut replies = greeter.say_hello_often(request).await?;
    while let Some(reply) = replies.next().await? {
        println!("{}", reply.text);
    }
    Ok(())
}
