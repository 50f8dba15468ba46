//! Products, and how much there is of them.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Moment, StoreError, Transaction};
use crate::ids::ProductId;
use crate::money::Amount;
use crate::validation::MAX_AVAILABLE;

/// What whoever runs the shop decides of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductData {
    /// The stock keeping unit, which no other product has.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// The number of the category.
    pub category: i32,
    /// Whether it can be ordered.
    pub is_for_sale: bool,
    /// What a piece costs, the discount taken off.
    pub price: Amount,
    /// Pieces that can be ordered.
    pub available: u32,
    /// The rest, as a message.
    pub message: Vec<u8>,
}

/// A product as the database has it.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductRow {
    /// What it is called outside.
    pub id: ProductId,
    /// What was decided of it.
    pub data: ProductData,
    /// Pieces in orders that have not left the house.
    pub reserved: u32,
    /// When it came.
    pub created_at: Moment,
    /// When it changed last.
    pub updated_at: Moment,
}

/// A product is not what it was.
#[derive(Clone, Debug)]
pub struct ProductChange {
    /// Which one.
    pub id: ProductId,
    /// What happened to it.
    pub what: ProductEventKind,
    /// When.
    pub at: Moment,
}

/// What can happen to a product.
#[derive(Clone, Debug)]
pub enum ProductEventKind {
    /// It is new.
    Created,
    /// It changed.
    Updated,
    /// The last piece went.
    OutOfStock,
    /// It is gone; this is what it was.
    Deleted(Arc<ProductRow>),
}

/// Starts a statement that reads products by [`read`].
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, sku, name, category, is_for_sale, price, available, reserved, created_at, updated_at, \
             message FROM products ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> rusqlite::Result<ProductRow> {
    Ok(ProductRow {
        id: row.get(0)?,
        data: ProductData {
            sku: row.get(1)?,
            name: row.get(2)?,
            category: row.get(3)?,
            is_for_sale: row.get(4)?,
            price: row.get(5)?,
            available: row.get(6)?,
            message: row.get(10)?,
        },
        reserved: row.get(7)?,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
    })
}

/// One product.
pub fn get(db: &Connection, id: ProductId) -> Result<ProductRow, StoreError> {
    find(db, id)?.ok_or_else(|| not_found(id))
}

/// One product, if it is there.
pub fn find(db: &Connection, id: ProductId) -> Result<Option<ProductRow>, StoreError> {
    Ok(db.prepare_cached(select!("WHERE id = ?1"))?.query_row([id], read).optional()?)
}

pub(super) fn not_found(id: ProductId) -> StoreError {
    StoreError::NotFound { kind: "product", id: id.to_string() }
}

/// The products behind `after`, in the order of their ids; of one category, or of all if it is 0.
pub fn page(
    db: &Connection,
    after: ProductId,
    category: i32,
    most: u32,
) -> Result<Vec<ProductRow>, StoreError> {
    let rows = match category {
        0 => db
            .prepare_cached(select!("WHERE id > ?1 ORDER BY id LIMIT ?2"))?
            .query_map(params![after, most], read)?
            .collect::<Result<_, _>>()?,
        _ => db
            .prepare_cached(select!("WHERE id > ?1 AND category = ?3 ORDER BY id LIMIT ?2"))?
            .query_map(params![after, most, category], read)?
            .collect::<Result<_, _>>()?,
    };
    Ok(rows)
}

/// How many products there are, of one category, or of all if it is 0.
pub fn count(db: &Connection, category: i32) -> Result<u32, StoreError> {
    Ok(match category {
        0 => db.prepare_cached("SELECT count(*) FROM products")?.query_row([], |row| row.get(0))?,
        _ => db
            .prepare_cached("SELECT count(*) FROM products WHERE category = ?1")?
            .query_row([category], |row| row.get(0))?,
    })
}

/// Puts a product on the shelf.
pub fn insert(tx: &mut Transaction<'_>, data: ProductData, now: Moment) -> Result<ProductRow, StoreError> {
    let db = tx.db();
    check_sku(db, &data.sku, None)?;
    let mut statement = db.prepare_cached(
        "INSERT INTO products (sku, name, category, is_for_sale, price, available, reserved, created_at, \
         updated_at, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7, ?8)",
    )?;
    let ProductData { sku, name, category, is_for_sale, price, available, message } = &data;
    statement.execute(params![sku, name, category, is_for_sale, price, available, now, message])?;
    let id = ProductId(db.last_insert_rowid());
    add_move(db, id, (*available).into(), now)?;
    tx.note(ProductChange { id, what: ProductEventKind::Created, at: now });
    Ok(ProductRow { id, data, reserved: 0, created_at: now, updated_at: now })
}

/// Decides something else of a product.
pub fn update(
    tx: &mut Transaction<'_>,
    id: ProductId,
    data: ProductData,
    now: Moment,
) -> Result<ProductRow, StoreError> {
    let db = tx.db();
    let before = get(db, id)?;
    check_sku(db, &data.sku, Some(id))?;
    let mut statement = db.prepare_cached(
        "UPDATE products SET sku = ?2, name = ?3, category = ?4, is_for_sale = ?5, price = ?6, available = ?7, \
         updated_at = ?8, message = ?9 WHERE id = ?1",
    )?;
    let ProductData { sku, name, category, is_for_sale, price, available, message } = &data;
    statement.execute(params![id, sku, name, category, is_for_sale, price, available, now, message])?;
    add_move(db, id, i64::from(*available) - i64::from(before.data.available), now)?;
    note_update(tx, id, before.data.available, data.available, now);
    Ok(ProductRow { data, updated_at: now, ..before })
}

/// Takes pieces in, or out if `by` is below 0.
pub fn adjust(
    tx: &mut Transaction<'_>,
    id: ProductId,
    by: i32,
    now: Moment,
) -> Result<ProductRow, StoreError> {
    let mut data = get(tx.db(), id)?.data;
    let wanted = i64::from(data.available) + i64::from(by);
    data.available = u32::try_from(wanted)
        .ok()
        .filter(|wanted| *wanted <= MAX_AVAILABLE)
        .ok_or(StoreError::Stock { id, available: data.available, wanted })?;
    update(tx, id, data, now)
}

/// Takes a product off the shelf.
pub fn delete(tx: &mut Transaction<'_>, id: ProductId, now: Moment) -> Result<(), StoreError> {
    let row = get(tx.db(), id)?;
    if row.reserved > 0 {
        return Err(StoreError::InUse { id, reserved: row.reserved });
    }
    tx.db().prepare_cached("DELETE FROM products WHERE id = ?1")?.execute([id])?;
    tx.note(ProductChange { id, what: ProductEventKind::Deleted(Arc::new(row)), at: now });
    Ok(())
}

/// Tells that there is another number of pieces than before.
pub(super) fn note_update(tx: &mut Transaction<'_>, id: ProductId, before: u32, available: u32, at: Moment) {
    tx.note(ProductChange { id, what: ProductEventKind::Updated, at });
    if available == 0 && before > 0 {
        tx.note(ProductChange { id, what: ProductEventKind::OutOfStock, at });
    }
}

fn add_move(db: &Connection, id: ProductId, by: i64, now: Moment) -> Result<(), StoreError> {
    if by != 0 {
        db.prepare_cached("INSERT INTO stock_moves (product_id, by, at) VALUES (?1, ?2, ?3)")?
            .execute(params![id, by, now])?;
    }
    Ok(())
}

/// No other product than this has the SKU.
fn check_sku(db: &Connection, sku: &str, own: Option<ProductId>) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached("SELECT id FROM products WHERE sku = ?1")?;
    match statement.query_row([sku], |row| row.get(0)).optional()? {
        Some(id) if Some(id) != own => Err(StoreError::SkuTaken { sku: sku.to_owned(), id }),
        _ => Ok(()),
    }
}
