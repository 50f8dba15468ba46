//! The program: what it says when it can not open, and how it closes.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use dunlin::client::Channel;
use dunlin::{CallOptions, Code};
use shop_example::proto::chat_request::{Action, Join};
use shop_example::proto::{
    ChatRequest, ChatServiceClient, GetQuoteRequest, PriceServiceClient, ProductServiceClient,
    WatchProductsRequest,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_shop-example");

fn run(flags: &[&str]) -> Output {
    Command::new(PROGRAM).args(flags).output().unwrap()
}

/// That it ends with this code, and says all of this.
#[track_caller]
fn fails(flags: &[&str], code: i32, words: &[&str]) {
    let output = run(flags);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

/// Starts it on a free port; it is ended when the test is over.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(flags: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--log", "off"]).args(flags);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address }
    }

    fn channel(&self) -> Channel {
        Channel::builder(&*self.address).connect_lazy().unwrap()
    }

    /// Asks it to end, as `kill` does.
    fn terminate(&self) {
        // Of the shell: `kill` is not a program everywhere.
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Its exit code.
    fn wait(&mut self) -> Option<i32> {
        let mut rest = String::new();
        self.child.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn faults_of_use_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (text, data) = (path("text"), path("data"));
    std::fs::write(&text, "nothing of use\n").unwrap();

    fails(&["--nonsense"], 2, &["unexpected argument", "--help"]);
    fails(&["--memory", "--tls-cert", &text], 2, &["--tls-key"]);
    fails(&["--memory", "--listen", "localhost"], 2, &["has no port", "--listen"]);
    fails(&["--memory", "--listen", "0.0.0.0:0"], 2, &["0.0.0.0:0", "--tokens"]);
    fails(&["--memory", "--tokens", &path("none")], 1, &["can not read the tokens", "--tokens"]);
    fails(&["--memory", "--tokens", &text], 1, &["text:1", "TOKEN ROLE NAME"]);
    fails(
        &["--memory", "--tls-cert", &text, "--tls-key", &text],
        1,
        &["--tls-cert", "no certificate", "BEGIN CERTIFICATE"],
    );
    let below = path("text/data");
    fails(&["--data", &below], 1, &["can not make the folder", "--data", "--memory"]);
    fails(&["audit", "--data", &data], 1, &["there is no database", "--data"]);

    std::fs::create_dir_all(path("data/shop.db")).unwrap();
    fails(&["--data", &data], 1, &["can not write the database", "--data"]);
    std::fs::remove_dir(path("data/shop.db")).unwrap();
    std::fs::write(path("data/shop.db"), "not a database, but long enough to look at".repeat(100)).unwrap();
    fails(&["--data", &data], 1, &["can not write the database", "not a database"]);
    std::fs::remove_file(path("data/shop.db")).unwrap();
    database(&path("data/shop.db"), "CREATE TABLE bees (id)");
    fails(&["--data", &data], 1, &["is not a shop's", "--data"]);
    database(&path("data/shop.db"), "PRAGMA application_id = 0x53484f50; PRAGMA user_version = 99");
    fails(&["--data", &data], 1, &["version 99", "start a newer shop"]);
}

fn database(path: &str, statements: &str) {
    rusqlite::Connection::open(Path::new(path)).unwrap().execute_batch(statements).unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&["--memory", "--listen", &address], 1, &[&address, "already in use", "--listen"]);
    let flags = ["--memory", "--seed", "0", "--listen", "127.0.0.1:0", "--probe-listen", &address];
    fails(&flags, 1, &["--probe-listen"]);
}

#[test]
fn a_folder_has_one_shop_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let mut shop = Running::start(&["--data", data, "--seed", "1"]);
    // Whoever brings a file to the first one would lose it to the second.
    fails(&["--data", data], 1, &["another shop uses the folder", data, "--data"]);
    assert!(run(&["audit", "--data", data]).status.success());
    shop.terminate();
    assert_eq!(shop.wait(), Some(0));
    let mut next = Running::start(&["--data", data]);
    next.terminate();
    assert_eq!(next.wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_lets_calls_end_and_tells_those_that_never_would() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let mut shop = Running::start(&["--data", data, "--seed", "100", "--market-latency", "1500"]);
    let request = WatchProductsRequest::default();
    let mut watch = ProductServiceClient::new(shop.channel()).watch_products(request).await.unwrap();
    watch.headers().await;
    let options = CallOptions::new().metadata("authorization", "Bearer demo-customer");
    let chat = ChatServiceClient::new(shop.channel()).with_options(options);
    let (mut requests, mut events) = chat.chat().await.unwrap();
    let action = Some(Action::Join(Join { room: "tea".into(), ..Default::default() }));
    requests.send(ChatRequest { action, ..Default::default() }).await.unwrap();
    events.next().await.unwrap().unwrap();
    let request = GetQuoteRequest { product_id: "p-1".into(), ..Default::default() };
    let quote = tokio::spawn(PriceServiceClient::new(shop.channel()).get_quote(request.clone()));
    // The quote is being worked on once a later call, which takes as long, is.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;

    shop.terminate();
    assert_eq!(watch.next().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(events.next().await.unwrap_err().code(), Code::Unavailable);
    assert!(!quote.await.unwrap().unwrap().degraded);
    assert_eq!(tokio::task::spawn_blocking(move || shop.wait()).await.unwrap(), Some(0));
    // The database is tidied up, and its books are right.
    assert!(!folder.path().join("shop.db-wal").exists());
    let audit = run(&["audit", "--data", data]);
    assert!(audit.status.success());
    assert!(String::from_utf8(audit.stdout).unwrap().starts_with("products: 100, orders: 0\n"));
}
