//! `/sign-in` and `/sign-out`.

use askama::Template;
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use wgfleet_proto::v1;
use zeroize::Zeroizing;

use super::{
    form::Form,
    guard,
    page::{Page, html_with, see_other},
    refusal::{Refused, is_htmx, wants_html},
    text,
};
use crate::facade::{Answer, Facade, caller::Caller, input, problem::Problem, query::Parameters};

const PATH: &str = "/sign-in";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    page: Page,
    refused: Option<Refused>,
    next: String,
}

pub(super) fn routes() -> Router<Facade> {
    Router::new().route(PATH, get(show).post(sign_in))
}

pub(super) fn routes_when_signed_in() -> Router<Facade> {
    Router::new().route("/sign-out", post(sign_out))
}

async fn show(
    State(facade): State<Facade>,
    headers: HeaderMap,
    mut query: Parameters,
) -> Answer<Response> {
    let next = local(&query.text("next")?.unwrap_or_default());
    if facade.sessions.of(&headers).is_some() {
        return Ok(see_other(&next));
    }
    form(StatusCode::OK, None, next)
}

fn form(status: StatusCode, refused: Option<Refused>, next: String) -> Answer<Response> {
    let page = Page::for_stranger(text::SIGN_IN);
    html_with(
        status,
        &SignInPage {
            page,
            refused,
            next,
        },
    )
}

async fn sign_in(State(facade): State<Facade>, request: Request) -> Answer<Response> {
    guard::same_origin(request.headers())?;
    let (headers, extensions) = (request.headers().clone(), request.extensions().clone());
    let body = Zeroizing::new(Vec::from(input::read(request, 0).await?));
    let typed = Form::parse(&body);
    let token = Zeroizing::new(typed.text("token").to_owned());
    let next = local(typed.text("next"));

    // Asked as anybody is who calls: a failure counts for where it comes from.
    let caller = Caller::with_token(&token, &extensions);
    let asked = caller.request(v1::WhoAmIRequest::default());
    if let Err(status) = facade.tokens.clone().who_am_i(asked).await {
        let mut refused = Refused::from(status);
        if refused.status == StatusCode::UNAUTHORIZED {
            text::NO_SUCH_TOKEN.clone_into(&mut refused.sentence);
        }
        return form(refused.status, Some(refused), next);
    }
    // Whatever session the browser brought along ends here, and its id is not used again.
    facade.sessions.end(&headers);
    let cookie = facade.sessions.open(token);
    let mut response = see_other(&next);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

async fn sign_out(State(facade): State<Facade>, headers: HeaderMap) -> Response {
    let taken_back = facade.sessions.end(&headers);
    let mut response = see_other(PATH);
    let told = response.headers_mut();
    told.insert(header::SET_COOKIE, taken_back);
    response
}

/// What a request was after that has to sign in first.
pub(super) struct Wanted {
    next: String,
    is_htmx: bool,
    is_page: bool,
}

impl Wanted {
    pub(super) fn of(request: &Request) -> Self {
        let headers = request.headers();
        let is_htmx = is_htmx(headers);
        let next = if is_htmx {
            let shown = headers.get("hx-current-url");
            let shown = shown.and_then(|url| url.to_str().ok()).unwrap_or_default();
            let path = shown.splitn(4, '/').nth(3);
            format!("/{}", path.unwrap_or_default())
        } else if request.method() == axum::http::Method::GET {
            let target = request.uri().path_and_query();
            target.map_or("/", |it| it.as_str()).to_owned()
        } else {
            "/".to_owned()
        };
        Self {
            next: local(&next),
            is_htmx,
            is_page: wants_html(headers) || request.method() != axum::http::Method::GET,
        }
    }

    /// To the page to sign in, in the way that whoever asks understands.
    pub(super) fn redirect(&self) -> Response {
        let place = if self.next == "/" {
            PATH.to_owned()
        } else {
            let next: String = form_urlencoded::byte_serialize(self.next.as_bytes()).collect();
            format!("{PATH}?next={next}")
        };
        if self.is_htmx {
            let place = HeaderValue::try_from(place).unwrap_or(HeaderValue::from_static(PATH));
            return (StatusCode::UNAUTHORIZED, [("hx-redirect", place)]).into_response();
        }
        if self.is_page {
            return see_other(&place);
        }
        (StatusCode::UNAUTHORIZED, text::SIGNED_OUT).into_response()
    }
}

/// What a request without a good session gets.
pub(super) fn instead(facade: &Facade, request: &Request, refused: Problem) -> Response {
    if refused.status != StatusCode::UNAUTHORIZED {
        return refused.into_response();
    }
    let mut response = Wanted::of(request).redirect();
    if request.headers().contains_key(header::COOKIE) {
        let taken_back = facade.sessions.end(request.headers());
        response
            .headers_mut()
            .insert(header::SET_COOKIE, taken_back);
    }
    response
}

/// A path of ours, or else the overview: nobody is sent elsewhere by a link to this page.
fn local(next: &str) -> String {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.starts_with(PATH)
        && !next.contains('\\')
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_ours { next } else { "/" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_paths_of_ours() {
        for path in ["/", "/nodes", "/peers?q=a%20b&sort=name"] {
            assert_eq!(local(path), path);
        }
        for elsewhere in [
            "",
            "nodes",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/a\nset-cookie: x",
            "/sign-in?next=/",
            "/é",
        ] {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }
}
