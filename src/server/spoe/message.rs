//! What HAProxy sends: `args method=method target=pathq headers=req.hdrs_bin client=src tls=ssl_fc`.

use std::net::{IpAddr, SocketAddr};

use spop::TypedData;
use spop::decode_varint;
use spop::frame::FramePayload;

use crate::server::forwarded::message::MessageLines;

/// The message that asks about a request.
const MESSAGE: &str = "check";

/// A request that HAProxy asks about.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) client: Option<SocketAddr>,
    pub(super) is_tls: bool,
    /// Names and values, as HAProxy packs them. Any bytes may stand there.
    headers: Vec<u8>,
}

impl Question {
    /// Reads it; `None` where it is not one question with all its parts.
    pub(super) fn of(payload: &FramePayload<'_>) -> Option<Self> {
        let FramePayload::ListOfMessages([message]) = payload else {
            return None;
        };
        if message.name != MESSAGE {
            return None;
        }
        let text = |name: &str| match message.get(name)? {
            TypedData::String(text) => Some(text.clone()),
            _ => None,
        };
        let headers = match message.get("headers")? {
            TypedData::Binary(bytes) => bytes.clone(),
            _ => return None,
        };
        // Judged here once, so that nobody sees half of them.
        unpacked(&headers)?;
        let client: Option<IpAddr> = match message.get("client") {
            Some(TypedData::IPv4(address)) => Some((*address).into()),
            Some(TypedData::IPv6(address)) => Some((*address).into()),
            _ => None,
        };
        Some(Self {
            method: text("method")?,
            target: text("target")?,
            client: client.map(|address| (address, 0).into()),
            is_tls: matches!(message.get("tls")?, TypedData::Bool(true)),
            headers,
        })
    }

    pub(super) fn lines(&self) -> MessageLines<'_> {
        MessageLines(unpacked(&self.headers).unwrap_or_default())
    }
}

/// Pairs of strings with their lengths in front, and two empty ones at the end.
fn unpacked(mut rest: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut lines = Vec::new();
    loop {
        let (name, behind) = string(rest)?;
        let (value, behind) = string(behind)?;
        if name.is_empty() {
            let is_end = value.is_empty() && behind.is_empty();
            return is_end.then_some(lines);
        }
        lines.push((name, value));
        rest = behind;
    }
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, length) = decode_varint(bytes).ok()?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_lines_are_read_whole_or_not_at_all() {
        let long = "x".repeat(300);
        let mut packed = Vec::new();
        for text in ["cookie", "a=1", "x", &long, "", ""] {
            spop::encode_varint_into(text.len() as u64, &mut packed);
            packed.extend_from_slice(text.as_bytes());
        }
        let lines = unpacked(&packed).unwrap();
        assert_eq!(
            lines,
            [(&b"cookie"[..], &b"a=1"[..]), (b"x", long.as_bytes())]
        );
        for end in 0..packed.len() {
            assert_eq!(unpacked(&packed[..end]), None, "{end}");
        }
        packed.push(0);
        assert_eq!(unpacked(&packed), None);
    }
}
