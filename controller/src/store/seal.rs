//! Sealing of secrets: AES-256-GCM under a data key, which the master key wraps.
//!
//! A sealed value says where it belongs (table, row, column, key version) in its associated data, so
//! one that is copied to another row no longer opens. Nonces are random: 96 bits under one key
//! stay safe for far more values than a store of this kind holds.

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::{
    error::StoreError,
    master_key::{MasterKey, MasterKeyError},
};

const DATA_KEY_BYTES: usize = 32;
/// First byte of everything sealed: the layout, not the key.
const LAYOUT: u8 = 1;
const VERSION_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + VERSION_BYTES + NONCE_LEN;

/// The place a sealed value belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its table.
    pub table: &'static str,
    /// Its column.
    pub column: &'static str,
    /// Its row's primary key.
    pub row: &'a str,
}

impl Place<'_> {
    /// Length-prefixed, so that no two places share their bytes.
    fn associated_data(&self, key_version: u32) -> Vec<u8> {
        let mut data = vec![LAYOUT];
        data.extend(key_version.to_be_bytes());
        for part in [self.table, self.column, self.row] {
            data.extend((part.len() as u64).to_be_bytes());
            data.extend(part.as_bytes());
        }
        data
    }

    fn altered(&self) -> StoreError {
        StoreError::Sealed {
            table: self.table,
            column: self.column,
            row: self.row.to_owned(),
        }
    }
}

/// Seals and opens values with the store's data key.
pub struct Sealer {
    key: LessSafeKey,
    key_version: u32,
    fingerprint: hmac::Key,
    random: SystemRandom,
}

impl Sealer {
    /// Opens the store's data key, or makes one in a store that has none.
    ///
    /// # Errors
    /// [`MasterKeyError::Wrong`] when the master key is another store's.
    pub fn load_or_create(
        conn: &Connection,
        master: &MasterKey,
        now_s: i64,
    ) -> Result<Self, StoreError> {
        let newest = conn
            .query_row(
                "SELECT version, wrapped FROM data_keys ORDER BY version DESC LIMIT 1",
                [],
                |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?)),
            )
            .optional()?;
        match newest {
            Some((version, wrapped)) => unwrap_key(master, version, &wrapped),
            None => create_key(conn, master, now_s),
        }
    }

    fn new(bytes: &[u8; DATA_KEY_BYTES], key_version: u32) -> Self {
        let derive = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let fingerprint = hmac::sign(&derive, b"wgfleet secret fingerprint v1");
        Self {
            key: aead_key(bytes),
            key_version,
            fingerprint: hmac::Key::new(hmac::HMAC_SHA256, fingerprint.as_ref()),
            random: SystemRandom::new(),
        }
    }

    /// Seals `plain` for `place`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the system gives no random bytes.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        seal_with(&self.key, self.key_version, &self.random, place, plain)
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when it was altered or belongs elsewhere.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        open_with(&self.key, self.key_version, place, sealed)
    }

    /// Opens a sealed 32-byte key.
    ///
    /// # Errors
    /// As [`Sealer::open`]; also when it has another length.
    pub fn open_key(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let plain = self.open(place, sealed)?;
        let mut key = Zeroizing::new([0; 32]);
        if plain.len() != key.len() {
            return Err(place.altered());
        }
        key.copy_from_slice(&plain);
        Ok(key)
    }

    /// Tells whether two secrets are the same, and tells nobody without the master key.
    #[must_use]
    pub fn fingerprint(&self, secret: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.fingerprint, secret);
        tag.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
    }
}

fn create_key(conn: &Connection, master: &MasterKey, now_s: i64) -> Result<Sealer, StoreError> {
    let version = 1;
    let random = SystemRandom::new();
    let mut bytes = Zeroizing::new([0; DATA_KEY_BYTES]);
    random.fill(&mut *bytes).map_err(|_| no_random())?;
    let wrapped = seal_with(
        &aead_key(master.expose()),
        version,
        &random,
        KEY_PLACE,
        &*bytes,
    )?;
    conn.execute(
        "INSERT INTO data_keys (version, wrapped, created_at) VALUES (?1, ?2, ?3)",
        (version, wrapped, now_s),
    )?;
    Ok(Sealer::new(&bytes, version))
}

const KEY_PLACE: Place<'static> = Place {
    table: "data_keys",
    column: "wrapped",
    row: "",
};

fn unwrap_key(master: &MasterKey, version: u32, wrapped: &[u8]) -> Result<Sealer, StoreError> {
    let plain = open_with(&aead_key(master.expose()), version, KEY_PLACE, wrapped)
        .map_err(|_| MasterKeyError::Wrong)?;
    let mut bytes = Zeroizing::new([0; DATA_KEY_BYTES]);
    if plain.len() != bytes.len() {
        return Err(MasterKeyError::Wrong.into());
    }
    bytes.copy_from_slice(&plain);
    Ok(Sealer::new(&bytes, version))
}

fn aead_key(bytes: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("AES-256 takes 32 bytes"))
}

fn no_random() -> StoreError {
    StoreError::Unavailable("the system gave no random bytes".into())
}

fn seal_with(
    key: &LessSafeKey,
    version: u32,
    random: &SystemRandom,
    place: Place<'_>,
    plain: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce).map_err(|_| no_random())?;
    let mut body = Zeroizing::new(plain.to_vec());
    let aad = Aad::from(place.associated_data(version));
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
        .map_err(|_| StoreError::Internal("sealing failed".into()))?;
    let mut sealed = vec![LAYOUT];
    sealed.extend(version.to_be_bytes());
    sealed.extend(nonce);
    sealed.extend(body.iter());
    sealed.extend(tag.as_ref());
    Ok(sealed)
}

fn open_with(
    key: &LessSafeKey,
    version: u32,
    place: Place<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let (head, body) = sealed
        .split_at_checked(HEAD_BYTES)
        .ok_or_else(|| place.altered())?;
    if head[0] != LAYOUT || head[1..=VERSION_BYTES] != version.to_be_bytes() {
        return Err(place.altered());
    }
    let nonce = Nonce::try_assume_unique_for_key(&head[1 + VERSION_BYTES..])
        .map_err(|_| place.altered())?;
    let mut body = Zeroizing::new(body.to_vec());
    let aad = Aad::from(place.associated_data(version));
    let length = key
        .open_in_place(nonce, aad, &mut body)
        .map_err(|_| place.altered())?
        .len();
    body.truncate(length);
    Ok(body)
}
