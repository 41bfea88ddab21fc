//! Of whom conditions are asked: what a verified token says.

use std::borrow::Cow;

use crate::jose::{Claims, Json};

use super::condition;

/// What a verified token says of a person.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// The username.
    pub username: &'s str,
    /// The e-mail address, where there is one.
    pub email: Option<&'s str>,
    /// The groups; `None` where they cannot be told: they stand elsewhere, or are no list of texts.
    pub groups: Option<&'s [Cow<'s, str>]>,
    /// The scopes; `None` where they cannot be told.
    pub scopes: Option<&'s [Cow<'s, str>]>,
    /// Every claim.
    pub claims: &'s Claims<'s>,
}

impl Subject<'_> {
    /// The domain of the e-mail address in the form of DNS; `None` where there is no good address. More than one `@` is none: readers
    /// differ in which of them counts (CVE-2026-40574). An address that the issuer calls unverified is none either.
    #[must_use]
    pub fn domain(&self) -> Option<String> {
        let (local, domain) = self.email?.split_once('@')?;
        let is_good = !local.is_empty() && !domain.contains('@');
        let is_unverified = match self.claims.get("email_verified") {
            Some(Json::Bool(is_verified)) => !is_verified,
            Some(Json::String(text)) => !text.eq_ignore_ascii_case("true"),
            None | Some(Json::Null) => false,
            Some(_) => true,
        };
        (is_good && !is_unverified).then(|| condition::domain(domain))?
    }
}
