//! What Envoy gets beside a request that passes, for its other filters and its logs.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::{ExtAuthz, Fault};
use crate::gate::Permit;
use crate::jose::ClaimPath;
use crate::request::{HeaderLines, Original};

use crate::server::asked::Asked;
use crate::server::claims::of_permit;
use crate::server::live::Live;

/// The claims that Envoy wants as dynamic metadata, by the names it wants them under.
#[derive(Clone, Debug, Default)]
pub struct MetadataRules(Arc<[(String, Wanted)]>);

#[derive(Clone, Debug)]
enum Wanted {
    Username,
    Claim(ClaimPath),
}

impl MetadataRules {
    /// Compiles `ext_authz.metadata`.
    #[must_use]
    pub fn compile(config: &ExtAuthz) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut wanted = Vec::new();
        for (name, text) in &config.metadata {
            if name.is_empty() {
                faults.push(Fault::new(
                    "ext_authz.metadata.\"\"",
                    "a name that is empty",
                    "the name that Envoy shall have the claim under",
                    "for example `tenant = \"org.id\"`",
                ));
            }
            match ClaimPath::parse(text) {
                Ok(_) if text == "username" => wanted.push((name.clone(), Wanted::Username)),
                Ok(path) => wanted.push((name.clone(), Wanted::Claim(path))),
                Err(error) => faults.push(Fault::new(
                    format!("ext_authz.metadata.\"{name}\""),
                    format!("`{text}`, {error}"),
                    "`username`, or the path of a claim",
                    "for example `tenant = \"org.id\"`",
                )),
            }
        }
        (Self(wanted.into()), faults)
    }

    /// The metadata of a request that may pass; `None` where none is wanted or nobody is known.
    pub(super) fn of<H: HeaderLines>(
        &self,
        live: &Live,
        asked: &Asked<'_, H>,
        original: Original<'_>,
        permit: &Permit,
    ) -> Option<Map<String, Value>> {
        if self.0.is_empty() {
            return None;
        }
        let username = permit.known()?.verified().identity().username();
        of_permit(live, asked, original, permit, |claims| {
            let values = self.0.iter().filter_map(|(name, wanted)| {
                let value = match wanted {
                    Wanted::Username => Value::from(username),
                    Wanted::Claim(path) => path.resolve(claims)?.to_value(),
                };
                Some((name.clone(), value))
            });
            values.collect()
        })
    }
}
