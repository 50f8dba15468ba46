//! Code that calls a service, and its test with a mock: a service behind a channel within the process.

// What a program says is its interface.
#![allow(clippy::print_stdout)]

use std::sync::Mutex;

use calls_example::example::v1::{
    AccountService, AccountServiceClient, AccountServiceServer, Balance, GetBalanceRequest, TransferRequest,
    TransferResponse,
};
use dunlin::server::InProcess;
use dunlin::{Channel, Code, Server, ServerContext, Status};

/// What is to be tested: it takes the client that programs use too.
async fn empty_account(accounts: &AccountServiceClient, from: &str, to: &str) -> Result<i64, Status> {
    let account = GetBalanceRequest { account: from.into(), ..Default::default() };
    let cents = match accounts.get_balance(account).await {
        Ok(balance) => balance.cents,
        Err(status) if status.code() == Code::NotFound => 0,
        Err(status) => return Err(status),
    };
    if cents > 0 {
        let transfer = TransferRequest { from: from.into(), to: to.into(), cents, ..Default::default() };
        accounts.transfer(transfer).await?;
    }
    Ok(cents)
}

/// Only what the test needs; all other methods are UNIMPLEMENTED.
struct Mock {
    balance: Result<i64, Status>,
    transfers: Mutex<Vec<TransferRequest>>,
}

impl AccountService for Mock {
    async fn get_balance(&self, _: &mut ServerContext, _: GetBalanceRequest) -> Result<Balance, Status> {
        self.balance.clone().map(|cents| Balance { cents, ..Default::default() })
    }

    async fn transfer(
        &self,
        _: &mut ServerContext,
        request: TransferRequest,
    ) -> Result<TransferResponse, Status> {
        self.transfers.lock().expect("nothing panics under the lock").push(request);
        Ok(TransferResponse::default())
    }
}

fn mock(balance: Result<i64, Status>) -> (AccountServiceClient, std::sync::Arc<Mock>, InProcess) {
    let mock = std::sync::Arc::new(Mock { balance, transfers: Mutex::default() });
    let service = AccountServiceServer::from_arc(std::sync::Arc::clone(&mock));
    let server = Server::builder().add_service(service).build().expect("no setting contradicts another");
    let server = server.in_process();
    (AccountServiceClient::new(Channel::in_process(server.connector())), mock, server)
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    let (accounts, _, _server) = mock(Ok(500));
    println!("moved {} cents", empty_account(&accounts, "ann", "bob").await?);
    Ok(())
}

#[tokio::test]
async fn everything_is_moved() {
    let (accounts, mock, _server) = mock(Ok(500));
    assert_eq!(empty_account(&accounts, "ann", "bob").await.unwrap(), 500);
    let wanted = TransferRequest { from: "ann".into(), to: "bob".into(), cents: 500, ..Default::default() };
    assert_eq!(*mock.transfers.lock().unwrap(), [wanted]);
}

#[tokio::test]
async fn an_account_that_is_not_there_is_empty() {
    let (accounts, mock, _server) = mock(Err(Status::not_found("no account ann")));
    assert_eq!(empty_account(&accounts, "ann", "bob").await.unwrap(), 0);
    assert_eq!(mock.transfers.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn other_failures_are_passed_on() {
    let (accounts, _, _server) = mock(Err(Status::unavailable("the bank is closed")));
    let status = empty_account(&accounts, "ann", "bob").await.unwrap_err();
    assert_eq!(status.to_string(), "UNAVAILABLE: the bank is closed");
}
