//! Rules, compiled: which request may pass, and what the person must be.
//!
//! ```text
//! host, path, method, source, issuer ─► target ─► route ─► rule ─┬─► its condition: met by this token?
//!                                                                └─► its authentication: strong and recent enough?
//! ```
//!
//! `target` brings host and path into one form, once. `rules` finds the first rule whose `route` fits. What a rule wants of the *token*
//! (`condition`, `claim_test`) is judged when a token is verified, not when it is used: `requirements` holds every different condition of
//! all rules once, and a verified token carries one bit for each. So a decision on a known token costs the look for the rule and a
//! bit.
//!
//! What cannot be told counts against the request: an allowing rule does not fit it, a denying one does, and a condition is not met.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod access;
mod claim_test;
pub mod condition;
#[cfg(feature = "cel")]
mod expression;
#[cfg(not(feature = "cel"))]
#[path = "no_expression.rs"]
mod expression;
mod glob;
mod pattern;
pub mod requirements;
pub mod route;
pub mod rule;
pub mod rules;
pub mod subject;
pub mod target;

pub use access::AccessRules;
pub use expression::{Expression, Failed, Known};
pub use pattern::FullMatch;
pub use requirements::{Met, Requirements};
pub use rule::Rule;
pub use rules::{Policy, Rules, Ruling};
pub use subject::Subject;
pub use target::{Question, Target};

#[cfg(test)]
mod tests;
