//! What the signature must hold together, for arbitrary requests.

use proptest::prelude::*;
use wire_contract::signing::{
    AuthFailure, Mac, Secret, SecretTooShort, SignedParts, Signer, Timestamp, Verifier,
};

const SECRET: &str = "a secret shared by two";

fn secret(text: &str) -> Secret {
    Secret::new(text).expect("long enough")
}

/// A request as it was sent; owned, so that a test can damage it.
#[derive(Debug, Clone)]
struct Sent {
    method: String,
    target: String,
    body: Vec<u8>,
    timestamp: u64,
    signature: String,
}

impl Sent {
    fn parts(&self) -> SignedParts<'_> {
        SignedParts {
            method: &self.method,
            target: &self.target,
            body: &self.body,
        }
    }

    fn verified_by(&self, verifier: &Verifier) -> Result<(), AuthFailure> {
        let timestamp = self.timestamp.to_string();
        let timestamp = Timestamp::parse(timestamp.as_bytes())?;
        verifier.verify(
            self.parts(),
            timestamp,
            &Mac::parse(self.signature.as_bytes())?,
        )
    }

    fn verified(&self) -> Result<(), AuthFailure> {
        self.verified_by(&Verifier::new(&secret(SECRET), None))
    }
}

prop_compose! {
    fn sent()(
        method in "[A-Z]{1,10}",
        target in "/[!-{}~]{0,80}",
        // Both sides of the size up to which a request is gathered on the stack.
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            prop::collection::vec(any::<u8>(), 900..2000),
        ],
        timestamp in 0..1_000_000_000_000_u64,
    ) -> Sent {
        let mut sent = Sent { method, target, body, timestamp, signature: String::new() };
        sent.signature = Signer::new(&secret(SECRET)).sign(sent.parts(), timestamp);
        sent
    }
}

proptest! {
    #[test]
    fn what_is_signed_verifies(sent in sent()) {
        prop_assert_eq!(sent.verified(), Ok(()));
        let upper = Sent { signature: sent.signature.to_uppercase(), ..sent };
        prop_assert_eq!(upper.verified(), Ok(()));
    }

    #[test]
    fn a_changed_signature_bit_fails(sent in sent(), bit in 0_usize..256) {
        let mut mac = *Mac::parse(sent.signature.as_bytes()).unwrap().as_bytes();
        mac[bit / 8] ^= 1 << (bit % 8);
        let verifier = Verifier::new(&secret(SECRET), None);
        let timestamp = sent.timestamp.to_string();
        let timestamp = Timestamp::parse(timestamp.as_bytes()).unwrap();
        let verdict = verifier.verify(sent.parts(), timestamp, &Mac::from_bytes(mac));
        prop_assert_eq!(verdict, Err(AuthFailure::WrongSignature));
    }

    #[test]
    fn a_changed_body_bit_fails(sent in sent(), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        prop_assume!(!sent.body.is_empty());
        let mut damaged = sent;
        let at = at.index(damaged.body.len());
        damaged.body[at] ^= 1_u8 << bit;
        prop_assert_eq!(damaged.verified(), Err(AuthFailure::WrongSignature));
    }

    #[test]
    fn any_other_part_fails(sent in sent(), other in sent()) {
        let wrong = Err(AuthFailure::WrongSignature);
        if other.method != sent.method {
            let method = other.method.clone();
            prop_assert_eq!(Sent { method, ..sent.clone() }.verified(), wrong);
        }
        if other.target != sent.target {
            let target = other.target.clone();
            prop_assert_eq!(Sent { target, ..sent.clone() }.verified(), wrong);
        }
        if other.timestamp != sent.timestamp {
            let timestamp = other.timestamp;
            prop_assert_eq!(Sent { timestamp, ..sent.clone() }.verified(), wrong);
        }
        let longer = format!("{}?x=1", sent.target);
        prop_assert_eq!(Sent { target: longer, ..sent.clone() }.verified(), wrong);
        let stranger = Verifier::new(&secret("a secret of someone else"), None);
        prop_assert_eq!(sent.verified_by(&stranger), wrong);
    }

    #[test]
    fn either_secret_of_a_rotation_verifies(sent in sent()) {
        let next = secret("the secret that comes next");
        prop_assert_eq!(sent.verified_by(&Verifier::new(&secret(SECRET), Some(&next))), Ok(()));
        prop_assert_eq!(sent.verified_by(&Verifier::new(&next, Some(&secret(SECRET)))), Ok(()));
        prop_assert!(sent.verified_by(&Verifier::new(&next, None)).is_err());
    }

    #[test]
    fn signature_headers_never_panic(header in prop::collection::vec(any::<u8>(), 0..70)) {
        let is_hex = header.len() == 64 && header.iter().all(u8::is_ascii_hexdigit);
        prop_assert_eq!(Mac::parse(&header).is_ok(), is_hex);
    }

    #[test]
    fn timestamps_are_1_to_12_digits(header in prop_oneof!["[0-9]{0,15}", "\\PC{0,14}"]) {
        let digits = header.bytes().all(|byte| byte.is_ascii_digit());
        let accepted = digits && (1..=12).contains(&header.len());
        let parsed = Timestamp::parse(header.as_bytes());
        prop_assert_eq!(parsed.map(|timestamp| timestamp.seconds()).ok(),
            accepted.then(|| header.parse().unwrap()));
    }

    #[test]
    fn the_window_is_300_seconds_either_way(now in 301..1_000_000_000_000_i64, ahead in -301..=301_i64) {
        let text = (now + ahead).to_string();
        prop_assume!(text.len() <= 12);
        let verdict = Timestamp::parse(text.as_bytes()).unwrap().check(now);
        let passes = ahead.abs() <= 300;
        prop_assert_eq!(verdict, if passes { Ok(()) } else { Err(AuthFailure::OutsideWindow(ahead)) });
    }
}

#[test]
fn leading_zeros_of_a_timestamp_are_signed() {
    let sent = Sent {
        method: "GET".into(),
        target: "/health".into(),
        body: Vec::new(),
        timestamp: 1_700_000_000,
        signature: String::new(),
    };
    let signature = Signer::new(&secret(SECRET)).sign(sent.parts(), sent.timestamp);
    let mac = Mac::parse(signature.as_bytes()).unwrap();
    let verifier = Verifier::new(&secret(SECRET), None);
    let verdict = |text: &str| {
        verifier.verify(
            sent.parts(),
            Timestamp::parse(text.as_bytes()).unwrap(),
            &mac,
        )
    };
    assert_eq!(verdict("1700000000"), Ok(()));
    assert_eq!(verdict("01700000000"), Err(AuthFailure::WrongSignature));
}

#[test]
fn clocks_at_the_ends_of_time_do_not_overflow() {
    let timestamp = Timestamp::parse(b"999999999999").unwrap();
    assert!(timestamp.check(i64::MIN).is_err());
    assert!(timestamp.check(i64::MAX).is_err());
}

#[test]
fn secrets_are_never_shown() {
    let secret = secret(SECRET);
    let shown = format!(
        "{secret:?} {:?} {:?}",
        Signer::new(&secret),
        Verifier::new(&secret, None)
    );
    assert_eq!(
        shown,
        "Secret(redacted) Signer(redacted) Verifier(redacted)"
    );
    assert_eq!(Secret::new("fifteen bytes !"), Err(SecretTooShort(15)));
    assert!(Secret::new("sixteen bytes !!").unwrap().is_weak());
    assert!(
        !Secret::new("thirty-two bytes are enough here")
            .unwrap()
            .is_weak()
    );
}
