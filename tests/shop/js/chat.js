// Rooms.
"use strict";

const { assert, equal, fails, refused } = require("./check");

// Somebody who has said this first, if anything.
function talk(client, first) {
  const member = client.chat.stream("Chat");
  if (first) member.send(first);
  return member;
}

const join = (room) => ({ join: { room } });
const say = (text) => ({ say: { text } });

async function hear(member) {
  const { time, event, joined, said, left } = await member.next();
  assert(Number(time.seconds) > 0);
  if (event === "joined") return `${joined.name} joined, ${joined.members} are here`;
  return event === "said" ? `${said.name}: ${said.text}` : `${left.name} left, ${left.members} are here`;
}

async function leave(member) {
  member.finish();
  equal(await member.rest(), []);
}

const cases = {
  async "chat/room"(shop) {
    const members = {};
    const all = async (wanted) => {
      for (const member of Object.values(members)) equal(await hear(member), wanted);
    };
    for (const [index, name] of ["ann", "bob", "eve"].entries()) {
      members[name] = talk(shop[name], join("tea"));
      await all(`${name} joined, ${index + 1} are here`);
    }
    const elsewhere = talk(shop.bob, join("coffee"));
    equal(await hear(elsewhere), "bob joined, 1 are here");
    for (const [name, text] of [["ann", "good morning"], ["eve", "καλημέρα"], ["bob", "x".repeat(2000)]]) {
      members[name].send(say(text));
      await all(`${name}: ${text}`);
    }
    for (const [name, left] of [["bob", 2], ["eve", 1]]) {
      await leave(members[name]);
      delete members[name];
      await all(`${name} left, ${left} are here`);
    }
    await leave(members.ann);
    await leave(elsewhere);
  },

  async "chat/refused"(shop) {
    for (const [first, field] of [[join("no spaces"), "join.room"], [say("hello"), "action"], [{}, "action"]]) {
      await refused([field], talk(shop.bob, first).next());
    }
    const member = talk(shop.bob, join("tea"));
    await hear(member);
    member.send(say("x".repeat(2001)));
    await refused(["say.text"], member.next());
    // Nobody has said anything.
    const silent = talk(shop.bob);
    silent.finish();
    await refused(["action"], silent.next());
    // What is said right before the end is heard.
    const last = talk(shop.bob, join("last"));
    last.send(say("good night"));
    last.finish();
    equal((await last.rest()).length, 2);
  },

  async "chat/slow"(shop) {
    const ann = talk(shop.ann, join("slow"));
    await hear(ann);
    const eve = talk(shop.eve, join("slow"));
    equal(await hear(ann), "eve joined, 2 are here");
    // grpc-js holds a server back only once something was read.
    equal(await hear(eve), "eve joined, 2 are here");
    // Eve does not read any more: buffers and windows take some of it, and then her queue is full.
    let said = 0;
    do {
      assert(said++ < 50_000, "nobody notices how slow eve is");
      ann.send(say("x".repeat(2000)));
    } while ((await hear(ann)) !== "eve left, 1 are here");
    let heard = 0;
    const listen = async () => {
      while (await eve.next()) heard++;
    };
    const failed = await fails("RESOURCE_EXHAUSTED", listen());
    const { missed } = failed.details.ErrorInfo.metadata;
    equal([failed.reason, failed.message.split(" ")[0]], ["TOO_SLOW", missed]);
    assert(Number(missed) > 0 && heard + Number(missed) <= said, `${heard} heard and ${missed} missed of ${said}`);
    ann.finish();
    await ann.rest();
  },
};

module.exports = { cases, hear, join, leave, talk };
