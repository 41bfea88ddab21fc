//! The claims of a request that may pass, for answers that say more than the identity headers.

use crate::gate::{Permit, extract, verify};
use crate::jose::Claims;
use crate::request::{HeaderLines, Original, RequestView};

use super::asked::Asked;
use super::live::Live;

/// Reads the claims again out of the very token that was verified; `None` where nobody is known.
pub(super) fn of_permit<H: HeaderLines, T>(
    live: &Live,
    asked: &Asked<'_, H>,
    original: Original<'_>,
    permit: &Permit,
    read: impl FnOnce(&Claims<'_>) -> T,
) -> Option<T> {
    permit.known()?;
    let view = RequestView {
        headers: asked.headers,
        original,
        source: None,
    };
    let credential = extract::extract(&live.gate.extract, &view).ok()?;
    let payload = verify::payload_of_verified(credential.token())?;
    Claims::parse(&payload).ok().as_ref().map(read)
}
