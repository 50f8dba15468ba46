//! A chat: the service keeps the sender of each guest, and sends to them whenever someone speaks.

// What a program says is its interface.
#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::sync::Arc;

use calls_example::example::v1::{ChatService, ChatServiceClient, ChatServiceServer, Line};
use dunlin::{Channel, Code, Receiver, Sender, Server, ServerContext, Status};
use tokio::sync::Mutex;

#[derive(Default)]
struct Hub {
    guests: Mutex<HashMap<String, Sender<Line>>>,
}

impl Hub {
    /// Everyone but the speaker hears it. Who can not be reached any more is forgotten.
    async fn say(&self, line: &Line) {
        let mut guests = self.guests.lock().await;
        let mut gone = Vec::new();
        for (name, guest) in guests.iter_mut().filter(|(name, _)| **name != line.from) {
            if guest.send(line.clone()).await.is_err() {
                gone.push(name.clone());
            }
        }
        gone.iter().for_each(|name| drop(guests.remove(name)));
    }
}

impl ChatService for Hub {
    async fn join(
        &self,
        _: &mut ServerContext,
        mut lines: Receiver<Line>,
        out: Sender<Line>,
    ) -> Result<(), Status> {
        let Some(first) = lines.next().await? else { return Ok(()) };
        let name = first.from;
        if self.guests.lock().await.contains_key(&name) {
            return Err(Status::already_exists(format!("someone is called {name} already")));
        }
        self.guests.lock().await.insert(name.clone(), out);
        let heard = async {
            while let Some(line) = lines.next().await? {
                self.say(&Line { from: name.clone(), ..line }).await;
            }
            Ok(())
        };
        let result = heard.await;
        self.guests.lock().await.remove(&name);
        result
    }
}

fn line(from: &str, text: &str) -> Line {
    Line { from: from.into(), text: text.into(), ..Default::default() }
}

async fn run() -> Result<Vec<String>, Status> {
    let hub = Arc::new(Hub::default());
    let server = Server::builder().add_service(ChatServiceServer::from_arc(Arc::clone(&hub)));
    let server = server.build().expect("no setting contradicts another").in_process();
    let chat = ChatServiceClient::new(Channel::in_process(server.connector()));

    let (mut ann, mut to_ann) = chat.join().await?;
    let (mut bob, mut to_bob) = chat.join().await?;
    ann.send(line("ann", "")).await?;
    bob.send(line("bob", "")).await?;
    while hub.guests.lock().await.len() < 2 {
        tokio::task::yield_now().await;
    }
    let mut heard = Vec::new();
    ann.send(line("ann", "hello")).await?;
    heard.extend(to_bob.next().await?);
    bob.send(line("bob", "hello, ann")).await?;
    heard.extend(to_ann.next().await?);
    // A second ann is turned away.
    let (mut other, mut to_other) = chat.join().await?;
    other.send(line("ann", "")).await?;
    assert_eq!(to_other.next().await.unwrap_err().code(), Code::AlreadyExists);
    ann.finish();
    bob.finish();
    assert_eq!(to_ann.next().await?, None);
    assert_eq!(to_bob.next().await?, None);
    Ok(heard.into_iter().map(|line| format!("{}: {}", line.from, line.text)).collect())
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    run().await?.iter().for_each(|line| println!("{line}"));
    Ok(())
}

#[tokio::test]
async fn everyone_hears_everyone_else() {
    assert_eq!(run().await.unwrap(), ["ann: hello", "bob: hello, ann"]);
}
