//! A transaction that is rolled back when the client gives up, and one that has begun to commit.

// What a program says is its interface.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use calls_example::example::v1::{
    AccountService, AccountServiceClient, AccountServiceServer, Balance, GetBalanceRequest, TransferRequest,
    TransferResponse,
};
use dunlin::{Channel, Code, Server, ServerContext, Status};
use tokio::sync::Notify;
use tokio::time::sleep;

/// A database that one could think of.
#[derive(Default)]
struct Database {
    accounts: Mutex<BTreeMap<String, i64>>,
    log: Mutex<Vec<&'static str>>,
    rolled_back: Notify,
}

/// Changes that are not there before they are committed. Dropping it takes them back.
struct Transaction {
    database: Arc<Database>,
    changes: Vec<(String, i64)>,
    is_committed: bool,
}

impl Database {
    fn begin(self: &Arc<Self>) -> Transaction {
        Transaction { database: Arc::clone(self), changes: Vec::new(), is_committed: false }
    }

    fn note(&self, what: &'static str) {
        self.log.lock().expect("nothing panics under the lock").push(what);
    }
}

impl Transaction {
    async fn add(&mut self, account: &str, cents: i64) {
        sleep(Duration::from_millis(10)).await;
        self.changes.push((account.to_owned(), cents));
    }

    async fn commit(mut self) {
        sleep(Duration::from_millis(10)).await;
        self.is_committed = true;
        let mut accounts = self.database.accounts.lock().expect("nothing panics under the lock");
        for (account, cents) in std::mem::take(&mut self.changes) {
            *accounts.entry(account).or_default() += cents;
        }
        self.database.note("committed");
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.is_committed {
            self.database.note("rolled back");
            self.database.rolled_back.notify_one();
        }
    }
}

struct Accounts {
    database: Arc<Database>,
}

impl AccountService for Accounts {
    async fn transfer(
        &self,
        cx: &mut ServerContext,
        request: TransferRequest,
    ) -> Result<TransferResponse, Status> {
        if request.cents <= 0 {
            return Err(Status::invalid_argument("only positive amounts can be moved"));
        }
        let mut transaction = self.database.begin();
        // If the client gives up here, this method is dropped, and the transaction with it.
        transaction.add(&request.from, -request.cents).await;
        transaction.add(&request.to, request.cents).await;
        // What has begun to commit is not to be torn in two.
        cx.shield(transaction.commit()).await?;
        Ok(TransferResponse::default())
    }

    async fn get_balance(
        &self,
        _: &mut ServerContext,
        request: GetBalanceRequest,
    ) -> Result<Balance, Status> {
        let accounts = self.database.accounts.lock().expect("nothing panics under the lock");
        match accounts.get(&request.account) {
            Some(&cents) => Ok(Balance { cents, ..Default::default() }),
            None => Err(Status::not_found(format!("no account {}", request.account))),
        }
    }
}

async fn run() -> Result<Vec<&'static str>, Status> {
    let database = Arc::new(Database::default());
    database.accounts.lock().expect("nobody else has it").insert("ann".into(), 1000);
    let service = AccountServiceServer::new(Accounts { database: Arc::clone(&database) });
    let server = Server::builder().add_service(service).build().expect("no setting contradicts another");
    let accounts = AccountServiceClient::new(Channel::in_process(server.in_process().connector()));

    let transfer = TransferRequest { from: "ann".into(), to: "bob".into(), cents: 300, ..Default::default() };
    let late = accounts.transfer(transfer.clone()).timeout(Duration::from_millis(5)).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    database.rolled_back.notified().await;
    accounts.transfer(transfer).await?;
    let request = GetBalanceRequest { account: "bob".into(), ..Default::default() };
    assert_eq!(accounts.get_balance(request).await?.cents, 300);
    Ok(database.log.lock().expect("nothing panics under the lock").clone())
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    run().await?.iter().for_each(|line| println!("{line}"));
    Ok(())
}

#[tokio::test]
async fn who_gives_up_changes_nothing() {
    assert_eq!(run().await.unwrap(), ["rolled back", "committed"]);
}
