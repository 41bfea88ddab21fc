//! The identity headers: their names, what each carries, and how much they may hold.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::schema::nearest;
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
    names_admins: bool,
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
        let carries_role = headers
            .iter()
            .any(|(_, carries)| matches!(carries, Carries::Role));
        if names_admins && !carries_role {
            faults.push(Fault::warning(
                "access.admin_users, access.admin_groups",
                "admins, and no header that carries `role`",
                "a header that says who is one",
                "for example `[identity.headers]` with `X-Auth-Role = \"role\"`",
            ));
        }
        judge_names(config, &headers, names_admins, &mut faults);
        let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let headers = Self {
            all: headers.into(),
            non_ascii: config.identity.non_ascii,
            max_value: bytes(config.identity.max_value_bytes),
            max_total: bytes(config.identity.max_total_bytes),
            names_admins,
        };
        (headers, faults)
    }

    /// The names of the headers that every success carries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(name, _)| name.as_str())
    }

    /// Whether anybody is named an admin.
    pub(super) const fn name_admins(&self) -> bool {
        self.names_admins
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
            Value::Text(text) if !field.is_list => return self.item(&text).map(Cow::into_owned),
            Value::Text(text) if text.is_empty() => return Some(String::new()),
            Value::Text(text) => vec![text],
            Value::List(mut items) => {
                items.retain(|item| field.filter.lets_pass(item));
                items
            }
        };
        let separator = match field.format {
            ListFormat::Comma => b',',
            ListFormat::Space => b' ',
            ListFormat::Json => return self.json(&items),
        };
        let separated = items.iter().map(|item| item.len() + 1);
        let mut joined = String::with_capacity(separated.sum());
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                joined.push(char::from(separator));
            }
            // A separator inside, or an empty item, would read as other items than the issuer signed.
            if item.is_empty() {
                return None;
            } else if header_value::is_plain(item, separator) {
                joined.push_str(item);
                continue;
            }
            let item = self.item(item)?;
            if item.as_bytes().contains(&separator) {
                return None;
            }
            joined.push_str(&item);
        }
        Some(joined)
    }

    fn item<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        header_value::encode(text, self.non_ascii)
    }

    /// Whether none of these texts holds a control or an invisible character, or others that are refused.
    pub(super) fn are_fit(&self, texts: &[&str]) -> bool {
        texts
            .iter()
            .all(|text| header_value::encode(text, self.fit()).is_some())
    }

    /// A JSON list, with escapes for what is not ASCII (RFC 8259 §7).
    fn json(&self, items: &[Cow<'_, str>]) -> Option<String> {
        // The same texts are refused as elsewhere: those with control or invisible characters.
        let texts: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
        if !self.are_fit(&texts) {
            return None;
        }
        let text = serde_json::to_string(items).ok()?;
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

/// Fields that rules, `[access]` and `/userinfo` ask for.
const KNOWN: [&str; 5] = ["email", "groups", "name", "scopes", "username"];

/// Names that are probably not what they look like.
fn judge_names(
    config: &Config,
    headers: &[(String, Carries)],
    names_admins: bool,
    faults: &mut Vec<Fault>,
) {
    let carried = |name: &str| {
        headers
            .iter()
            .any(|(_, carries)| matches!(carries, Carries::Named(own, _) if own == name))
    };
    if !names_admins && carried("role") && !defines_role(config) {
        faults.push(Fault::warning(
            "identity.headers",
            "a header that carries `role`, and nobody is named an admin",
            "`admin_users` or `admin_groups` in `[access]`, or another name",
            "as it is, the header carries the claim `role`: for that write the JSON Pointer `/role`",
        ));
    }
    let issuers = config.issuers.iter();
    let tables = issuers.map(|(name, table)| (format!("issuers.{name}.fields"), &table.fields));
    let all =
        std::iter::once(("identity.fields".to_owned(), &config.identity.fields)).chain(tables);
    for (path, fields) in all {
        for name in fields.keys() {
            if KNOWN.contains(&name.as_str()) || carried(name) || name == "role" {
                continue;
            }
            let near = nearest(name, KNOWN.into_iter());
            faults.push(Fault::warning(
                format!("{path}.{name}"),
                "a field that no header carries",
                "a field of a header, or one of those that rules ask for",
                near.map_or_else(
                    || format!("add a header: `[identity.headers]` with `X-Auth-Something = \"{name}\"`"),
                    |near| format!("did you mean `{near}`?"),
                ),
            ));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FieldTable;
    use serde_json::json;

    fn headers(non_ascii: NonAscii) -> Headers {
        let mut config = Config::default();
        config.identity.non_ascii = non_ascii;
        let (headers, faults) = Headers::compile(&config);
        assert_eq!(faults, []);
        headers
    }

    /// What stands in a header for a text or a list; `None`: the request is refused.
    #[track_caller]
    fn shown(
        non_ascii: NonAscii,
        table: &serde_json::Value,
        value: &serde_json::Value,
    ) -> Option<String> {
        let mut table: FieldTable = serde_json::from_value(table.clone()).unwrap();
        table.claim = Some("a".into());
        let mut faults = Vec::new();
        let field = Field::compile("fields.x", &table, &mut faults).unwrap();
        assert_eq!(faults, []);
        let text = |value: &serde_json::Value| Cow::Owned(value.as_str().unwrap().to_owned());
        let value = match value {
            serde_json::Value::Null => Value::Absent,
            serde_json::Value::Array(items) => Value::List(items.iter().map(text).collect()),
            one => Value::Text(text(one)),
        };
        headers(non_ascii).text(value, &field)
    }

    const MODES: [NonAscii; 3] = [NonAscii::Percent, NonAscii::Utf8, NonAscii::Refuse];

    #[track_caller]
    fn stands(format: &str, value: &serde_json::Value, expected: Option<&str>) {
        for mode in MODES {
            let found = shown(mode, &json!({ "format": format }), value);
            assert_eq!(found.as_deref(), expected, "{format} {value} {mode:?}");
        }
    }

    #[test]
    fn no_item_reads_as_two_and_none_is_lost() {
        for (value, comma, space, list) in [
            (
                json!(["a", "b"]),
                Some("a,b"),
                Some("a b"),
                Some(r#"["a","b"]"#),
            ),
            (json!(["a,b"]), None, Some("a,b"), Some(r#"["a,b"]"#)),
            (json!(["a b"]), Some("a b"), None, Some(r#"["a b"]"#)),
            (json!(["x", "a, b"]), None, None, Some(r#"["x","a, b"]"#)),
            (json!([","]), None, Some(","), Some(r#"[","]"#)),
            (json!([""]), None, None, Some(r#"[""]"#)),
            (json!(["a", ""]), None, None, Some(r#"["a",""]"#)),
            (json!(["", "a"]), None, None, Some(r#"["","a"]"#)),
            (json!([]), Some(""), Some(""), Some("[]")),
            (
                json!(["a", "a"]),
                Some("a,a"),
                Some("a a"),
                Some(r#"["a","a"]"#),
            ),
            (
                json!(["\"],[\""]),
                None,
                Some("\"],[\""),
                Some(r#"["\"],[\""]"#),
            ),
            (
                json!(["a\\b"]),
                Some("a\\b"),
                Some("a\\b"),
                Some(r#"["a\\b"]"#),
            ),
            (json!(null), Some(""), Some(""), Some("")),
            (json!("a"), Some("a"), Some("a"), Some(r#"["a"]"#)),
            (json!(""), Some(""), Some(""), Some("")),
        ] {
            stands("comma", &value, comma);
            stands("space", &value, space);
            stands("json", &value, list);
        }
    }

    #[test]
    fn control_and_invisible_characters_are_refused_in_every_format_and_mode() {
        for text in [
            "a\nb",
            "a\r\nX: y",
            "\0",
            "a\tb",
            "a\u{7f}",
            "a\u{85}",
            "\u{1b}[0m",
            "a\u{ad}b",
            "a\u{200b}",
            "\u{202e}a",
            "a\u{2028}b",
            "\u{feff}a",
            "a\u{2066}b",
            "a\u{e0041}",
            " a",
            "a ",
            "\u{a0}a",
            "a\u{3000}",
            " ",
        ] {
            for format in ["comma", "space", "json"] {
                stands(format, &json!(text), None);
                stands(format, &json!(["x", text]), None);
            }
        }
    }

    #[test]
    fn other_alphabets_follow_the_mode_and_a_json_list_escapes_them() {
        use NonAscii::{Percent, Refuse, Utf8};
        for (mode, format, value, expected) in [
            (Percent, "comma", json!(["\u{e9}", "b"]), Some("%C3%A9,b")),
            (Utf8, "comma", json!(["\u{e9}", "b"]), Some("\u{e9},b")),
            (Refuse, "comma", json!(["\u{e9}", "b"]), None),
            (Percent, "space", json!("\u{1f600}"), Some("%F0%9F%98%80")),
            (
                Percent,
                "json",
                json!(["\u{e9}", "\u{1f600}"]),
                Some(r#"["\u00e9","\ud83d\ude00"]"#),
            ),
            (
                Utf8,
                "json",
                json!(["\u{e9}", "\u{1f600}"]),
                Some(r#"["\u00e9","\ud83d\ude00"]"#),
            ),
            (Refuse, "json", json!(["\u{e9}"]), None),
            // A blank of another alphabet is no separator here; for whoever reads bytes it is none either.
            (Percent, "space", json!(["a\u{3000}b"]), Some("a%E3%80%80b")),
            (Percent, "comma", json!(["a\u{ff0c}b"]), Some("a%EF%BC%8Cb")),
            // An encoded separator and a literal one never meet.
            (Percent, "comma", json!(["a%2Cb"]), Some("a%252Cb")),
            (Percent, "comma", json!(["\u{e9},b"]), None),
            (Utf8, "comma", json!(["a%2Cb"]), Some("a%2Cb")),
            (Percent, "json", json!(["a%2Cb"]), Some(r#"["a%2Cb"]"#)),
            (Percent, "json", json!([r"\u00e9"]), Some(r#"["\\u00e9"]"#)),
        ] {
            let found = shown(mode, &json!({ "format": format }), &value);
            assert_eq!(found.as_deref(), expected, "{mode:?} {format} {value}");
        }
    }

    #[test]
    fn a_filter_takes_items_away_before_they_are_judged_and_joined() {
        let staff = json!({ "only": ["staff", "a,b"], "only_prefix": ["s", "a"], "only_matching": ".{3,5}" });
        for (value, expected) in [
            (json!(["x", "staff", "y"]), Some("staff")),
            (json!(["x"]), Some("")),
            (json!("staff"), Some("staff")),
            (json!("x"), Some("")),
            (json!("x\n"), Some("")),
            (json!(["a\nb", "", "x,y", "staff"]), Some("staff")),
            (json!(["staff", "a,b"]), None),
            (json!(null), Some("")),
        ] {
            let found = shown(NonAscii::Percent, &staff, &value);
            assert_eq!(found.as_deref(), expected, "{value}");
        }
        let json_list = json!({ "only": "staff", "format": "json" });
        let found = shown(NonAscii::Utf8, &json_list, &json!(["x", "staff"]));
        assert_eq!(found.as_deref(), Some(r#"["staff"]"#));
        let found = shown(NonAscii::Utf8, &json_list, &json!(["x"]));
        assert_eq!(found.as_deref(), Some("[]"));
    }

    // `"groups": "staff,admins"` is one group to every rule. Some issuers write a list of one item as a text (AD FS).
    #[test]
    fn a_single_text_in_a_list_field_reads_as_one_item() {
        stands("comma", &json!("staff,admins"), None);
        stands("comma", &json!("staff admins"), Some("staff admins"));
        stands("space", &json!("staff admins"), None);
        stands("space", &json!("staff,admins"), Some("staff,admins"));
        for table in [json!({ "merge": true }), json!({ "split": true })] {
            let found = shown(NonAscii::Percent, &table, &json!("staff,admins"));
            assert_eq!(found, None, "{table}");
        }
        let found = shown(NonAscii::Percent, &json!({}), &json!("staff,admins"));
        assert_eq!(found.as_deref(), Some("staff,admins"), "no list");
    }
}
