//! The pages without sockets, as a browser asks for them.

mod administering;
mod many_peers;
mod node_forms;
mod nodes;
mod overview;
mod peers;
mod refusing;
mod serving;
mod showing;
mod signing_in;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{Fake, over_with};
use crate::facade::{PageOptions, Source};

/// A browser: one router, and the cookies it gave.
struct Browser {
    router: Router,
    cookie: Option<String>,
}

/// What a browser got.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The CSRF token of a page's forms.
    fn csrf(&self) -> String {
        let (_, rest) = self
            .text()
            .split_once("name=\"csrf\" value=\"")
            .expect("a form");
        rest.split_once('"').expect("its end").0.to_owned()
    }
}

impl Browser {
    fn over(fake: &Fake) -> Self {
        Self::with(fake, PageOptions { secure: false })
    }

    fn with(fake: &Fake, options: PageOptions) -> Self {
        Self {
            router: over_with(fake, options),
            cookie: None,
        }
    }

    /// One that signed in.
    async fn signed_in(fake: &Fake) -> Self {
        let mut browser = Self::over(fake);
        let got = browser.post("/sign-in", "token=secret-token", &[]).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.text());
        browser
    }

    async fn get(&mut self, path: &str) -> Got {
        self.get_with(path, &[]).await
    }

    async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Got {
        self.send("GET", path, "", headers).await
    }

    /// As a page of this origin sends a form, unless `headers` say something else.
    async fn post(&mut self, path: &str, form: &str, headers: &[(&str, &str)]) -> Got {
        self.send("POST", path, form, headers).await
    }

    async fn send(&mut self, method: &str, path: &str, form: &str, more: &[(&str, &str)]) -> Got {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "fleet.example")
            .extension(Source([192, 0, 2, 7].into()));
        let usual = [
            ("accept", "text/html,application/xhtml+xml"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", "http://fleet.example"),
        ];
        for (name, value) in usual {
            if !more.iter().any(|(given, _)| *given == name) {
                request = request.header(name, value);
            }
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let request = request
            .body(Body::from(form.to_owned()))
            .expect("a request");
        let response = self.router.clone().oneshot(request).await;
        let (head, body) = response.expect("infallible").into_parts();
        if let Some(set) = head.headers.get("set-cookie") {
            let pair = set.to_str().expect("ASCII").split(';').next();
            let pair = pair.expect("a pair").to_owned();
            self.cookie = Some(pair).filter(|pair| !pair.ends_with('='));
        }
        Got {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.expect("a body").to_bytes().into(),
        }
    }
}
