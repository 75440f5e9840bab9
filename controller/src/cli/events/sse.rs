//! Server-sent events: text that comes in lines, with an empty one after each message.

use std::time::Duration;

use http_body_util::BodyExt as _;

use crate::cli::client::Opened;

/// The controller says something every 15 s; without a word for this long it is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// A message is an event, and an event is small.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// One message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) data: String,
}

/// Messages as they come.
pub(super) struct Stream {
    opened: Opened,
    received: Vec<u8>,
}

impl Stream {
    pub(super) const fn new(opened: Opened) -> Self {
        Self {
            opened,
            received: Vec::new(),
        }
    }

    /// The next message; `None` when nothing more will come.
    pub(super) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = cut(&mut self.received) {
                return Some(message);
            }
            if self.received.len() > MAX_MESSAGE_BYTES {
                return None;
            }
            let frame = tokio::time::timeout(SILENCE, self.opened.body.frame());
            let data = frame.await.ok()??.ok()?.into_data();
            self.received.extend_from_slice(&data.unwrap_or_default());
        }
    }
}

/// Takes a whole message off the front.
fn cut(received: &mut Vec<u8>) -> Option<Message> {
    let end = received.windows(2).position(|pair| pair == b"\n\n")?;
    let rest = received.split_off(end + 2);
    let text = std::mem::replace(received, rest);
    let text = String::from_utf8_lossy(&text);
    let mut message = Message::default();
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut message.id),
            "event" => value.clone_into(&mut message.kind),
            "data" => message.data.push_str(value),
            // A comment, or a field of another time.
            _ => {}
        }
    }
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::{Message, cut};

    #[test]
    fn messages_come_whole_and_in_order() {
        let mut received =
            b": here\nid: 7\n\nid: 8\nevent: peer.created\ndata: {\"a\":1}\n\nid: 9".to_vec();
        let first = cut(&mut received).expect("a message");
        assert_eq!((first.id.as_str(), first.data.as_str()), ("7", ""));
        let second = cut(&mut received).expect("a message");
        let expected = Message {
            id: "8".into(),
            kind: "peer.created".into(),
            data: "{\"a\":1}".into(),
        };
        assert_eq!(second, expected);
        assert_eq!(cut(&mut received), None);
        assert_eq!(received, b"id: 9");
    }
}
