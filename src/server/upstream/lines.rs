//! hyper's headers, as the rest of the room reads them.

use http::HeaderMap;
use http::header::HeaderValue;

use crate::request::HeaderLines;
use crate::server::asked::{Lines, SEPARATORS};

impl HeaderLines for HeaderMap {
    fn lines<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

impl Lines for HeaderMap {
    fn bytes(&self) -> usize {
        self.iter()
            .map(|(name, value)| name.as_str().len() + value.len() + SEPARATORS)
            .sum()
    }

    fn has(&self, name: &str) -> bool {
        self.contains_key(name)
    }
}
