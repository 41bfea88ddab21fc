//! The original request where a message of a proxy names its parts: method, target, scheme, and the header lines of the client.

use crate::reason::Reason;
use crate::request::{HeaderLines, Original, Scheme};

use super::super::asked::{Lines, SEPARATORS};
use super::itself_host;
use super::text::{MAX_TARGET_BYTES, checked_method, split_path};

/// Header lines that a message brings, as bytes.
#[derive(Clone, Debug, Default)]
pub struct MessageLines<'m>(pub Vec<(&'m [u8], &'m [u8])>);

impl HeaderLines for MessageLines<'_> {
    fn lines<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        let named = self
            .0
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
        // The name is borrowed for this call only.
        let values: Vec<&[u8]> = named.map(|(_, value)| *value).collect();
        values.into_iter()
    }
}

impl Lines for MessageLines<'_> {
    fn bytes(&self) -> usize {
        self.0
            .iter()
            .map(|(name, value)| name.len() + value.len() + SEPARATORS)
            .sum()
    }
}

/// Reads the original request. `target` is path and query.
///
/// # Errors
/// [`Reason::RequestMalformed`], [`Reason::RequestAmbiguous`] or [`Reason::RequestTooLarge`].
pub fn of_message<'m>(
    method: &'m str,
    target: &'m str,
    is_tls: bool,
    headers: &'m MessageLines<'m>,
    max_header_bytes: usize,
) -> Result<Original<'m>, Reason> {
    if target.len() > MAX_TARGET_BYTES || headers.bytes() > max_header_bytes {
        return Err(Reason::RequestTooLarge);
    }
    let (path, query) = split_path(target)?;
    let scheme = if is_tls { Scheme::Https } else { Scheme::Http };
    Ok(Original {
        method: checked_method(method)?,
        scheme: Some(scheme),
        host: itself_host(headers)?,
        path,
        query,
        states_method: true,
        states_path: true,
    })
}
