//! Netlink messages and attributes: walking received ones in place, writing new ones.

use super::abi::{
    ATTRIBUTE_HEADER_BYTES, ATTRIBUTE_KIND_MASK, ATTRIBUTE_NESTED, GENERIC_HEADER_BYTES,
    MESSAGE_HEADER_BYTES,
};

/// Bytes that can't be what they should be. Says which rule they broke and never what they were: they
/// may have been keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {0}")]
pub struct Malformed(pub(super) &'static str);

/// Netlink aligns messages and attributes to 4 bytes.
const fn aligned(len: usize) -> usize {
    (len + 3) & !3
}

/// The first `N` bytes, and nothing else may be there.
pub(super) fn exactly<const N: usize>(
    payload: &[u8],
    or: &'static str,
) -> Result<[u8; N], Malformed> {
    payload.try_into().map_err(|_| Malformed(or))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// One received message.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) port_id: u32,
    pub(super) payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The errno at the beginning of `NLMSG_ERROR` and `NLMSG_DONE`, positive; 0 is success.
    pub(super) fn errno(&self) -> Result<i32, Malformed> {
        let code = self
            .payload
            .get(..4)
            .ok_or(Malformed("no room for an errno"))?;
        Ok(i32::from_ne_bytes(exactly(code, "errno")?).saturating_abs())
    }

    /// The attributes behind the header of generic netlink.
    pub(super) fn attributes(&self) -> Result<Attributes<'a>, Malformed> {
        let rest = self.payload.get(GENERIC_HEADER_BYTES..);
        rest.map(Attributes)
            .ok_or(Malformed("no room for a generic netlink header"))
    }
}

/// The messages of one datagram.
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Messages<'a> {
    fn cut(&mut self) -> Result<Message<'a>, Malformed> {
        let bytes = self.0;
        if bytes.len() < MESSAGE_HEADER_BYTES {
            return Err(Malformed("message header cut short"));
        }
        let len = usize::try_from(u32_at(bytes, 0)).map_err(|_| Malformed("message length"))?;
        if len < MESSAGE_HEADER_BYTES || len > bytes.len() {
            return Err(Malformed("message length"));
        }
        self.0 = bytes.get(aligned(len)..).unwrap_or_default();
        Ok(Message {
            kind: u16_at(bytes, 4),
            flags: u16_at(bytes, 6),
            sequence: u32_at(bytes, 8),
            port_id: u32_at(bytes, 12),
            payload: &bytes[MESSAGE_HEADER_BYTES..len],
        })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let message = self.cut();
        if message.is_err() {
            self.0 = &[];
        }
        Some(message)
    }
}

/// A run of attributes, as (kind without flag bits, payload).
#[derive(Clone, Copy, Default)]
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Attributes<'a> {
    #[inline(always)]
    fn cut(&mut self) -> Result<(u16, &'a [u8]), Malformed> {
        let Some((header, rest)) = self.0.split_first_chunk::<ATTRIBUTE_HEADER_BYTES>() else {
            return Err(Malformed("attribute header cut short"));
        };
        let len = usize::from(u16_at(header, 0)).checked_sub(ATTRIBUTE_HEADER_BYTES);
        let Some((payload, behind)) = len.and_then(|len| rest.split_at_checked(len)) else {
            return Err(Malformed("attribute length"));
        };
        // The last one may come without its padding.
        let padding = aligned(payload.len()) - payload.len();
        self.0 = behind.get(padding..).unwrap_or_default();
        Ok((u16_at(header, 2) & ATTRIBUTE_KIND_MASK, payload))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let attribute = self.cut();
        if attribute.is_err() {
            self.0 = &[];
        }
        Some(attribute)
    }
}

/// What goes into the headers of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) family: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) command: u8,
    pub(super) version: u8,
}

/// Writes one message into a buffer that is cleared first and keeps its capacity.
pub(super) struct Writer<'a>(&'a mut Vec<u8>);

/// A nest begun and not yet ended: where its header is.
pub(super) struct Nest(usize);

impl<'a> Writer<'a> {
    pub(super) fn begin(buffer: &'a mut Vec<u8>, head: Head) -> Self {
        buffer.clear();
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&head.family.to_ne_bytes());
        buffer.extend_from_slice(&head.flags.to_ne_bytes());
        buffer.extend_from_slice(&head.sequence.to_ne_bytes());
        // Port id 0: the kernel knows whom it answers.
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&[head.command, head.version, 0, 0]);
        Self(buffer)
    }

    /// Bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn put(&mut self, kind: u16, payload: &[u8]) {
        let len = attribute_len(ATTRIBUTE_HEADER_BYTES + payload.len());
        self.0.extend_from_slice(&len.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(payload);
        self.0.resize(aligned(self.0.len()), 0);
    }

    #[inline]
    pub(super) fn begin_nest(&mut self, kind: u16) -> Nest {
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0
            .extend_from_slice(&(kind | ATTRIBUTE_NESTED).to_ne_bytes());
        Nest(at)
    }

    #[inline]
    #[expect(clippy::needless_pass_by_value, reason = "a nest ends once")]
    pub(super) fn end_nest(&mut self, nest: Nest) {
        let len = attribute_len(self.0.len() - nest.0);
        self.0[nest.0..nest.0 + 2].copy_from_slice(&len.to_ne_bytes());
    }

    /// Writes the message's length; the buffer holds it whole then.
    pub(super) fn finish(self) {
        let len = u32::try_from(self.0.len()).expect("a message is far smaller than 4 GiB");
        self.0[..4].copy_from_slice(&len.to_ne_bytes());
    }
}

fn attribute_len(len: usize) -> u16 {
    u16::try_from(len).expect("callers keep attributes below 64 KiB")
}
