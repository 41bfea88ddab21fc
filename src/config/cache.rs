//! `[cache]`: the cache of verified tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cache of verified tokens.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// The most memory it may take, in bytes; about 1 KiB is needed for a token. 0: off.
    pub max_bytes: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024 * 1024,
        }
    }
}
