//! The shop is killed again and again while orders are made, and loses and doubles nothing.
//!
//! Several customers create orders with keys of their own. Whoever gets no answer asks again with the same
//! key, as the schema says; the shop is killed by SIGKILL at moments of chance, and started again on the same
//! folder. `SHOP_CRASH_SEED` repeats the moments of a run.

// The seed of a run that fails is needed.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dunlin::client::Channel;
use dunlin::{CallOptions, Code};
use shop_example::ids::{OrderId, ProductId};
use shop_example::proto::order::{Line, Payment, Status};
use shop_example::proto::{
    Address, CreateOrderRequest, GiftCard, Order, OrderServiceClient, UpdateOrderStatusRequest,
};
use shop_example::store::audit::audit;
use shop_example::store::{Store, StoreError, orders, products};
use tokio::sync::watch;

const PRODUCTS: u32 = 40;
const CUSTOMERS: usize = 8;
const ORDERS: usize = 500;
const KILLS: usize = 20;
/// Of each order's time, and of the whole test.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Numbers that look like chance: SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A shop that is killed when this is dropped.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop-example"));
        command.args(["--listen", "127.0.0.1:0", "--log", "off", "--seed", &PRODUCTS.to_string(), "--data"]);
        let mut child = command.arg(folder).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL: it can do nothing more.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What a customer knows of an order.
#[derive(Debug)]
struct Acknowledged {
    order: Order,
    /// Whether the shop has said that it is cancelled.
    is_cancelled: bool,
}

fn request(dice: &mut Dice, key: String) -> CreateOrderRequest {
    let first = 1 + dice.below(PRODUCTS.into());
    let lines = (0..=dice.below(3)).map(|step| Line {
        product_id: ProductId(((first + step * 7) % u64::from(PRODUCTS)) as i64 + 1).to_string(),
        quantity: 1 + dice.below(2) as u32,
        ..Default::default()
    });
    let lines = lines.collect();
    let address = Address {
        recipient: "Ann".into(),
        lines: vec!["1 Shore Road".into()],
        city: "Northhaven".into(),
        country_code: "NO".into(),
        ..Default::default()
    };
    let order = Order {
        lines,
        payment: Some(Payment::GiftCard(GiftCard { code: "WELCOME".into(), ..Default::default() })),
        shipping_address: Some(Box::new(address)),
        ..Default::default()
    };
    CreateOrderRequest { order: Some(Box::new(order)), idempotency_key: key, ..Default::default() }
}

/// Calls until there is an answer, wherever the shop is by then.
async fn answered<T, F>(
    address: &watch::Receiver<String>,
    mut call: impl FnMut(OrderServiceClient) -> F,
) -> Option<T>
where
    F: Future<Output = Result<T, dunlin::Status>>,
{
    loop {
        let target = address.borrow().clone();
        let options = CallOptions::new().metadata("authorization", "Bearer demo-customer");
        let channel = Channel::builder(target).connect_lazy().unwrap();
        let orders = OrderServiceClient::new(channel).with_options(options.timeout(Duration::from_secs(5)));
        match call(orders).await {
            Ok(answer) => return Some(answer),
            Err(status) => match status.code() {
                // The shop is gone, or was while it answered.
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                // Sold out.
                Code::FailedPrecondition => return None,
                code => panic!("{code}: {status}"),
            },
        }
    }
}

/// Creates orders one after the other, and cancels some of them.
async fn customer(
    mut dice: Dice,
    keys: impl Iterator<Item = usize>,
    address: watch::Receiver<String>,
    done: Arc<AtomicUsize>,
) -> Vec<(CreateOrderRequest, Option<Acknowledged>)> {
    let mut asked = Vec::new();
    for key in keys {
        let request = request(&mut dice, format!("key-{key}"));
        let order = answered(&address, |orders| orders.create_order(request.clone())).await;
        let mut known = order.map(|order| Acknowledged { order, is_cancelled: false });
        if let Some(known) = known.as_mut().filter(|_| dice.below(5) == 0) {
            let (id, status) = (known.order.id.clone(), Status::CANCELLED);
            let cancel = UpdateOrderStatusRequest { id, status, ..Default::default() };
            // Asked again, an order that is cancelled already can not be, which is an answer, too.
            answered(&address, |orders| orders.update_order_status(cancel.clone())).await;
            known.is_cancelled = true;
        }
        asked.push((request, known));
        done.fetch_add(1, Ordering::Relaxed);
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_killed_loses_and_doubles_nothing() {
    let seed = std::env::var("SHOP_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = seed.unwrap_or(now.subsec_nanos().into());
    println!("SHOP_CRASH_SEED={seed}");
    let test = tokio::time::timeout(TIME_LIMIT, kill_again_and_again(seed));
    test.await.expect("all orders are answered in time");
}

async fn kill_again_and_again(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(seed);
    let mut shop = Running::start(folder.path());
    let (at, address) = watch::channel(shop.address.clone());
    let done = Arc::new(AtomicUsize::new(0));
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|number| {
            let keys = (number..ORDERS).step_by(CUSTOMERS);
            let dice = Dice(seed.wrapping_add(1 + number as u64));
            tokio::spawn(customer(dice, keys, address.clone(), Arc::clone(&done)))
        })
        .collect();
    for kill in 1..=KILLS {
        // At a moment of chance within the orders, and then within what one of them takes.
        let mark = kill * ORDERS / (KILLS + 1);
        while done.load(Ordering::Relaxed) < mark {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(dice.below(5000))).await;
        drop(shop);
        shop = Running::start(folder.path());
        at.send_replace(shop.address.clone());
    }
    let mut asked = Vec::new();
    for customer in customers {
        asked.extend(customer.await.unwrap());
    }
    // A key gives the same order, now as then.
    for (request, known) in asked.iter().step_by(10) {
        if let Some(known) = known {
            let again = answered(&address, |orders| orders.create_order(request.clone())).await.unwrap();
            assert_eq!((&again.id, &again.total), (&known.order.id, &known.order.total), "seed {seed}");
        }
    }
    drop(shop);
    check(folder.path(), &asked, seed).await;
}

/// The books are right, and hold every order that was acknowledged, exactly once.
async fn check(folder: &Path, asked: &[(CreateOrderRequest, Option<Acknowledged>)], seed: u64) {
    let store = Store::open(&folder.join("shop.db")).unwrap();
    let audit = store.read(audit).await.unwrap();
    assert_eq!(audit.faults, [""; 0], "seed {seed}");
    assert_eq!(audit.products, i64::from(PRODUCTS), "seed {seed}");

    let rows = store.read(|db| orders::page(db, OrderId(i64::MAX), None, None, u32::MAX)).await.unwrap();
    let by_id: BTreeMap<String, _> = rows.iter().map(|row| (row.id.to_string(), row)).collect();
    let known: Vec<_> = asked.iter().filter_map(|(_, known)| known.as_ref()).collect();
    // None is there that nobody knows of: each customer has asked until there was an answer.
    assert_eq!(by_id.len(), known.len(), "seed {seed}");
    assert!(known.len() > ORDERS / 4, "only {} of {ORDERS} orders could be made", known.len());
    let mut income = 0;
    for Acknowledged { order, is_cancelled } in known {
        let row = by_id.get(&order.id).unwrap_or_else(|| panic!("{} is lost, seed {seed}", order.id));
        assert_eq!(Some(row.total.into()), order.total, "seed {seed}");
        let is = row.status == orders::OrderStatus::Cancelled;
        assert_eq!(is, *is_cancelled, "{}, seed {seed}", order.id);
        income += if is { 0 } else { row.total.nanos() };
    }
    assert_eq!(audit.income.nanos(), income, "seed {seed}");

    // What was there at the beginning is on the shelf, or in an order.
    let shelf = store.read(|db| products::page(db, ProductId(0), 0, u32::MAX)).await.unwrap();
    let mut taken = BTreeMap::<ProductId, i64>::new();
    for row in rows.iter().filter(|row| row.status != orders::OrderStatus::Cancelled) {
        for line in &row.lines {
            *taken.entry(line.product_id).or_default() += i64::from(line.quantity);
        }
    }
    let first = store.read(|db| {
        let mut statement = db.prepare(
            "SELECT product_id, sum(by) FROM stock_moves WHERE order_id IS NULL GROUP BY product_id",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok::<_, StoreError>(rows.collect::<Result<BTreeMap<ProductId, i64>, _>>()?)
    });
    let first = first.await.unwrap();
    for row in shelf {
        let taken = taken.get(&row.id).copied().unwrap_or_default();
        assert_eq!(i64::from(row.reserved), taken, "{}, seed {seed}", row.id);
        let began = first.get(&row.id).copied().unwrap_or_default();
        assert_eq!(i64::from(row.data.available) + taken, began, "{}, seed {seed}", row.id);
    }
}
