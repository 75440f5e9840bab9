//! Requests: what is meant, and the bytes that say it.

use std::fmt::Display;

use ring::hmac;
use serde_json::Value;
use wire_contract::signing::{SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// What to ask. It is signed when it is sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    body: Vec<u8>,
    timestamp: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            body: Vec::new(),
            timestamp: None,
            headers: Vec::new(),
        }
    }

    /// A `GET`.
    pub fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    /// A body, as it is and without a content type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A JSON body, said to be one.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
            .header("Content-Type", "application/json")
    }

    /// Signed with, and sent with, this timestamp instead of the clock's. Any text will do.
    #[must_use]
    pub fn signed_at(mut self, timestamp: impl Display) -> Self {
        self.timestamp = Some(format!("{timestamp}"));
        self
    }

    /// A header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The request on the wire, rightly signed by `secret`.
    #[must_use]
    pub fn signed(&self, secret: &[u8], now: u64, keep_alive: bool) -> WireRequest {
        let timestamp = self.timestamp.clone().unwrap_or_else(|| now.to_string());
        let parts: [&[u8]; 4] = [
            self.method.as_bytes(),
            self.target.as_bytes(),
            &self.body,
            timestamp.as_bytes(),
        ];
        let signature = hex_hmac(secret, &parts.join(&b'|'));
        let mut wire = WireRequest {
            method: self.method.clone(),
            target: self.target.clone(),
            headers: Vec::new(),
            body: self.body.clone(),
        };
        wire.add("Host", "agent");
        wire.add(
            "Connection",
            if keep_alive { "keep-alive" } else { "close" },
        );
        wire.add(TIMESTAMP_HEADER, timestamp);
        wire.add(SIGNATURE_HEADER, signature);
        if !self.body.is_empty() {
            wire.add("Content-Length", self.body.len().to_string());
        }
        wire.headers.extend(self.headers.iter().cloned());
        wire
    }
}

/// Lowercase hex of HMAC-SHA256.
#[must_use]
pub fn hex_hmac(secret: &[u8], message: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    faster_hex::hex_string(hmac::sign(&key, message).as_ref())
}

/// A request as it goes over the wire. Changing it does not change its signature.
#[derive(Debug, Clone)]
pub struct WireRequest {
    /// The method token.
    pub method: String,
    /// The request target.
    pub target: String,
    /// Names and values, in order, as they are sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What follows the head. `Content-Length` is a header like any other.
    pub body: Vec<u8>,
}

impl WireRequest {
    /// A header more, also where one of that name is there.
    pub fn add(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Takes out every header of that name (in any case).
    pub fn remove(&mut self, name: &str) {
        self.headers
            .retain(|(present, _)| !present.eq_ignore_ascii_case(name));
    }

    /// One header of that name, with this value.
    pub fn replace(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.add(name, value);
    }

    /// Sends every header of that name twice.
    pub fn duplicate(&mut self, name: &str) {
        let mut again = self.headers.clone();
        again.retain(|(present, _)| present.eq_ignore_ascii_case(name));
        self.headers.extend(again);
    }

    /// The value of the first header of that name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let mut matching = self
            .headers
            .iter()
            .filter(|(at, _)| at.eq_ignore_ascii_case(name));
        matching.next().map(|(_, value)| value.as_slice())
    }

    /// Head and body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire_contract::signing::{Secret, SignedParts, Signer};

    const SECRET: &str = "a secret of more than 16 bytes";

    #[test]
    fn signs_as_the_contract_does() {
        let request = Request::new("POST", "/wg/wg0/peers?n=1").body("{\"a\":\"|\"}");
        let wire = request.signed(SECRET.as_bytes(), 1_700_000_000, false);
        let parts = SignedParts {
            method: "POST",
            target: "/wg/wg0/peers?n=1",
            body: b"{\"a\":\"|\"}",
        };
        let expected = Signer::new(&Secret::new(SECRET).unwrap()).sign(parts, 1_700_000_000);
        assert_eq!(wire.value("X-Signature"), Some(expected.as_bytes()));
        assert_eq!(wire.value("X-Timestamp"), Some(b"1700000000".as_slice()));
    }

    #[test]
    fn the_bytes_are_the_ones_asked_for() {
        let request = Request::new("PUT", "/x")
            .body("ab")
            .signed_at("+1")
            .header("X", "y");
        let mut wire = request.signed(SECRET.as_bytes(), 0, true);
        wire.replace("x-signature", "s");
        wire.duplicate("X-Timestamp");
        wire.remove("HOST");
        assert_eq!(
            String::from_utf8(wire.to_bytes()).unwrap(),
            "PUT /x HTTP/1.1\r\nConnection: keep-alive\r\nx-timestamp: +1\r\nContent-Length: 2\r\n\
             X: y\r\nx-signature: s\r\nx-timestamp: +1\r\n\r\nab"
        );
    }
}
