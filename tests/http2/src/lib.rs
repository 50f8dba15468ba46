//! Attacks on HTTP/2 servers, each bounded in frames and in time, and what becomes of them.
//!
//! An [`Attack`] is a row of [`ATTACKS`]: it writes frames over a [`Session`], one plain TCP connection,
//! until it has sent all or the server ends it. [`run`] does that beside an honest client on another
//! connection, and gives a [`Report`]. It works against any server that speaks HTTP/2 with prior
//! knowledge; `attack` is the same as a program.
//!
//! Other people's servers are attacked to know what they do, and only on the machine that runs this.

mod attack;
mod attacks;
mod honest;
mod memory;
mod session;
mod table;

pub use attack::{Attack, End, Report, Target, Then, run};
pub use attacks::ATTACKS;
pub use honest::{Honest, Served};
pub use session::{Flow, Seen, Session, Stop};
pub use table::{HEAD, row};
