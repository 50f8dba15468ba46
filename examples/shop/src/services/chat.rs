//! Rooms.
//!
//! Each member has a queue of events, and a task that sends them as fast as the member reads. Whoever speaks
//! never waits for anyone: a member whose queue is full is out of the room, and is told how many events were
//! missed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use dunlin::{Receiver, Sender, ServerContext, Status};
use tokio::sync::{mpsc, oneshot};

use crate::auth::Caller;
use crate::closing::Closing;
use crate::errors::{bad_field, missed};
use crate::proto::chat_request::Action;
use crate::proto::chat_response::{Event, Joined, Left, Said};
use crate::proto::{ChatRequest, ChatResponse, ChatService};
use crate::store::Moment;
use crate::validation;

/// Events that wait for a member.
pub const QUEUE: usize = 256;
/// Members of a room.
const MAX_MEMBERS: usize = 1000;

/// Implements [`ChatService`].
#[derive(Clone, Debug, Default)]
pub struct Chats {
    closing: Closing,
    rooms: Arc<Mutex<Rooms>>,
}

#[derive(Debug, Default)]
struct Rooms {
    by_name: HashMap<String, Room>,
    /// No two members have one number, whatever their rooms.
    next_member: u64,
}

#[derive(Debug, Default)]
struct Room {
    members: HashMap<u64, Seat>,
}

/// A member, as the room sees it. Dropping it shows the member out.
#[derive(Debug)]
struct Seat {
    events: mpsc::Sender<ChatResponse>,
    _is_in: oneshot::Sender<()>,
}

impl Room {
    /// All hear it but those whose queue is full: they are out.
    fn tell(&mut self, event: &ChatResponse) {
        self.members.retain(|_, seat| seat.events.try_send(event.clone()).is_ok());
    }

    fn count(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }
}

impl Chats {
    /// No rooms yet.
    pub fn new(closing: Closing) -> Self {
        Self { closing, rooms: Arc::default() }
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the rooms in between.
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        match self.rooms.lock() {
            Ok(rooms) => rooms,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    fn join(&self, room: String, name: String) -> Result<Member, Status> {
        let rooms = &mut *self.rooms();
        let state = rooms.by_name.entry(room.clone()).or_default();
        if state.members.len() >= MAX_MEMBERS {
            return Err(Status::resource_exhausted(format!("{MAX_MEMBERS} are in this room already")));
        }
        let (queue, events) = mpsc::channel(QUEUE);
        let (is_in, is_out) = oneshot::channel();
        let number = rooms.next_member;
        rooms.next_member += 1;
        state.members.insert(number, Seat { events: queue, _is_in: is_in });
        let joined = Joined { name: name.clone(), members: state.count(), ..Default::default() };
        state.tell(&event(Event::Joined(joined)));
        Ok(Member { chats: self.clone(), room, number, name, events, is_out })
    }
}

/// Somebody in a room, who leaves it when this is dropped.
struct Member {
    chats: Chats,
    room: String,
    number: u64,
    name: String,
    events: mpsc::Receiver<ChatResponse>,
    is_out: oneshot::Receiver<()>,
}

impl Member {
    fn say(&self, text: String) {
        let said = Said { name: self.name.clone(), text, ..Default::default() };
        if let Some(room) = self.chats.rooms().by_name.get_mut(&self.room) {
            room.tell(&event(Event::Said(Box::new(said))));
        }
    }

    /// Sends the events that wait, so that who says something and finishes hears it, too.
    async fn hear_out(&mut self, out: &mut Sender<ChatResponse>) -> Result<(), Status> {
        for _ in 0..self.events.len() {
            let Ok(event) = self.events.try_recv() else { break };
            self.hear(event, out).await?;
        }
        Ok(())
    }

    /// Sends an event, for as long as the member is in the room.
    async fn hear(&mut self, event: ChatResponse, out: &mut Sender<ChatResponse>) -> Result<(), Status> {
        tokio::select! {
            biased;
            sent = out.send(event) => sent,
            // This event, those that wait, and the one that there was no room for.
            _ = &mut self.is_out => Err(missed(self.events.len() as u64 + 2)),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut rooms = self.chats.rooms();
        let Some(room) = rooms.by_name.get_mut(&self.room) else { return };
        room.members.remove(&self.number);
        let left = Left { name: self.name.clone(), members: room.count(), ..Default::default() };
        room.tell(&event(Event::Left(left)));
        if room.members.is_empty() {
            rooms.by_name.remove(&self.room);
        }
    }
}

impl ChatService for Chats {
    async fn chat(
        &self,
        cx: &mut ServerContext,
        mut requests: Receiver<ChatRequest>,
        mut out: Sender<ChatResponse>,
    ) -> Result<(), Status> {
        let caller = Caller::of(cx)?;
        let room = match requests.next().await?.and_then(|request| request.action) {
            Some(Action::Join(join)) if is_room(&join.room) => join.room,
            Some(Action::Join(_)) => {
                return Err(bad_field("join.room", "must be 1 to 40 letters, digits and dashes"));
            }
            _ => return Err(bad_field("action", "the first message has to join a room")),
        };
        let mut member = self.join(room, caller.name.clone())?;
        loop {
            tokio::select! {
                request = requests.next() => match request?.map(|request| request.action) {
                    None => return member.hear_out(&mut out).await,
                    Some(Some(Action::Say(say))) if validation::text(&say.text, 1, 2000) => {
                        member.say(say.text);
                        // The others hear it before the next word is spoken.
                        tokio::task::yield_now().await;
                    }
                    Some(Some(Action::Say(_))) => {
                        return Err(bad_field("say.text", "must have 1 to 2,000 characters"));
                    }
                    Some(_) => return Err(bad_field("action", "all messages but the first have to say something")),
                },
                event = member.events.recv() => match event {
                    Some(event) => member.hear(event, &mut out).await?,
                    // Out, and only the event is missing that there was no room for.
                    None => return Err(missed(1)),
                },
                status = self.closing.begun() => return Err(status),
            }
        }
    }
}

fn event(event: Event) -> ChatResponse {
    ChatResponse { event: Some(event), time: Some(Moment::now().into()), ..Default::default() }
}

fn is_room(name: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=40).contains(&name.len()) && name.bytes().all(is_fine)
}
