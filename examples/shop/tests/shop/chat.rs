//! Rooms.

use dunlin::{Code, Receiver, Sender};
use shop_example::proto::chat_request::{Action, Join, Say};
use shop_example::proto::chat_response::Event;
use shop_example::proto::{ChatRequest, ChatResponse, ChatServiceClient};

use crate::support::{Open, bad_fields, code, reason};

fn join(room: &str) -> ChatRequest {
    let action = Some(Action::Join(Join { room: room.into(), ..Default::default() }));
    ChatRequest { action, ..Default::default() }
}

fn say(text: &str) -> ChatRequest {
    let action = Some(Action::Say(Say { text: text.into(), ..Default::default() }));
    ChatRequest { action, ..Default::default() }
}

async fn next(events: &mut Receiver<ChatResponse>) -> String {
    match events.next().await.unwrap().unwrap().event.unwrap() {
        Event::Joined(joined) => format!("{} joined, {} are here", joined.name, joined.members),
        Event::Said(said) => format!("{}: {}", said.name, said.text),
        Event::Left(left) => format!("{} left, {} are here", left.name, left.members),
    }
}

async fn enter(chat: &ChatServiceClient, room: &str) -> (Sender<ChatRequest>, Receiver<ChatResponse>) {
    let (mut requests, events) = chat.chat().await.unwrap();
    requests.send(join(room)).await.unwrap();
    (requests, events)
}

#[tokio::test]
async fn all_in_a_room_hear_what_is_said_there() {
    let shop = Open::with_products(0).await;
    let (ann, bob) = (shop.admin().chat, shop.customer().chat);
    let (mut ann_says, mut ann_hears) = enter(&ann, "tea").await;
    assert_eq!(next(&mut ann_hears).await, "demo-admin joined, 1 are here");
    let (bob_says, mut bob_hears) = enter(&bob, "tea").await;
    assert_eq!(next(&mut bob_hears).await, "demo-customer joined, 2 are here");
    let (_elsewhere, mut nothing) = enter(&bob, "coffee").await;
    assert_eq!(next(&mut nothing).await, "demo-customer joined, 1 are here");

    ann_says.send(say("hello")).await.unwrap();
    assert_eq!(next(&mut bob_hears).await, "demo-admin: hello");
    bob_says.finish();
    assert_eq!(bob_hears.next().await.unwrap(), None);
    for heard in ["demo-customer joined, 2 are here", "demo-admin: hello", "demo-customer left, 1 are here"] {
        assert_eq!(next(&mut ann_hears).await, heard);
    }
    ann_says.send(join("tea")).await.unwrap();
    assert_eq!(bad_fields(ann_hears.next().await), ["action"]);
    shop.close().await;
    assert_eq!(code(nothing.next().await), Code::Unavailable);
}

#[tokio::test]
async fn who_finishes_hears_what_was_said_until_then() {
    let shop = Open::with_products(0).await;
    let chat = shop.customer().chat;
    for _ in 0..20 {
        let (mut says, mut hears) = enter(&chat, "tea").await;
        says.send(say("hello")).await.unwrap();
        says.finish();
        assert_eq!(next(&mut hears).await, "demo-customer joined, 1 are here");
        assert_eq!(next(&mut hears).await, "demo-customer: hello");
        assert_eq!(hears.next().await.unwrap(), None);
    }
    shop.close().await;
}

#[tokio::test]
async fn who_says_what_makes_no_sense_is_told() {
    let shop = Open::with_products(0).await;
    let chat = shop.customer().chat;
    for (request, field) in
        [(join("no spaces"), "join.room"), (say("hello"), "action"), (ChatRequest::default(), "action")]
    {
        let (mut requests, mut events) = chat.chat().await.unwrap();
        requests.send(request).await.unwrap();
        assert_eq!(bad_fields(events.next().await), [field]);
    }
    let (mut requests, mut events) = enter(&chat, "tea").await;
    next(&mut events).await;
    requests.send(say(&"x".repeat(2001))).await.unwrap();
    assert_eq!(bad_fields(events.next().await), ["say.text"]);
    shop.close().await;
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_how_much_was_missed_and_holds_nobody_up() {
    let shop = Open::with_products(0).await;
    let (ann, bob) = (shop.admin().chat, shop.customer().chat);
    let (mut ann_says, mut ann_hears) = enter(&ann, "tea").await;
    assert_eq!(next(&mut ann_hears).await, "demo-admin joined, 1 are here");
    let (_bob_says, mut bob_hears) = enter(&bob, "tea").await;
    assert_eq!(next(&mut ann_hears).await, "demo-customer joined, 2 are here");

    // Bob does not read. Buffers and windows take some of it, and then his queue is full.
    let long = "x".repeat(2000);
    let mut said = 0_u64;
    loop {
        ann_says.send(say(&long)).await.unwrap();
        said += 1;
        if next(&mut ann_hears).await == "demo-customer left, 1 are here" {
            break;
        }
        assert!(said < 50_000, "nobody notices how slow bob is");
    }
    let mut heard = 0_u64;
    assert_eq!(next(&mut bob_hears).await, "demo-customer joined, 2 are here");
    let status = loop {
        match bob_hears.next().await {
            Ok(Some(_)) => heard += 1,
            Ok(None) => panic!("the end came without a word"),
            Err(status) => break status,
        }
    };
    assert_eq!((status.code(), &*reason(&status)), (Code::ResourceExhausted, "TOO_SLOW"));
    let missed: u64 = status.message().split(' ').next().unwrap().parse().unwrap();
    // What ann said behind that, he was out of the room for.
    assert!(missed > 0 && heard + missed <= said, "{heard} heard and {missed} missed of {said}");
    shop.close().await;
}
