//! What the listeners beside HTTP have in common.

use tokio_util::sync::CancellationToken;

use super::connections::Acceptance;
use super::listen::Socket;
use super::tls::{Speaks, Tls};

/// A listener beside HTTP, open but not yet served.
#[derive(Debug)]
pub struct Beside {
    /// Where it listens.
    pub sockets: Vec<Socket>,
    /// The most connections at a time.
    pub connections: usize,
    /// The certificate, where an address speaks TLS.
    pub tls: Option<Tls>,
    /// When it shall end: nobody is accepted any more, and what is in flight is answered.
    pub end: CancellationToken,
}

impl Beside {
    pub(super) fn acceptance(&self, speaks: Speaks) -> Acceptance {
        Acceptance {
            most: self.connections,
            speaks,
            tls: self.tls.clone(),
            end: self.end.clone(),
        }
    }
}
