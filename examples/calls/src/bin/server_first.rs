//! A stream in both directions where the server speaks first.

// What a program says is its interface.
#![allow(clippy::print_stdout)]

use calls_example::example::v1::{Answer, Question, QuizService, QuizServiceClient, QuizServiceServer};
use dunlin::{Channel, Receiver, Sender, Server, ServerContext, Status};

struct Quiz;

impl QuizService for Quiz {
    async fn play(
        &self,
        _: &mut ServerContext,
        mut answers: Receiver<Answer>,
        mut questions: Sender<Question>,
    ) -> Result<(), Status> {
        for number in 1.. {
            questions.send(Question { text: format!("{number} + {number}"), ..Default::default() }).await?;
            match answers.next().await? {
                Some(answer) if answer.number == 2 * number => {}
                Some(answer) => {
                    return Err(Status::out_of_range(format!(
                        "{} is not {number} + {number}",
                        answer.number
                    )));
                }
                None => break,
            }
        }
        Ok(())
    }
}

async fn run() -> Result<Vec<String>, Status> {
    let server = Server::builder().add_service(QuizServiceServer::new(Quiz));
    let server = server.build().expect("no setting contradicts another").in_process();
    let quiz = QuizServiceClient::new(Channel::in_process(server.connector()));

    let mut log = Vec::new();
    let (mut answers, mut questions) = quiz.play().await?;
    for number in [2, 4, 5] {
        log.extend(questions.next().await?.map(|question| question.text));
        answers.send(Answer { number, ..Default::default() }).await?;
    }
    match questions.next().await {
        Ok(question) => log.push(format!("{question:?}")),
        Err(status) => log.push(status.to_string()),
    }
    Ok(log)
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    run().await?.iter().for_each(|line| println!("{line}"));
    Ok(())
}

#[tokio::test]
async fn the_server_asks_until_it_is_answered_badly() {
    assert_eq!(run().await.unwrap(), ["1 + 1", "2 + 2", "3 + 3", "OUT_OF_RANGE: 5 is not 3 + 3"]);
}
