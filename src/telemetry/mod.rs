//! What operators see: logs and metrics. A leaf.

pub mod histogram;
pub mod key_metrics;
pub mod logs;
pub mod metrics;
pub mod rule_metrics;

pub use metrics::Metrics;
