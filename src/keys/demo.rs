//! The demo keys that stand in `certs/` of the source tree. Everybody has them, so nobody may be protected by them.

/// RFC 7638 thumbprints of the published demo keys.
pub const PUBLISHED: &[&str] = &[];

/// Whether a key with this thumbprint is published.
#[must_use]
pub fn is_published(thumbprint: &str) -> bool {
    PUBLISHED.contains(&thumbprint)
}
