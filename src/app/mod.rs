//! From a configuration to a running service.
//!
//! ```text
//! Config ─► compile ─► plan ─► run: sockets, workers, keys, signals
//!              ▲                │
//!              └── reload ◄── watch, SIGHUP
//! ```
//!
//! `compile` turns every room's settings into what the gate decides by, and joins their faults; `plan` adds the listeners; `run` serves.
//! `watch` sees that a file has changed, and `reload` builds and judges everything anew before it swaps; `overlap` keeps replaced keys for
//! a while. `online` asks issuers without
//! serving, for commands.

mod beside;
pub mod compile;
mod facts;
mod listeners;
pub mod online;
mod overlap;
pub mod plan;
pub mod reload;
pub mod run;
mod watch;

pub use compile::{Compiled, compile, compile_gate};
pub use plan::{Plan, plan};
pub use reload::ConfigSource;
pub use run::{Bound, StartError};
