//! Orders: what they reserve, what they cost, and how far they are.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::products::{self, note_update};
use super::{Change, Moment, StoreError, Transaction};
use crate::ids::{OrderId, ProductId};
use crate::money::Amount;

/// How far an order is. The numbers are those of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum OrderStatus {
    /// What it holds is reserved.
    Pending = 1,
    /// The money has come.
    Paid = 2,
    /// It has left the house.
    Shipped = 3,
    /// It has arrived.
    Delivered = 4,
    /// All is as if it had never been.
    Cancelled = 5,
}

impl OrderStatus {
    const ALL: [Self; 5] = [Self::Pending, Self::Paid, Self::Shipped, Self::Delivered, Self::Cancelled];

    /// The one with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.number() == number)
    }

    /// Its number.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The steps that follow.
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Paid, Self::Cancelled],
            Self::Paid => &[Self::Shipped, Self::Cancelled],
            Self::Shipped => &[Self::Delivered],
            Self::Delivered | Self::Cancelled => &[],
        }
    }

    /// Whether what it holds is in the house, and kept for it.
    fn is_reserving(self) -> bool {
        matches!(self, Self::Pending | Self::Paid)
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "PENDING",
            Self::Paid => "PAID",
            Self::Shipped => "SHIPPED",
            Self::Delivered => "DELIVERED",
            Self::Cancelled => "CANCELLED",
        })
    }
}

/// What someone wants to buy.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// Who.
    pub customer: String,
    /// What the customer knows this order by.
    pub idempotency_key: String,
    /// Of the request, to tell another one with the same key.
    pub request_hash: [u8; 32],
    /// Products and how many pieces of them, each product once.
    pub lines: Vec<(ProductId, u32)>,
    /// The rest, as a message.
    pub message: Vec<u8>,
}

/// An order as the database has it.
#[derive(Clone, Debug)]
pub struct OrderRow {
    /// What it is called outside.
    pub id: OrderId,
    /// Who bought it.
    pub customer: String,
    /// How far it is.
    pub status: OrderStatus,
    /// What it costs.
    pub total: Amount,
    /// When it was created.
    pub created_at: Moment,
    /// When it changed last.
    pub updated_at: Moment,
    /// The rest, as a message.
    pub message: Vec<u8>,
    /// What was bought.
    pub lines: Vec<LineRow>,
}

/// One product within an order.
#[derive(Clone, Debug)]
pub struct LineRow {
    /// Which one.
    pub product_id: ProductId,
    /// What it was called.
    pub product_name: String,
    /// How many pieces.
    pub quantity: u32,
    /// What a piece cost.
    pub unit_price: Amount,
    /// What all pieces cost.
    pub total: Amount,
}

/// An order has gone a step further.
#[derive(Clone, Debug)]
pub struct OrderChange {
    /// Which one.
    pub id: OrderId,
    /// How far it is now.
    pub status: OrderStatus,
    /// Since when.
    pub at: Moment,
}

impl From<OrderChange> for Change {
    fn from(change: OrderChange) -> Self {
        Self::Order(change)
    }
}

/// Why a line can not be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFault {
    /// Which line, from 0.
    pub line: usize,
    /// Its product.
    pub product: ProductId,
    /// Why not.
    pub why: LineFaultKind,
}

/// Why a product can not be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFaultKind {
    /// There is no such product.
    Unknown,
    /// It is not sold now.
    NotForSale,
    /// There are too few pieces.
    Short {
        /// Pieces that are asked for.
        wanted: u32,
        /// Pieces that are there.
        available: u32,
    },
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = self.product;
        match self.why {
            LineFaultKind::Unknown => write!(f, "there is no product {product}"),
            LineFaultKind::NotForSale => write!(f, "{product} is not sold now"),
            LineFaultKind::Short { wanted, available } => {
                write!(f, "{wanted} pieces of {product} are wanted, and {available} are there")
            }
        }
    }
}

/// Starts a statement that reads orders by [`read`].
macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, customer, status, total, created_at, updated_at, message FROM orders ", $rest)
    };
}

/// All but the lines.
fn read(row: &Row<'_>) -> rusqlite::Result<OrderRow> {
    let number: i32 = row.get(2)?;
    Ok(OrderRow {
        id: row.get(0)?,
        customer: row.get(1)?,
        status: OrderStatus::from_number(number)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(2, number.into()))?,
        total: row.get(3)?,
        created_at: row.get(4)?,
        updated_at: row.get(5)?,
        message: row.get(6)?,
        lines: Vec::new(),
    })
}

fn read_line(row: &Row<'_>) -> rusqlite::Result<LineRow> {
    Ok(LineRow {
        product_id: row.get(0)?,
        product_name: row.get(1)?,
        quantity: row.get(2)?,
        unit_price: row.get(3)?,
        total: row.get(4)?,
    })
}

fn with_lines(db: &Connection, order: OrderRow) -> Result<OrderRow, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT product_id, product_name, quantity, unit_price, total FROM order_lines WHERE order_id = ?1 \
         ORDER BY line",
    )?;
    let lines = statement.query_map([order.id], read_line)?.collect::<Result<_, _>>()?;
    Ok(OrderRow { lines, ..order })
}

/// One order.
pub fn get(db: &Connection, id: OrderId) -> Result<OrderRow, StoreError> {
    let order = db.prepare_cached(select!("WHERE id = ?1"))?.query_row([id], read).optional()?;
    with_lines(db, order.ok_or_else(|| StoreError::NotFound { kind: "order", id: id.to_string() })?)
}

/// The orders before `before`, the newest first: of one customer or of all, that are so far or anywhere.
pub fn page(
    db: &Connection,
    before: OrderId,
    customer: Option<&str>,
    status: Option<OrderStatus>,
    most: u32,
) -> Result<Vec<OrderRow>, StoreError> {
    let status = status.map(OrderStatus::number);
    let rows: Vec<OrderRow> = match customer {
        Some(customer) => db
            .prepare_cached(select!(
                "WHERE id < ?1 AND customer = ?4 AND (?3 IS NULL OR status = ?3) ORDER BY id DESC LIMIT ?2"
            ))?
            .query_map(params![before, most, status, customer], read)?
            .collect::<Result<_, _>>()?,
        None => db
            .prepare_cached(select!(
                "WHERE id < ?1 AND (?3 IS NULL OR status = ?3) ORDER BY id DESC LIMIT ?2"
            ))?
            .query_map(params![before, most, status], read)?
            .collect::<Result<_, _>>()?,
    };
    rows.into_iter().map(|order| with_lines(db, order)).collect()
}

/// Reserves what is ordered and asks for the money; or gives the order that was made of the same request.
pub fn create(tx: &mut Transaction<'_>, new: &NewOrder, now: Moment) -> Result<OrderRow, StoreError> {
    let db = tx.db();
    if let Some((id, hash)) = by_key(db, &new.customer, &new.idempotency_key)? {
        return if hash == new.request_hash { get(db, id) } else { Err(StoreError::KeyTaken { id }) };
    }
    let lines = reserve(tx, &new.lines, now)?;
    let total = lines.iter().try_fold(Amount::ZERO, |sum, line| sum.plus(line.total))?;
    let status = OrderStatus::Pending;
    let mut statement = db.prepare_cached(
        "INSERT INTO orders (customer, idempotency_key, request_hash, status, total, created_at, updated_at, \
         message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
    )?;
    let (customer, key) = (&new.customer, &new.idempotency_key);
    statement.execute(params![customer, key, new.request_hash, status.number(), total, now, new.message])?;
    let id = OrderId(db.last_insert_rowid());
    for (number, line) in (1..).zip(&lines) {
        insert_line(db, id, number, line)?;
        add_move(db, line.product_id, id, -i64::from(line.quantity), now)?;
    }
    enter(db, id, total, now)?;
    tx.note(OrderChange { id, status, at: now });
    Ok(OrderRow {
        id,
        customer: new.customer.clone(),
        status,
        total,
        created_at: now,
        updated_at: now,
        message: new.message.clone(),
        lines,
    })
}

fn by_key(db: &Connection, customer: &str, key: &str) -> Result<Option<(OrderId, Vec<u8>)>, StoreError> {
    let mut statement = db
        .prepare_cached("SELECT id, request_hash FROM orders WHERE customer = ?1 AND idempotency_key = ?2")?;
    Ok(statement.query_row([customer, key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Keeps all pieces for an order, at the prices of now.
fn reserve(
    tx: &mut Transaction<'_>,
    wanted: &[(ProductId, u32)],
    now: Moment,
) -> Result<Vec<LineRow>, StoreError> {
    let mut lines = Vec::new();
    let mut faults = Vec::new();
    for (line, &(product, quantity)) in wanted.iter().enumerate() {
        let fault = |why| LineFault { line, product, why };
        let found = products::find(tx.db(), product)?.map(|row| row.data);
        match found {
            None => faults.push(fault(LineFaultKind::Unknown)),
            Some(data) if !data.is_for_sale => faults.push(fault(LineFaultKind::NotForSale)),
            Some(data) if data.available < quantity => {
                faults.push(fault(LineFaultKind::Short { wanted: quantity, available: data.available }));
            }
            Some(data) => {
                let (unit_price, total) = (data.price, data.price.times(quantity)?);
                let product_name = data.name;
                lines.push(LineRow { product_id: product, product_name, quantity, unit_price, total });
                shift(tx, product, -i64::from(quantity), i64::from(quantity), now)?;
            }
        }
    }
    if faults.is_empty() { Ok(lines) } else { Err(StoreError::Lines(faults)) }
}

/// Takes an order a step further; `may` has the last word on it.
pub fn update_status<E: From<StoreError>>(
    tx: &mut Transaction<'_>,
    id: OrderId,
    to: OrderStatus,
    now: Moment,
    may: impl FnOnce(&OrderRow) -> Result<(), E>,
) -> Result<OrderRow, E> {
    let order = get(tx.db(), id)?;
    may(&order)?;
    step(tx, &order, to, now)?;
    Ok(OrderRow { status: to, updated_at: now, ..order })
}

fn step(tx: &mut Transaction<'_>, order: &OrderRow, to: OrderStatus, now: Moment) -> Result<(), StoreError> {
    let (db, id, from) = (tx.db(), order.id, order.status);
    if !from.next().contains(&to) {
        return Err(StoreError::Step { id, from, to });
    }
    db.prepare_cached("UPDATE orders SET status = ?2, updated_at = ?3 WHERE id = ?1")?.execute(params![
        id,
        to.number(),
        now
    ])?;
    for line in order.lines.iter().filter(|_| from.is_reserving() && !to.is_reserving()) {
        let quantity = i64::from(line.quantity);
        if to == OrderStatus::Cancelled {
            shift(tx, line.product_id, quantity, -quantity, now)?;
            add_move(db, line.product_id, id, quantity, now)?;
        } else {
            shift(tx, line.product_id, 0, -quantity, now)?;
        }
    }
    if to == OrderStatus::Cancelled {
        enter(db, id, Amount::ZERO.minus(order.total)?, now)?;
    }
    tx.note(OrderChange { id, status: to, at: now });
    Ok(())
}

/// So many pieces more are there, and are kept for orders. The product is there: orders hold it.
fn shift(
    tx: &mut Transaction<'_>,
    product: ProductId,
    available: i64,
    reserved: i64,
    now: Moment,
) -> Result<(), StoreError> {
    let mut statement = tx.db().prepare_cached(
        "UPDATE products SET available = available + ?2, reserved = reserved + ?3, updated_at = ?4 WHERE id = ?1 \
         RETURNING available",
    )?;
    let now_available: u32 =
        statement.query_row(params![product, available, reserved, now], |row| row.get(0))?;
    let before = i64::from(now_available) - available;
    note_update(tx, product, u32::try_from(before).unwrap_or_default(), now_available, now);
    Ok(())
}

fn insert_line(db: &Connection, id: OrderId, number: i64, line: &LineRow) -> Result<(), StoreError> {
    let LineRow { product_id, product_name, quantity, unit_price, total } = line;
    db.prepare_cached(
        "INSERT INTO order_lines (order_id, line, product_id, product_name, quantity, unit_price, total) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![id, number, product_id, product_name, quantity, unit_price, total])?;
    Ok(())
}

fn add_move(
    db: &Connection,
    product: ProductId,
    id: OrderId,
    by: i64,
    now: Moment,
) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO stock_moves (product_id, order_id, by, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![product, id, by, now])?;
    Ok(())
}

/// Money that is asked for, or given back if it is below 0.
fn enter(db: &Connection, id: OrderId, amount: Amount, now: Moment) -> Result<(), StoreError> {
    db.prepare_cached("INSERT INTO ledger (order_id, amount, at) VALUES (?1, ?2, ?3)")?
        .execute(params![id, amount, now])?;
    Ok(())
}
