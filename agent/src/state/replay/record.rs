//! One line of the replay log: fixed size, checksummed.

use wire_contract::signing::Mac;

use super::memory::PeerId;

/// Bytes of a record in the log.
pub(super) const RECORD_BYTES: usize = 72;
const BODY_BYTES: usize = RECORD_BYTES - 4;

/// What became of a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is about to be made.
    Begun,
    /// It was made.
    Applied,
    /// It was not made, and never will be.
    Refused,
}

/// What the log says of a mutation at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) stage: Stage,
    /// As signed, Unix seconds.
    pub(super) timestamp: i64,
    pub(super) mac: Mac,
    pub(super) peer: PeerId,
    /// Orders the mutations of a peer.
    pub(super) sequence: u64,
}

impl Record {
    pub(super) fn encode(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[0] = match self.stage {
            Stage::Begun => b'B',
            Stage::Applied => b'A',
            Stage::Refused => b'R',
        };
        bytes[4..12].copy_from_slice(&self.timestamp.to_le_bytes());
        bytes[12..44].copy_from_slice(self.mac.as_bytes());
        bytes[44..60].copy_from_slice(&self.peer.0);
        bytes[60..68].copy_from_slice(&self.sequence.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..BODY_BYTES]);
        bytes[BODY_BYTES..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// `None` for bytes that were never a record, or only half written.
    pub(super) fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let (body, checksum) = bytes.split_at(BODY_BYTES);
        if crc32fast::hash(body).to_le_bytes() != checksum {
            return None;
        }
        Some(Self {
            stage: match bytes[0] {
                b'B' => Stage::Begun,
                b'A' => Stage::Applied,
                b'R' => Stage::Refused,
                _ => return None,
            },
            timestamp: i64::from_le_bytes(bytes[4..12].try_into().ok()?),
            mac: Mac::from_bytes(bytes[12..44].try_into().ok()?),
            peer: PeerId(bytes[44..60].try_into().ok()?),
            sequence: u64::from_le_bytes(bytes[60..68].try_into().ok()?),
        })
    }
}
