//! What is changed on a value on its way from the claim to the header, in a fixed order: small letters, up to the `@`, a captured part,
//! another name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::config::{Fault, FieldTable};
use crate::policy::FullMatch;

use super::field::Value;

/// The changes of a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Transform {
    lowercase: bool,
    until_at: bool,
    capture: Option<FullMatch>,
    map: BTreeMap<String, String>,
}

impl Transform {
    /// Compiles the changes. `path` names the field's table in faults.
    pub(super) fn compile(path: &str, table: &FieldTable, faults: &mut Vec<Fault>) -> Self {
        let pattern = table.capture.as_deref().filter(|text| !text.is_empty());
        let capture =
            pattern.and_then(
                |text| match FullMatch::compile(&format!("{path}.capture"), text) {
                    Ok(pattern) => Some(pattern),
                    Err(fault) => {
                        faults.push(fault);
                        None
                    }
                },
            );
        Self {
            lowercase: table.lowercase.unwrap_or(false),
            until_at: table.until_at.unwrap_or(false),
            capture,
            map: table.map.clone(),
        }
    }

    /// Changes a value: each item of a list for itself.
    pub(super) fn apply<'c>(&'c self, value: Value<'c>) -> Value<'c> {
        match value {
            Value::Absent => Value::Absent,
            Value::Text(text) => self.text(text).map_or(Value::Absent, Value::Text),
            Value::List(items) => Value::List(
                items
                    .into_iter()
                    .filter_map(|item| self.text(item))
                    .collect(),
            ),
        }
    }

    fn text<'c>(&'c self, mut text: Cow<'c, str>) -> Option<Cow<'c, str>> {
        if self.lowercase && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            text.to_mut().make_ascii_lowercase();
        }
        if self.until_at
            && let Some(at) = text.find('@')
        {
            text = part(text, |text| text.get(..at));
        }
        if let Some(pattern) = &self.capture {
            pattern.captured(&text)?;
            text = part(text, |text| pattern.captured(text));
        }
        match self.map.get(text.as_ref()) {
            Some(other) => Some(Cow::Borrowed(other)),
            None => Some(text),
        }
    }
}

/// A part of a text, without a copy where it is borrowed.
fn part(text: Cow<'_, str>, cut: impl FnOnce(&str) -> Option<&str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(cut(&text).unwrap_or_default().to_owned()),
    }
}
