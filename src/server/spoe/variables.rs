//! What HAProxy is told: `status`, and one variable for each header line, named like it with underscores for hyphens.

use bytes::Bytes;
use spop::TypedData;
use spop::actions::VarScope;
use spop::frames::Ack;

use crate::gate::Permit;
use crate::server::live::Live;
use crate::server::reply::Reply;
use crate::server::respond;
use crate::server::spelling::underscored;

/// Names and values.
pub(super) type Variables = Vec<(String, TypedData)>;

/// The request may pass: 200, and the identity.
pub(super) fn of_permit(live: &Live, permit: &Permit) -> Variables {
    let Some(identity) = respond::identity_lines(live, permit) else {
        return of_reply(&respond::internal());
    };
    let status = ("status".to_owned(), TypedData::UInt32(200));
    let lines = identity.iter().map(|(name, value)| line(name, value));
    std::iter::once(status).chain(lines).collect()
}

/// The request may not pass: status, headers and body of the answer.
pub(super) fn of_reply(reply: &Reply) -> Variables {
    let status = TypedData::UInt32(reply.status.as_u16().into());
    let status = ("status".to_owned(), status);
    let lines = reply.headers.iter().map(|(name, value)| line(name, value));
    let body = ("body".to_owned(), text(&reply.body));
    std::iter::once(status).chain(lines).chain([body]).collect()
}

/// Room for what a frame and each of its actions need beside names and values.
const OVERHEAD: usize = 32;

/// Puts them into the answer. They live as long as the request. Where they do not fit into a frame of the size agreed upon, nobody passes
/// and HAProxy is told no more: a frame that cannot be sent would end the connection, and everybody's checks on it.
pub(super) fn put(ack: Ack, variables: Variables, max_frame_bytes: usize) -> Ack {
    let sizes = variables
        .iter()
        .map(|(name, value)| OVERHEAD + name.len() + value.serialized_len());
    let variables = if OVERHEAD + sizes.sum::<usize>() > max_frame_bytes {
        of_reply(&respond::internal())
    } else {
        variables
    };
    variables.into_iter().fold(ack, |ack, (name, value)| {
        ack.set_var(VarScope::Transaction, &name, value)
    })
}

fn line(name: &str, value: &Bytes) -> (String, TypedData) {
    (underscored(name), text(value))
}

fn text(value: &Bytes) -> TypedData {
    match std::str::from_utf8(value) {
        Ok(text) => TypedData::String(text.to_owned()),
        Err(_) => TypedData::Binary(value.to_vec()),
    }
}
