//! `[identity]`: the headers that tell the application who it is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of characters that are not ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NonAscii {
    /// They are percent-encoded, reversibly: `José` is sent as `Jos%C3%A9`.
    Percent,
    /// They are sent as UTF-8 bytes.
    Utf8,
    /// The request is refused.
    Refuse,
}

/// The headers that tell the application who it is. All of them stand on every 200, empty where the token lacks the claim.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// Header names and the claims they carry. `username` is the resolved username; anything else is a claim, a dotted path or a JSON Pointer.
    pub headers: BTreeMap<String, String>,
    /// What becomes of characters that are not ASCII: `percent`, `utf8` or `refuse`.
    pub non_ascii: NonAscii,
}

impl Default for Identity {
    fn default() -> Self {
        let headers = [
            ("X-Auth-User", "username"),
            ("X-Auth-Email", "email"),
            ("X-Auth-Groups", "groups"),
        ];
        Self {
            headers: headers
                .map(|(header, claim)| (header.to_owned(), claim.to_owned()))
                .into(),
            non_ascii: NonAscii::Percent,
        }
    }
}
