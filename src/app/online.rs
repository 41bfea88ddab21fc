//! Asking issuers for their keys without serving: for commands that judge, and before a reload.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::gate::State;
use crate::keys::known::Known;
use crate::keys::refresh::Refresher;
use crate::keys::shared::Shared;
use crate::keys::{IssuerId, Remote};

use super::compile::Compiled;
use super::run::network;

/// What came of asking an issuer once.
#[derive(Debug)]
pub struct Asked {
    /// Whom.
    pub remote: Remote,
    /// Whose keys.
    pub id: IssuerId,
    /// What is known now, and what went wrong.
    pub known: Known,
}

/// Asks each issuer once, all at the same time, for the key of this name too where each has an address of its own. It takes no longer
/// than the longest `fetch_timeout`.
pub async fn ask(remotes: Vec<(IssuerId, Remote)>, kid: Option<&str>) -> Vec<Asked> {
    join_all(remotes.into_iter().map(|(id, remote)| async move {
        let fetch = network(&remote);
        // What only looks leaves nothing on disk.
        let mut looking = remote.clone();
        looking.store = None;
        let shared = Arc::new(Shared::new(id, looking, Known::default()));
        if let Some(kid) = kid {
            // A name that no key has is not asked for, and the token is refused for that.
            let _ = shared.want(kid);
        }
        let mut refresher = Refresher::new(Arc::clone(&shared), fetch, Arc::new(|_, _| ()));
        refresher.attempt().await;
        Asked {
            remote,
            id,
            known: shared.known(),
        }
    }))
    .await
}

/// The same for a command, which has no runtime: a gate with the keys that could be had, and what came of asking.
///
/// # Errors
/// The system refuses a runtime.
pub fn ask_once(compiled: Compiled, kid: Option<&str>) -> std::io::Result<(State, Vec<Asked>)> {
    if compiled.remotes.is_empty() {
        return Ok((compiled.gate, Vec::new()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asked = runtime.block_on(ask(compiled.remotes, kid));
    let mut gate = compiled.gate;
    for asked in &asked {
        if let Some(with_keys) = gate.with_keys(asked.id, &asked.known.key_set()) {
            gate = with_keys;
        }
    }
    Ok((gate, asked))
}
