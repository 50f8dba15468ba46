//! A service mounted in axum, beside routes of other kinds on the same port.

// What a program says is its interface.
#![allow(clippy::print_stdout)]

use axum::Router;
use axum::routing::get;
use calls_example::example::v1::{Answer, Question, QuizService, QuizServiceClient, QuizServiceServer};
use dunlin::server::HttpService;
use dunlin::{Channel, Receiver, Sender, Server, ServerContext, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Quiz;

impl QuizService for Quiz {
    async fn play(
        &self,
        cx: &mut ServerContext,
        mut answers: Receiver<Answer>,
        mut questions: Sender<Question>,
    ) -> Result<(), Status> {
        cx.insert_header("x-quiz", "sums")?;
        questions.send(Question { text: "6 * 7".into(), ..Default::default() }).await?;
        match answers.next().await? {
            Some(answer) if answer.number == 42 => Ok(()),
            _ => Err(Status::out_of_range("it is 42")),
        }
    }
}

async fn run() -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let grpc = Server::builder().add_service(QuizServiceServer::new(Quiz)).build()?;
    let router = Router::new()
        .route("/health", get(|| async { "fine" }))
        .route_service("/example.v1.QuizService/{method}", HttpService::from(grpc));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, router).into_future());

    let mut log = Vec::new();
    let quiz = QuizServiceClient::new(Channel::builder(address.to_string()).connect().await?);
    for number in [42, 41] {
        let (mut answers, mut questions) = quiz.play().await?;
        log.extend(questions.headers().await.get("x-quiz").map(str::to_owned));
        log.extend(questions.next().await?.map(|question| question.text));
        answers.send(Answer { number, ..Default::default() }).await?;
        answers.finish();
        log.push(match questions.next().await {
            Ok(end) => format!("{end:?}"),
            Err(status) => status.to_string(),
        });
    }

    // The same port speaks HTTP/1.1 to those who want that.
    let mut plain = TcpStream::connect(address).await?;
    plain.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut reply = String::new();
    plain.read_to_string(&mut reply).await?;
    log.extend(reply.lines().last().map(str::to_owned));
    Ok(log)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    run().await?.iter().for_each(|line| println!("{line}"));
    Ok(())
}

#[tokio::test]
async fn one_port_serves_calls_and_pages() {
    let wanted = ["sums", "6 * 7", "None", "sums", "6 * 7", "OUT_OF_RANGE: it is 42", "fine"];
    assert_eq!(run().await.unwrap(), wanted);
}
