//! Answers as Envoy's `CheckResponse`.

use bytes::Bytes;
use envoy_types::ext_authz::v3::pb::{
    CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue, HeaderValueOption,
    HttpResponse as Said, HttpStatus, OkHttpResponse,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{ListValue, Struct, Value};
use envoy_types::pb::google::rpc;
use tonic::Code;

use crate::gate::Permit;
use crate::server::forwarded::attributes::AttributeLines;
use crate::server::live::Live;
use crate::server::reply::Reply;
use crate::server::respond;
use crate::server::spelling::{is_alias, underscored};

/// The request may pass: identity headers replace what a client sent, and what it sent under another spelling is removed.
pub(super) fn allow(
    live: &Live,
    permit: &Permit,
    lines: AttributeLines<'_>,
    claims: Option<serde_json::Map<String, serde_json::Value>>,
) -> CheckResponse {
    let Some(identity) = respond::identity_lines(live, permit) else {
        return deny(&respond::internal());
    };
    let mut ok = OkHttpResponse::default();
    for (name, value) in &identity {
        // Envoy does not keep empty values, so a header without one is removed instead.
        if value.is_empty() {
            ok.headers_to_remove.push((*name).to_owned());
        } else {
            let action = HeaderAppendAction::OverwriteIfExistsOrAdd;
            ok.headers.push(line(name, value, action));
        }
        // What many applications read as the same name (CGI and its heirs). Envoy removes after it has set.
        let alias = underscored(name);
        if alias != *name {
            ok.headers_to_remove.push(alias);
        }
    }
    for (name, _) in lines.all() {
        if identity.iter().any(|(own, _)| is_alias(own, name)) {
            ok.headers_to_remove.push(name.to_owned());
        }
    }
    CheckResponse {
        status: Some(status(Code::Ok)),
        dynamic_metadata: claims.map(fields),
        http_response: Some(Said::OkResponse(ok)),
    }
}

/// The request may not pass: the same status, headers and body as over HTTP.
pub(super) fn deny(reply: &Reply) -> CheckResponse {
    let code = match reply.status.as_u16() {
        500.. => Code::Unavailable,
        302 | 401 => Code::Unauthenticated,
        _ => Code::PermissionDenied,
    };
    let mut named: Vec<&str> = Vec::new();
    let mut headers = Vec::new();
    for (name, value) in &reply.headers {
        let action = if named.contains(name) {
            HeaderAppendAction::AppendIfExistsOrAdd
        } else {
            HeaderAppendAction::OverwriteIfExistsOrAdd
        };
        named.push(name);
        headers.push(line(name, value, action));
    }
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus {
            code: i32::from(reply.status.as_u16()),
        }),
        headers,
        body: String::from_utf8_lossy(&reply.body).into_owned(),
    };
    CheckResponse {
        status: Some(status(code)),
        dynamic_metadata: None,
        http_response: Some(Said::DeniedResponse(denied)),
    }
}

fn status(code: Code) -> rpc::Status {
    rpc::Status {
        code: code.into(),
        ..rpc::Status::default()
    }
}

fn line(name: &str, value: &Bytes, action: HeaderAppendAction) -> HeaderValueOption {
    let mut header = HeaderValue {
        key: name.to_owned(),
        ..HeaderValue::default()
    };
    match std::str::from_utf8(value) {
        Ok(text) => text.clone_into(&mut header.value),
        Err(_) => header.raw_value = value.to_vec(),
    }
    HeaderValueOption {
        header: Some(header),
        append_action: action.into(),
        ..HeaderValueOption::default()
    }
}

fn fields(members: serde_json::Map<String, serde_json::Value>) -> Struct {
    Struct {
        fields: members
            .into_iter()
            .map(|(name, value)| (name, metadata(value)))
            .collect(),
    }
}

fn metadata(value: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Bool(is) => Kind::BoolValue(is),
        // Protobuf knows only these numbers; so does JavaScript.
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Json::String(text) => Kind::StringValue(text),
        Json::Array(items) => Kind::ListValue(ListValue {
            values: items.into_iter().map(metadata).collect(),
        }),
        Json::Object(members) => Kind::StructValue(fields(members)),
    };
    Value { kind: Some(kind) }
}
