-- Money is in billionths of the currency's unit, times are in microseconds since 1970.

CREATE TABLE products (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sku TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  category INTEGER NOT NULL,
  is_for_sale INTEGER NOT NULL,
  -- What a piece costs, the discount taken off.
  price INTEGER NOT NULL CHECK (price > 0),
  available INTEGER NOT NULL CHECK (available >= 0),
  -- In orders that have not left the house.
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  -- The rest, as a shop.v1.Product.
  message BLOB NOT NULL
) STRICT;
CREATE INDEX products_by_category ON products (category, id);

-- Why there is as much as there is: the sum of a product's moves is what is available of it.
CREATE TABLE stock_moves (
  id INTEGER PRIMARY KEY,
  product_id INTEGER NOT NULL REFERENCES products ON DELETE CASCADE,
  -- NULL where something came in or was counted again.
  order_id INTEGER REFERENCES orders,
  by INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX stock_moves_by_product ON stock_moves (product_id);

CREATE TABLE orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  customer TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  -- Tells whether a request with the same key is the same request.
  request_hash BLOB NOT NULL,
  status INTEGER NOT NULL,
  total INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  -- The rest, as a shop.v1.Order.
  message BLOB NOT NULL,
  UNIQUE (customer, idempotency_key)
) STRICT;
CREATE INDEX orders_by_customer ON orders (customer, id);

CREATE TABLE order_lines (
  order_id INTEGER NOT NULL REFERENCES orders,
  line INTEGER NOT NULL,
  -- Not a reference: the product may be gone.
  product_id INTEGER NOT NULL,
  product_name TEXT NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  unit_price INTEGER NOT NULL,
  total INTEGER NOT NULL,
  PRIMARY KEY (order_id, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX order_lines_by_product ON order_lines (product_id);

-- Money that was asked for and given back: the sum of an order's entries is what it brings.
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY,
  order_id INTEGER NOT NULL REFERENCES orders,
  amount INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_by_order ON ledger (order_id);

CREATE TABLE files (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- What it is called in the folder.
  path TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  content_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  owner TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
