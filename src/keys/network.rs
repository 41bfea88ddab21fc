//! The refresher's way out: clients of the provider, made when they are first needed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::idp::address::{self, Unfit};
use crate::idp::client::{Get, ProxySetting, Settings};
use crate::idp::{Client, FetchFault};

use super::refresh::{Fetch, Fetching};
use super::remote::{Access, Remote};

/// Fetches over the network, as one issuer's settings say.
pub struct Network {
    access: Access,
    timeout: Duration,
    /// Clients that could be made: plain and with TLS, each to anywhere and to public addresses only. One that cannot be made, for want of a trust store,
    /// is tried again at the next fetch.
    clients: Mutex<[[Option<Client>; 2]; 2]>,
}

impl Network {
    /// The way to an issuer.
    #[must_use]
    pub fn to(remote: &Remote) -> Self {
        Self {
            access: remote.access.clone(),
            timeout: remote.pace.timeout,
            clients: Mutex::default(),
        }
    }

    fn client(&self, is_tls: bool, is_public_only: bool) -> Result<Client, FetchFault> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let [plain, tls] = &mut *clients;
        let [anywhere, public] = if is_tls { tls } else { plain };
        let slot = if is_public_only { public } else { anywhere };
        if let Some(client) = slot {
            return Ok(client.clone());
        }
        let client = Client::new(&Settings {
            is_tls,
            authorities: self.access.authorities.clone(),
            proxy: self.access.proxy.clone(),
            timeout: self.timeout,
            // Behind a proxy it is the proxy that resolves names.
            is_public_only: is_public_only && self.access.proxy == ProxySetting::None,
        })?;
        *slot = Some(client.clone());
        Ok(client)
    }
}

impl Fetch for Network {
    fn get<'f>(&'f self, get: Get<'f>, is_public_only: bool) -> Fetching<'f> {
        Box::pin(async move {
            let is_tls = get.url.scheme() == "https" || self.access.proxy != ProxySetting::None;
            // What the environment says may concern other hosts only, so the name is looked at before.
            let may_be_direct = self.access.proxy == ProxySetting::Environment;
            if is_public_only && may_be_direct && address::leads_into_private(get.url).await {
                return Err(FetchFault::Transport(Unfit::Private.to_string()));
            }
            self.client(is_tls, is_public_only)?.get(get).await
        })
    }
}
