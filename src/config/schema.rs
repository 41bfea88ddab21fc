//! The JSON Schema of the configuration, and judging values by it.
//!
//! The schema is generated from the section types. It is the one description of what may stand in a configuration: files and
//! environment variables are judged by it, all faults at once, and the reference is written from it.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Config, Fault};

/// The schema of a whole configuration, with every subschema inline.
#[must_use]
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let settings =
            SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        settings
            .into_generator()
            .into_root_schema_for::<Config>()
            .to_value()
    })
}

/// Judges `value` by `schema`, collects every fault, and removes what is at fault, so that the rest can still be judged further.
/// Returns whether the value itself may stay.
pub(super) fn judge(
    schema: &Value,
    value: &mut Value,
    path: &str,
    faults: &mut Vec<Fault>,
) -> bool {
    let before = faults.len();
    let schema = resolved(schema);
    match value {
        Value::Object(members) if schema.get("properties").is_some() => {
            members.retain(|name, member| {
                let path = join(path, name);
                match schema.pointer(&format!("/properties/{}", escape(name))) {
                    Some(_) if member.is_null() => {
                        faults.push(nothing(&path));
                        false
                    }
                    Some(property) => judge(property, member, &path, faults),
                    None => {
                        faults.push(unknown(schema, name, &path));
                        false
                    }
                }
            });
            true
        }
        Value::Object(members)
            if schema
                .get("additionalProperties")
                .is_some_and(Value::is_object) =>
        {
            let entry = schema.get("additionalProperties").unwrap_or(&Value::Null);
            members.retain(|name, member| {
                let path = join(path, name);
                if member.is_null() {
                    faults.push(nothing(&path));
                    return false;
                }
                judge(entry, member, &path, faults)
            });
            true
        }
        Value::Array(items) if accepts_lists(schema) => {
            let item_schema = item_schema(schema);
            let is_of_tables = list_of_tables(schema).is_some();
            for (index, item) in items.iter_mut().enumerate() {
                let may_stay = judge(item_schema, item, &format!("{path}[{index}]"), faults);
                if is_of_tables && !may_stay {
                    *item = Value::Object(serde_json::Map::new());
                }
            }
            is_of_tables || faults.len() == before
        }
        scalar if is_accepted(schema, scalar) => true,
        scalar => {
            faults.push(Fault::new(
                path,
                found(schema, scalar),
                expectation(schema),
                hint(schema, scalar),
            ));
            false
        }
    }
}

/// What a schema accepts, in words.
#[must_use]
pub fn expectation(schema: &Value) -> String {
    let options = enumeration(schema);
    if !options.is_empty() {
        return format!("one of `{}`", options.join("`, `"));
    }
    if let Some(alternatives) = alternatives(schema) {
        let words: Vec<_> = alternatives.into_iter().map(expectation).collect();
        return words.join(" or ");
    }
    if format_of(schema) == Some("duration") {
        return "a length of time such as \"30s\", \"5m\" or \"1h\"".to_owned();
    }
    match kind(schema) {
        "string" => "a string".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "number" => "a number".to_owned(),
        "integer" => match (bound(schema, "minimum"), bound(schema, "maximum")) {
            (Some(low), Some(high)) => format!("a whole number from {low} to {high}"),
            _ => "a whole number, 0 or more".to_owned(),
        },
        "array" if list_of_tables(schema).is_some() => "a list of tables".to_owned(),
        "array" => {
            let items = item_schema(schema);
            let options = enumeration(items);
            if options.is_empty() && kind(items) == "string" && alternatives(items).is_some() {
                "a list of strings, numbers or truth values".to_owned()
            } else if options.is_empty() {
                "a list of strings".to_owned()
            } else {
                format!("a list of `{}`", options.join("`, `"))
            }
        }
        _ => "a table".to_owned(),
    }
}

/// The schema of the tables in a table of tables, such as `[issuers]`.
pub(super) fn tables_of(schema: &Value) -> Option<&Value> {
    let table = schema.get("additionalProperties")?;
    table.get("properties").is_some().then_some(table)
}

/// The schema of the tables in a list of tables, such as `[[rules]]`.
pub(super) fn list_of_tables(schema: &Value) -> Option<&Value> {
    let table = resolved(resolved(schema).get("items")?);
    table.get("properties").is_some().then_some(table)
}

/// Whether a single value, or a list of such, may stand here, which an environment variable can give.
pub(super) fn is_value(schema: &Value) -> bool {
    kind(schema) != "object" && list_of_tables(schema).is_none()
}

/// A schema that refers to another one, or wraps the one of an optional table: that one.
pub(super) fn resolved(mut schema: &Value) -> &Value {
    loop {
        let inner = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => self::schema().pointer(reference.trim_start_matches('#')),
            None => match alternatives(schema).as_deref() {
                Some([only]) => Some(*only),
                _ => None,
            },
        };
        match inner {
            Some(inner) if schema.get("properties").is_none() => schema = inner,
            _ => return schema,
        }
    }
}

/// The type of a schema, `null` left out; of several, the first.
pub(super) fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or("object"),
        _ if !enumeration(schema).is_empty() => "string",
        _ => match alternatives(schema).as_deref() {
            Some([first, ..]) => kind(first),
            _ => "object",
        },
    }
}

/// Whether a list may stand here.
pub(super) fn accepts_lists(schema: &Value) -> bool {
    kind(schema) == "array"
        || alternatives(schema).is_some_and(|all| all.into_iter().any(accepts_lists))
}

/// Whether the value must not be shown.
pub(super) fn is_secret(schema: &Value) -> bool {
    schema.get("writeOnly") == Some(&Value::Bool(true))
        || alternatives(schema).is_some_and(|all| all.into_iter().any(is_secret))
}

/// The name among `known` that is closest to `name`, if any is close.
#[must_use]
pub fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= 2 + known.len() / 5)
        .min()
        .map(|(_, known)| known)
}

/// The names that a table knows.
pub(super) fn names(schema: &Value) -> impl Iterator<Item = &str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
}

fn unknown(known: &Value, name: &str, path: &str) -> Fault {
    let table = path.rsplit_once('.').map(|(table, _)| table);
    let is_of_top_level = || names(schema()).any(|known| known == name);
    let hint = match (not_here(name), nearest(name, names(known)), table) {
        (Some(hint), ..) => hint.to_owned(),
        (None, _, Some(table)) if is_of_top_level() => {
            format!(
                "`{name}` is a key of the top level: move it above `[{table}]`; a table goes on until the next one"
            )
        }
        (None, Some(near), _) => format!("did you mean `{near}`?"),
        (None, None, _) => "`jwtgate config reference` lists every key".to_owned(),
    };
    Fault::new(path, format!("a key named `{name}`"), "a known key", hint)
}

/// A key without a value, as YAML and JSON can have it: nobody can tell whether it was meant to be empty or to be left out, and a limit
/// that a template left empty must not be none.
fn nothing(path: &str) -> Fault {
    Fault::new(
        path,
        "a key without a value",
        "a value",
        "give it one, or remove the key",
    )
}

/// Names that people may expect, from the package that this one replaces or from others, and what to do instead.
fn not_here(name: &str) -> Option<&'static str> {
    match name {
        "create_system_users" => {
            Some("it concerns JupyterHub's own users: set it in jupyterhub_config.py")
        }
        "jwks_uri" => Some("it is called `jwks_url` here"),
        "discovery" => Some("it is the default: give `issuer` and no other source of keys"),
        _ => None,
    }
}

fn is_accepted(schema: &Value, value: &Value) -> bool {
    let options = enumeration(schema);
    if !options.is_empty() {
        return value.as_str().is_some_and(|text| options.contains(&text));
    }
    if let Some(alternatives) = alternatives(schema) {
        return alternatives.into_iter().any(|one| is_accepted(one, value));
    }
    match (kind(schema), value) {
        ("string", Value::String(text)) => {
            format_of(schema) != Some("duration") || super::value::parse_span(text).is_some()
        }
        ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => number.as_u64().is_some_and(|number| {
            bound(schema, "minimum").is_none_or(|low| number >= low)
                && bound(schema, "maximum").is_none_or(|high| number <= high)
        }),
        _ => false,
    }
}

fn found(schema: &Value, value: &Value) -> String {
    if is_secret(schema) {
        return match value {
            Value::String(_) => "a string".to_owned(),
            _ => "something that is no string".to_owned(),
        };
    }
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        other => format!("`{other}`"),
    }
}

fn hint(schema: &Value, value: &Value) -> String {
    let near = value
        .as_str()
        .and_then(|text| nearest(text, enumeration(schema).into_iter()));
    match (kind(schema), value) {
        ("array", Value::String(text)) => format!("write it as a list: [\"{text}\"]"),
        ("string", Value::Number(number)) if format_of(schema) == Some("duration") => {
            format!("write the unit: \"{number}s\"")
        }
        ("string", Value::Number(_) | Value::Bool(_)) => "put it in quotes".to_owned(),
        ("integer", Value::String(text)) if text.parse::<u64>().is_ok() => {
            "write it without quotes".to_owned()
        }
        ("boolean", Value::String(text)) if text.parse::<bool>().is_ok() => {
            "write it without quotes".to_owned()
        }
        _ => match (near, schema.get("default")) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(default)) if !default.is_null() => format!("the default is {default}"),
            (None, _) => "`jwtgate config reference` explains it".to_owned(),
        },
    }
}

/// The strings of an enumeration, whether written as `enum` or as `oneOf` constants.
pub(super) fn enumeration(schema: &Value) -> Vec<&str> {
    if let Some(Value::Array(options)) = schema.get("enum") {
        return options.iter().filter_map(Value::as_str).collect();
    }
    if let Some(Value::Array(options)) = schema.get("oneOf") {
        let constants = options
            .iter()
            .filter_map(|option| option.get("const").and_then(Value::as_str));
        return constants.collect();
    }
    match alternatives(schema).as_deref() {
        Some([only]) => enumeration(only),
        _ => Vec::new(),
    }
}

/// The members of `anyOf` that are not `null`.
fn alternatives(schema: &Value) -> Option<Vec<&Value>> {
    let any_of = schema.get("anyOf")?.as_array()?;
    let is_null = |one: &&Value| one.get("type").and_then(Value::as_str) == Some("null");
    Some(any_of.iter().filter(|one| !is_null(one)).collect())
}

fn item_schema(schema: &Value) -> &Value {
    if let Some(items) = schema.get("items") {
        return resolved(items);
    }
    alternatives(schema)
        .into_iter()
        .flatten()
        .find(|one| accepts_lists(one))
        .map_or(&Value::Null, item_schema)
}

fn format_of(schema: &Value) -> Option<&str> {
    schema
        .get("format")
        .and_then(Value::as_str)
        .or_else(|| match alternatives(schema).as_deref() {
            Some([only]) => format_of(only),
            _ => None,
        })
}

fn bound(schema: &Value, name: &str) -> Option<u64> {
    schema.get(name).and_then(Value::as_u64)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(mut value: Value) -> (Value, Vec<Fault>) {
        let mut faults = Vec::new();
        judge(schema(), &mut value, "", &mut faults);
        (value, faults)
    }

    #[test]
    fn the_default_configuration_is_accepted() {
        let (_, faults) = faults(json!({
            "secret": "x", "algorithms": "HS256", "expected_audience": ["a", "b"], "leeway": "1m",
            "token_sources": ["cookie"], "on_multiple_tokens": "reject", "max_lifetime": "1h",
            "server": { "listen": "127.0.0.1:0", "workers": 2, "original_request": "uri" },
            "identity": { "headers": { "X-A": "b" }, "non_ascii": "utf8" },
        }));
        assert_eq!(faults, []);
    }

    #[test]
    fn all_faults_come_at_once_each_with_its_path_and_a_hint() {
        let (left, faults) = faults(json!({
            "expected_audiense": "a", "leeway": 30, "require_exp": "yes", "token_sources": "header",
            "on_multiple_tokens": "frist", "create_system_users": true,
            "server": { "workers": 0, "listem": "x", "trusted_proxies": ["a", 7] },
        }));
        let told: Vec<_> = faults
            .iter()
            .map(|fault| (fault.path.as_str(), fault.hint.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("expected_audiense", "did you mean `expected_audience`?"),
                ("leeway", "write the unit: \"30s\""),
                ("require_exp", "the default is true"),
                ("token_sources", "write it as a list: [\"header\"]"),
                ("on_multiple_tokens", "did you mean `first`?"),
                (
                    "create_system_users",
                    "it concerns JupyterHub's own users: set it in jupyterhub_config.py"
                ),
                ("server.workers", "`jwtgate config reference` explains it"),
                ("server.listem", "did you mean `listen`?"),
                ("server.trusted_proxies[1]", "put it in quotes"),
            ]
        );
        assert_eq!(left, json!({ "server": {} }));
    }

    #[test]
    fn s17_1_a_secret_of_the_wrong_type_is_not_shown() {
        let (_, faults) = faults(json!({ "secret": 123_456_789 }));
        assert!(!faults[0].to_string().contains("123"));
    }
}
