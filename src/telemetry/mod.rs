//! What operators see: logs and metrics. A leaf.

pub mod histogram;
pub mod logs;
pub mod metrics;

pub use metrics::Metrics;
