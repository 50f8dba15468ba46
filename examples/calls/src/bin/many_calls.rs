//! Many calls at a time: calls are futures, so everything that is done with futures can be done with them.

// What a program says is its interface.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use calls_example::example::v1::{
    AccountService, AccountServiceClient, AccountServiceServer, Balance, GetBalanceRequest,
};
use dunlin::{Channel, Server, ServerContext, Status};
use futures_util::StreamExt;
use futures_util::future::{join_all, select_ok, try_join_all};
use futures_util::stream::FuturesUnordered;

struct Accounts;

impl AccountService for Accounts {
    async fn get_balance(
        &self,
        _: &mut ServerContext,
        request: GetBalanceRequest,
    ) -> Result<Balance, Status> {
        // The larger the number, the sooner the answer.
        let number: u32 = request.account.parse().map_err(|_| Status::not_found("no such account"))?;
        tokio::time::sleep(Duration::from_millis(10) * 10_u32.saturating_sub(number)).await;
        Ok(Balance { cents: number.into(), ..Default::default() })
    }
}

fn of(account: &str) -> GetBalanceRequest {
    GetBalanceRequest { account: account.into(), ..Default::default() }
}

async fn run() -> Result<Vec<String>, Status> {
    let server = Server::builder().add_service(AccountServiceServer::new(Accounts));
    let server = server.build().expect("no setting contradicts another").in_process();
    let accounts = AccountServiceClient::new(Channel::in_process(server.connector()));
    let mut log = Vec::new();

    // All of them, in the order they were asked.
    let replies = join_all(["1", "9", "x"].map(|account| accounts.get_balance(of(account)))).await;
    let shown = replies.iter().map(|reply| match reply {
        Ok(balance) => balance.cents.to_string(),
        Err(status) => status.code().to_string(),
    });
    log.push(shown.collect::<Vec<_>>().join(" "));

    // As they come.
    let mut calls: FuturesUnordered<_> =
        ["1", "5", "9"].map(|account| accounts.get_balance(of(account))).into_iter().collect();
    let mut order = Vec::new();
    while let Some(balance) = calls.next().await {
        order.push(balance?.cents.to_string());
    }
    log.push(order.join(" "));

    // All or the first failure; the first that succeeds, and the others are cancelled.
    let sum = try_join_all((1..=9).map(|number| accounts.get_balance(of(&number.to_string())))).await?;
    log.push(sum.iter().map(|balance| balance.cents).sum::<i64>().to_string());
    let (first, _) = select_ok(["1", "8"].map(|account| accounts.get_balance(of(account)))).await?;
    log.push(first.cents.to_string());

    // In a task of its own.
    let task = tokio::spawn(accounts.get_balance(of("7")).timeout(Duration::from_secs(5)));
    log.push(task.await.expect("the task does not panic")?.cents.to_string());
    Ok(log)
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    run().await?.iter().for_each(|line| println!("{line}"));
    Ok(())
}

#[tokio::test]
async fn calls_are_futures() {
    assert_eq!(run().await.unwrap(), ["1 9 NOT_FOUND", "9 5 1", "45", "8", "7"]);
}
