//! JSON, read strictly (RFC 8259, RFC 7519 §4): one value, nothing behind it, no member twice, strings borrowed where possible.
//!
//! The parser is `serde_json`: it bounds the depth (128), refuses invalid UTF-8, lone surrogates, raw control characters, NaN and
//! numbers out of range. What it would let pass, and we refuse, is a second member of the same name: it must not be that one
//! component reads the first and another the last.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value whose strings borrow from the text where they hold no escape.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Cow<'a, str>),
    /// A list.
    Array(Vec<Json<'a>>),
    /// An object, whose members have different names.
    Object(Object<'a>),
}

/// A JSON number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number from 0 to 2⁶⁴−1.
    Unsigned(u64),
    /// A whole number below 0.
    Negative(i64),
    /// Any other number; finite.
    Float(f64),
}

/// The members of a JSON object in the order of the text, no name twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// The text was not one strict JSON value.
#[derive(Debug, thiserror::Error)]
pub enum NotJson {
    /// The grammar of RFC 8259, or a member name twice.
    #[error("not one JSON value with unique member names: {0}")]
    Syntax(#[from] serde_json::Error),
    /// The encoding (RFC 8259 §8.1).
    #[error("not UTF-8: {0}")]
    Encoding(#[from] std::str::Utf8Error),
}

impl<'a> Json<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// What RFC 8259 does not allow, text behind the value, nesting deeper than 128, a member name twice in one object.
    pub fn parse(text: &'a [u8]) -> Result<Self, NotJson> {
        // Checked as a whole once, which is cheaper than string by string.
        let text = std::str::from_utf8(text)?;
        Ok(serde_json::from_str(text)?)
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The same as a value that owns its text. Numbers that are not finite do not exist here.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(is) => Value::from(*is),
            Self::Number(Number::Unsigned(number)) => Value::from(*number),
            Self::Number(Number::Negative(number)) => Value::from(*number),
            Self::Number(Number::Float(number)) => Value::from(*number),
            Self::String(text) => Value::from(text.as_ref()),
            Self::Array(items) => items.iter().map(Json::to_value).collect(),
            Self::Object(object) => object
                .members()
                .map(|(name, value)| (name.to_owned(), value.to_value()))
                .collect(),
        }
    }

    /// The object, if it is one.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl<'a> Object<'a> {
    /// The member with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
    }

    /// Every member, in the order of the text.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

/// Objects up to this size look for a repeated name pair by pair; larger ones sort, so that 5,000 members cost no 25 million
/// comparisons.
const PAIRWISE: usize = 24;

fn has_repeated_name(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    if members.len() <= PAIRWISE {
        let mut rest = members.iter();
        while let Some((name, _)) = rest.next() {
            if rest.as_slice().iter().any(|(other, _)| other == name) {
                return true;
            }
        }
        return false;
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair.first() == pair.last())
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(Number::Unsigned(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(Number::Negative(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Json::Number(Number::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        if has_repeated_name(&members) {
            return Err(A::Error::custom("a member name stands twice in one object"));
        }
        Ok(Json::Object(Object(members)))
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member name")
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Borrowed(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn s5_2_what_is_no_strict_json_is_refused() {
        let refused: &[&[u8]] = &[
            b"",
            b"{} {}",
            b"{}x",
            b"\xEF\xBB\xBF{}",
            b"{\"a\":NaN}",
            b"{\"a\":Infinity}",
            b"{'a':1}",
            b"{\"a\":1}//",
            b"{\"a\":\"\x01\"}",
            b"{\"a\":\"\xFF\"}",
            b"{\"a\":\"\xC0\xAF\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":1e999999999}",
            b"{\"a\":1,}",
            b"{\"a\":01}",
        ];
        for text in refused {
            assert!(
                Json::parse(text).is_err(),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
    }

    #[test]
    fn s5_3_a_member_twice_is_refused_also_through_escapes_and_deep_inside() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[{"y":{"a":1,"a":1}}]}"#,
        ] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        let mut large = String::from("{");
        for member in 0..1000 {
            let _ = write!(large, "\"member{member}\":0,");
        }
        assert!(Json::parse(format!("{large}\"last\":0}}").as_bytes()).is_ok());
        assert!(Json::parse(format!("{large}\"member500\":0}}").as_bytes()).is_err());
    }

    #[test]
    fn s5_6_deep_nesting_is_refused_without_recursion_on_its_depth() {
        let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
        assert!(Json::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let Json::Object(object) = Json::parse(br#"{"a":"b","c":"\n"}"#).unwrap() else {
            panic!("an object")
        };
        assert!(matches!(
            object.get("a"),
            Some(Json::String(Cow::Borrowed("b")))
        ));
        assert!(matches!(object.get("c"), Some(Json::String(Cow::Owned(_)))));
        assert_eq!(object.get("d"), None);
    }
}
