//! `/tokens`: who may call, and what they may do.

use std::collections::BTreeMap;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use wgfleet_proto::v1;

use super::{
    form::Form,
    moment,
    page::{Nav, Page, SignedIn, html, html_with, see_other},
    refusal::Refused,
    show::{self, Ago, Chip},
    text,
};
use crate::facade::{
    Answer, Facade,
    input::{Id, OfToken},
    problem::Problem,
    query::Parameters,
    tokens::ROLES,
};

const PATH: &str = "/tokens";
const PAGE_SIZE: u32 = 100;
/// The most of one answer.
const MAX_PAGE_SIZE: u32 = 1000;

pub(super) fn routes() -> Router<Facade> {
    Router::new()
        .route(PATH, get(show))
        .route("/tokens/new", get(show_form).post(create))
        .route("/tokens/{id}/revoke", get(confirm).post(revoke))
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    page: Page,
    tokens: Vec<Row>,
    next: String,
    total: String,
}

struct Row {
    id: String,
    name: String,
    role: &'static str,
    scope: Vec<String>,
    state: Chip,
    expires: Option<Ago>,
    created: Ago,
    used: Option<Ago>,
    is_in_use: bool,
    is_own: bool,
}

#[derive(Template)]
#[template(path = "token_new.html")]
struct NewPage {
    page: Page,
    refused: Option<Refused>,
    typed: Typed,
    roles: [&'static str; ROLES.len()],
}

/// The form, as it was typed.
#[derive(Default)]
struct Typed {
    name: String,
    role: String,
    scope: String,
    expires: String,
}

#[derive(Template)]
#[template(path = "token_made.html")]
struct MadePage {
    page: Page,
    name: String,
    role: &'static str,
    secret: String,
}

#[derive(Template)]
#[template(path = "token_revoke.html")]
struct RevokePage {
    page: Page,
    refused: Option<Refused>,
    token: Row,
}

async fn show(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    mut query: Parameters,
) -> Answer<Response> {
    let cursor = query.text("cursor")?.unwrap_or_default();
    query.finish()?;
    let found = list(&mut facade, &signed, PAGE_SIZE, cursor).await?;
    let info = found.page.unwrap_or_default();
    html(&TokensPage {
        page: Page::new(&signed, Nav::Tokens, "Tokens"),
        tokens: found.items.into_iter().map(|it| row(it, &signed)).collect(),
        next: match info.next_cursor.as_str() {
            "" => String::new(),
            cursor => {
                let cursor: String = form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
                format!("{PATH}?cursor={cursor}")
            }
        },
        total: show::count(info.total),
    })
}

async fn list(
    facade: &mut Facade,
    signed: &SignedIn,
    page_size: u32,
    cursor: String,
) -> Answer<v1::ListTokensResponse> {
    let page = Some(v1::PageRequest { page_size, cursor });
    let asked = signed.caller.request(v1::ListTokensRequest { page });
    Ok(facade.tokens.list(asked).await?.into_inner())
}

fn row(token: v1::Token, signed: &SignedIn) -> Row {
    let now = show::now_s();
    let is_expired = token.expires_at.is_some_and(|at| at <= now);
    let is_in_use = token.revoked_at.is_none() && !is_expired;
    let role = text::role(token.role());
    Row {
        state: text::token_state(token.revoked_at.is_some(), is_expired).into(),
        role,
        scope: pairs(token.label_scope),
        expires: token.expires_at.map(|at| Ago::new(at, now)),
        created: Ago::new(token.created_at, now),
        used: token.last_used_at.map(|at| Ago::new(at, now)),
        is_in_use,
        // No two in use have the same name.
        is_own: is_in_use && token.name == signed.who.name,
        id: token.id,
        name: token.name,
    }
}

fn pairs(labels: BTreeMap<String, String>) -> Vec<String> {
    let pairs = labels.into_iter();
    pairs.map(|(key, value)| format!("{key}={value}")).collect()
}

async fn show_form(State(mut facade): State<Facade>, signed: SignedIn) -> Answer<Response> {
    // Who may not make one need not fill in a form to learn it.
    list(&mut facade, &signed, 1, String::new()).await?;
    let typed = Typed {
        role: "operator".into(),
        ..Typed::default()
    };
    form(&signed, None, typed)
}

fn form(signed: &SignedIn, refused: Option<Refused>, typed: Typed) -> Answer<Response> {
    let status = Refused::status(refused.as_ref());
    let page = Page::new(signed, Nav::Tokens, "New token");
    html_with(
        status,
        &NewPage {
            page,
            refused,
            typed,
            roles: ROLES.map(|(word, _)| word),
        },
    )
}

async fn create(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    typed: Form,
) -> Answer<Response> {
    let typed = Typed {
        name: typed.text("name").into(),
        role: typed.text("role").into(),
        scope: typed.text("label_scope").into(),
        expires: typed.text("expires_at").into(),
    };
    let asked = match typed.message() {
        Ok(asked) => asked,
        Err(problem) => return form(&signed, Some(problem.into()), typed),
    };
    match facade.tokens.create(signed.caller.request(asked)).await {
        Ok(made) => {
            let made = made.into_inner();
            let token = made.token.unwrap_or_default();
            html(&MadePage {
                page: Page::new(&signed, Nav::Tokens, "New token"),
                role: text::role(token.role()),
                name: token.name,
                secret: made.text,
            })
        }
        Err(status) => form(&signed, Some(status.into()), typed),
    }
}

impl Typed {
    fn message(&self) -> Result<v1::CreateTokenRequest, Problem> {
        let known = ROLES.iter().find(|(word, _)| *word == self.role);
        let (_, role) = known.ok_or_else(|| Problem::invalid_field("role", text::NO_SUCH_ROLE))?;
        let expires_at = match self.expires.as_str() {
            "" => None,
            typed => {
                let at = moment::parse(typed);
                Some(at.ok_or_else(|| Problem::invalid_field("expires_at", text::NO_TIME))?)
            }
        };
        Ok(v1::CreateTokenRequest {
            name: self.name.clone(),
            role: (*role).into(),
            label_scope: labels(&self.scope)?,
            expires_at,
        })
    }
}

/// `key=value`, one a line.
fn labels(text: &str) -> Result<BTreeMap<String, String>, Problem> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let pair = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.trim().to_owned(), value.trim().to_owned()))
    };
    lines
        .map(|line| {
            pair(line).ok_or_else(|| {
                let detail = format!("“{line}” is no label: write key=value, one a line");
                Problem::invalid_field("label_scope", detail)
            })
        })
        .collect()
}

/// The token of this id; tokens are few.
async fn find(facade: &mut Facade, signed: &SignedIn, id: &str) -> Answer<Row> {
    let mut cursor = String::new();
    loop {
        let found = list(facade, signed, MAX_PAGE_SIZE, cursor.clone()).await?;
        let is_last = found.items.len() < MAX_PAGE_SIZE as usize;
        let mut items = found.items.into_iter();
        if let Some(token) = items.find(|token| token.id == id) {
            return Ok(row(token, signed));
        }
        cursor = found.page.unwrap_or_default().next_cursor;
        if is_last || cursor.is_empty() {
            let status = StatusCode::NOT_FOUND;
            return Err(Problem::new(
                status,
                "token_not_found",
                "there is no such token",
            ));
        }
    }
}

async fn confirm(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfToken>,
) -> Answer<Response> {
    let token = find(&mut facade, &signed, &id).await?;
    revoking(&signed, None, token)
}

fn revoking(signed: &SignedIn, refused: Option<Refused>, token: Row) -> Answer<Response> {
    let status = Refused::status(refused.as_ref());
    let page = Page::new(signed, Nav::Tokens, "Revoke a token");
    html_with(
        status,
        &RevokePage {
            page,
            refused,
            token,
        },
    )
}

async fn revoke(
    State(mut facade): State<Facade>,
    signed: SignedIn,
    Id { id, .. }: Id<OfToken>,
) -> Answer<Response> {
    let asked = v1::RevokeTokenRequest { id: id.clone() };
    match facade.tokens.revoke(signed.caller.request(asked)).await {
        Ok(token) => {
            signed.flash(text::token_revoked(&token.into_inner().name));
            Ok(see_other(PATH))
        }
        Err(status) if status.code() == tonic::Code::FailedPrecondition => {
            let token = find(&mut facade, &signed, &id).await?;
            revoking(&signed, Some(status.into()), token)
        }
        Err(status) => Err(status.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::labels;

    #[test]
    fn labels_one_a_line() {
        let read = labels(" team = red \r\n\r\nregion=eu=1\n").expect("labels");
        assert_eq!(read.len(), 2);
        assert_eq!(read["team"], "red");
        assert_eq!(read["region"], "eu=1");
        assert!(labels("").expect("none").is_empty());
        assert!(labels("team").is_err());
    }
}
