//! The identity headers: their names, what each carries, and how much they may hold.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::{Config, Fault, ListFormat, NonAscii};
use crate::reason::Reason;

use super::field::{Field, Value};
use super::identity::{MAX_USERNAME, NoIdentity, field_of_claim};
use super::{header_name, header_value};

/// The headers, the same for every issuer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Headers {
    all: Arc<[(String, Carries)]>,
    non_ascii: NonAscii,
    max_value: usize,
    max_total: usize,
}

/// What a header carries.
#[derive(Clone, Debug)]
pub(super) enum Carries {
    /// The username.
    Username,
    /// `admin` or `user`.
    Role,
    /// The field of this name, or else the claim.
    Named(String, Box<Field>),
}

impl Headers {
    /// Compiles the headers. Faults name keys of `[identity]`.
    #[must_use]
    pub fn compile(config: &Config) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut headers: Vec<(String, Carries)> = Vec::new();
        let names_admins = names_admins(config);
        for (name, carries) in config.identity.all_headers() {
            let path = format!("identity.headers.\"{name}\"");
            if let Some(fault) =
                header_name::unfit(&name, &path, headers.iter().map(|(name, _)| name))
            {
                faults.push(fault);
                continue;
            }
            let carries = match carries.as_str() {
                "username" => Some(Carries::Username),
                // For every issuer, once admins are named for one: else the claim of another could say `admin`.
                "role" if names_admins => Some(Carries::Role),
                claim => field_of_claim(&path, claim, &mut faults)
                    .map(|field| Carries::Named(claim.to_owned(), Box::new(field))),
            };
            headers.extend(carries.map(|carries| (name, carries)));
        }
        if headers.is_empty() && faults.is_empty() {
            faults.push(Fault::warning(
                "identity.headers",
                "no header",
                "at least a header for the username",
                "without one, the application behind the proxy learns that a request may pass, but not who it is",
            ));
        }
        if names_admins && defines_role(config) {
            faults.push(Fault::new(
                "identity.fields.role",
                "a field named `role`, beside `admin_users` or `admin_groups`",
                "another name",
                "`role` says `admin` or `user` once somebody is named an admin",
            ));
        }
        let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let headers = Self {
            all: headers.into(),
            non_ascii: config.identity.non_ascii,
            max_value: bytes(config.identity.max_value_bytes),
            max_total: bytes(config.identity.max_total_bytes),
        };
        (headers, faults)
    }

    /// The names of the headers that every success carries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(name, _)| name.as_str())
    }

    /// The names, each with what it carries, as the configuration says it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Carries)> {
        self.all
            .iter()
            .map(|(name, carries)| (name.as_str(), carries))
    }

    /// A username as it may stand in a header.
    pub(super) fn username<'n>(&self, name: &'n str) -> Result<Cow<'n, str>, NoIdentity> {
        header_value::encode(name, self.non_ascii)
            .filter(|value| !value.is_empty() && value.len() <= MAX_USERNAME)
            .ok_or_else(|| Reason::IdentityUsername.into())
    }

    /// The value of a field as it may stand in a header; `None` when it may not.
    pub(super) fn text(&self, value: Value<'_>, field: &Field) -> Option<String> {
        let items = match value {
            Value::Absent => return Some(String::new()),
            Value::Text(text) if !field.filter.lets_pass(&text) => return Some(String::new()),
            Value::Text(text) if field.format != ListFormat::Json => {
                return self.item(&text).map(Cow::into_owned);
            }
            Value::Text(text) => vec![text],
            Value::List(mut items) => {
                items.retain(|item| field.filter.lets_pass(item));
                items
            }
        };
        let separator = match field.format {
            ListFormat::Comma => ',',
            ListFormat::Space => ' ',
            ListFormat::Json => return self.json(&items),
        };
        let mut joined = String::new();
        for (index, item) in items.iter().enumerate() {
            let item = self.item(item)?;
            // A separator inside, or an empty item, would read as other items than the issuer signed.
            if item.is_empty() || item.contains(separator) {
                return None;
            }
            if index > 0 {
                joined.push(separator);
            }
            joined.push_str(&item);
        }
        Some(joined)
    }

    fn item<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        header_value::encode(text, self.non_ascii)
    }

    /// A JSON list, with escapes for what is not ASCII (RFC 8259 §7).
    fn json(&self, items: &[Cow<'_, str>]) -> Option<String> {
        // The same texts are refused as elsewhere: those with control or invisible characters.
        let are_fit = items
            .iter()
            .all(|item| header_value::encode(item, self.fit()).is_some());
        let text = serde_json::to_string(items).ok().filter(|_| are_fit)?;
        let mut ascii = String::with_capacity(text.len());
        for character in text.chars() {
            if character.is_ascii() {
                ascii.push(character);
            } else {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    let _ = write!(ascii, "\\u{unit:04x}");
                }
            }
        }
        Some(ascii)
    }

    /// JSON can say every character in ASCII, so that none needs encoding.
    const fn fit(&self) -> NonAscii {
        match self.non_ascii {
            NonAscii::Refuse => NonAscii::Refuse,
            NonAscii::Percent | NonAscii::Utf8 => NonAscii::Utf8,
        }
    }

    /// Begins to collect values, with an eye on their size.
    pub(super) fn collect(&self) -> Values<'_> {
        Values {
            headers: self,
            total: 0,
            collected: Vec::with_capacity(self.all.len()),
        }
    }
}

/// Values of headers, collected one after the other. None is ever cut: half a list of groups would be another list.
pub(super) struct Values<'h> {
    headers: &'h Headers,
    total: usize,
    collected: Vec<Bytes>,
}

impl Values<'_> {
    /// Adds the value of a header.
    ///
    /// # Errors
    /// It is too large, or all of them are.
    pub(super) fn add(&mut self, header: &str, value: String) -> Result<(), NoIdentity> {
        let Headers {
            max_value,
            max_total,
            ..
        } = *self.headers;
        self.total = self.total.saturating_add(value.len());
        let detail = if value.len() > max_value {
            format!(
                "`{header}` takes {} bytes, and `identity.max_value_bytes` is {max_value}",
                value.len()
            )
        } else if self.total > max_total {
            format!(
                "the headers up to `{header}` take {} bytes, and `identity.max_total_bytes` is {max_total}",
                self.total
            )
        } else {
            // Without spare capacity, so that the cache's account of memory is true.
            self.collected
                .push(Bytes::from(value.into_boxed_str().into_boxed_bytes()));
            return Ok(());
        };
        Err(NoIdentity {
            reason: Reason::IdentityTooLarge,
            detail: Some(detail.into()),
        })
    }

    /// All of them.
    pub(super) fn finish(self) -> Box<[Bytes]> {
        self.collected.into()
    }
}

fn names_admins(config: &Config) -> bool {
    let issuers = config.issuers.values().map(|table| &table.access);
    std::iter::once(&config.access)
        .chain(issuers)
        .any(|access| access.admin_users.is_some() || access.admin_groups.is_some())
}

fn defines_role(config: &Config) -> bool {
    let issuers = config.issuers.values().map(|table| &table.fields);
    std::iter::once(&config.identity.fields)
        .chain(issuers)
        .any(|fields| fields.contains_key("role"))
}
