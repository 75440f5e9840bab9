//! Answers.

use std::io::{self, ErrorKind};

use serde_json::Value;

/// An answer, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names and values, in order, as they came.
    pub headers: Vec<(String, String)>,
    /// The body, chunks put together.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut matching = self
            .headers
            .iter()
            .filter(|(at, _)| at.eq_ignore_ascii_case(name));
        matching.next().map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The contract's error code; `None` where the body has none.
    #[must_use]
    pub fn error_code(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body["error"].as_str().map(str::to_owned)
    }

    pub(super) fn keeps_connection(&self) -> bool {
        !self
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {:?} {}", self.status, self.headers, body)
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the answer has {what}"))
}

/// Reads one answer off the front of `bytes`, and gives it with its length there; `None` while more
/// is needed.
pub(super) fn parse(
    bytes: &[u8],
    closed: bool,
    to_head: bool,
) -> io::Result<Option<(Response, usize)>> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| invalid("a head that is no text"))?;
    let (status, headers) = parse_head(head)?;
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
    };
    let rest = &bytes[end + 4..];
    let body = if to_head || status == 204 || status == 304 {
        Some((Vec::new(), 0))
    } else if response.header("transfer-encoding").is_some() {
        parse_chunks(rest)?
    } else if let Some(length) = response.header("content-length") {
        let length: usize = length
            .parse()
            .map_err(|_| invalid("a Content-Length that is none"))?;
        rest.get(..length).map(|body| (body.to_vec(), length))
    } else {
        closed.then(|| (rest.to_vec(), rest.len()))
    };
    Ok(body.map(|(body, length)| {
        response.body = body;
        (response, end + 4 + length)
    }))
}

fn parse_head(head: &str) -> io::Result<(u16, Vec<(String, String)>)> {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| first.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| invalid("no status line"))?;
    let header = |line: &str| {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| invalid("a header without a ':'"))?;
        Ok((name.to_owned(), value.trim().to_owned()))
    };
    Ok((status, lines.map(header).collect::<io::Result<_>>()?))
}

fn parse_chunks(bytes: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&bytes[at..at + end]).unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| invalid("a broken chunk"))?;
        at += end + 2;
        let Some(chunk) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer in `text`, which must need all of it.
    fn whole(text: &str, closed: bool) -> Response {
        for length in 0..text.len() {
            assert!(
                closed
                    || parse(&text.as_bytes()[..length], false, false)
                        .unwrap()
                        .is_none()
            );
        }
        let (response, used) = parse(text.as_bytes(), closed, false).unwrap().unwrap();
        assert_eq!(used, text.len());
        response
    }

    #[test]
    fn the_body_ends_where_the_head_says() {
        let by_length = whole(
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nab",
            false,
        );
        assert_eq!(
            (by_length.status, by_length.body.as_slice()),
            (401, b"ab".as_slice())
        );
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\na\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(whole(chunked, false).body, b"ab0123456789");
        assert_eq!(
            whole("HTTP/1.1 400 Bad Request\r\n\r\nrest", true).body,
            b"rest"
        );
    }

    #[test]
    fn what_follows_is_left_for_the_next() {
        let bytes = b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n";
        let (response, used) = parse(bytes, false, false).unwrap().unwrap();
        assert_eq!((response.status, used), (204, 27));
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        for text in [
            "nonsense\r\n\r\n",
            "HTTP/1.1 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        ] {
            assert!(parse(text.as_bytes(), true, false).is_err(), "{text:?}");
        }
    }
}
