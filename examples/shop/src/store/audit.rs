//! Whether the books are right: stock and money are where they should be.

use rusqlite::Connection;

use super::StoreError;
use crate::money::{Amount, MoneyError};

/// What an audit has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Products that are there.
    pub products: i64,
    /// Orders, cancelled or not.
    pub orders: i64,
    /// Pieces that are available.
    pub available: i64,
    /// Pieces that orders wait for.
    pub reserved: i64,
    /// What all orders bring that are not cancelled.
    pub income: Amount,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
}

/// Each statement gives the faults of one kind: whose, what it is, and what it should be.
const CHECKS: [(&str, &str); 6] = [
    (
        "pieces available of p-",
        "SELECT p.id, p.available, coalesce(sum(m.by), 0) AS wanted FROM products p \
         LEFT JOIN stock_moves m ON m.product_id = p.id GROUP BY p.id HAVING p.available <> wanted",
    ),
    (
        "pieces reserved of p-",
        "SELECT p.id, p.reserved, coalesce(sum(l.quantity), 0) AS wanted FROM products p \
         LEFT JOIN (SELECT product_id, quantity FROM order_lines JOIN orders o ON o.id = order_id \
         WHERE o.status IN (1, 2)) l ON l.product_id = p.id GROUP BY p.id HAVING p.reserved <> wanted",
    ),
    (
        "pieces taken for o-",
        "SELECT l.order_id, coalesce(-sum(m.by), 0) AS taken, iif(o.status = 5, 0, l.quantity) AS wanted \
         FROM order_lines l JOIN orders o ON o.id = l.order_id JOIN products p ON p.id = l.product_id \
         LEFT JOIN stock_moves m ON m.order_id = l.order_id AND m.product_id = l.product_id \
         GROUP BY l.order_id, l.line HAVING taken <> wanted",
    ),
    (
        "billionths that a line costs of o-",
        "SELECT order_id, total, quantity * unit_price FROM order_lines WHERE total <> quantity * unit_price",
    ),
    (
        "billionths that the lines cost of o-",
        "SELECT o.id, coalesce(sum(l.total), 0) AS lines, o.total FROM orders o \
         LEFT JOIN order_lines l ON l.order_id = o.id GROUP BY o.id HAVING lines <> o.total",
    ),
    (
        "billionths in the ledger of o-",
        "SELECT o.id, coalesce(sum(e.amount), 0) AS entered, iif(o.status = 5, 0, o.total) AS wanted \
         FROM orders o LEFT JOIN ledger e ON e.order_id = o.id GROUP BY o.id HAVING entered <> wanted",
    ),
];

/// Looks at everything, as it is at one moment.
pub fn audit(db: &Connection) -> Result<Audit, StoreError> {
    // In memory, the one thread has begun a transaction already.
    let _one_moment = db.is_autocommit().then(|| db.unchecked_transaction()).transpose()?;
    let mut found = Audit::default();
    let state: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if state != "ok" {
        found.faults.push(state);
    }
    for (what, statement) in CHECKS {
        let mut statement = db.prepare(statement)?;
        let faults = statement.query_map([], |row| {
            let (id, is, should): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(format!("{what}{id}: {is}, and should be {should}"))
        })?;
        found.faults.extend(faults.collect::<Result<Vec<_>, _>>()?);
    }
    let sums = "SELECT count(*), coalesce(sum(available), 0), coalesce(sum(reserved), 0) FROM products";
    (found.products, found.available, found.reserved) =
        db.query_row(sums, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    found.orders = db.query_row("SELECT count(*) FROM orders", [], |row| row.get(0))?;
    let mut amounts = db.prepare("SELECT amount FROM ledger")?;
    for amount in amounts.query_map([], |row| row.get(0))? {
        found.income =
            found.income.plus(amount?).map_err(|_: MoneyError| StoreError::Money(MoneyError::TooLarge))?;
    }
    Ok(found)
}
