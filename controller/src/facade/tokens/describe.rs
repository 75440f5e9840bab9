//! The routes of tokens, for programs.

use serde_json::json;

use super::{
    super::openapi::{Operation, samples},
    CreateToken, Created, OfToken, Page, Token,
};

const TAG: &str = "Tokens";

pub(in crate::facade) fn operations() -> Vec<Operation> {
    let page: Page<Token> = Page::new(vec![samples::token()], samples::page());
    let created = Created {
        row: samples::token().into(),
        token: "wgf_S3fV8sCqYHkGxYJmJz5fWw3dA2r0K9uE1pLtQnB7oXc".into(),
    };
    let new = json!({"name": "billing", "role": "operator", "label_scope": {"region": "eu"}});
    vec![
        Operation::get("/tokens", "listTokens")
            .does(
                TAG,
                "All tokens, oldest first",
                "Those that expired or were revoked, too; never their text.",
            )
            .page()
            .answers(&page, "A page of tokens."),
        Operation::post("/tokens", "createToken")
            .does(TAG, "Makes a token", "Its text is shown this once.")
            .body::<CreateToken>(new)
            .refuses(409, &["name_taken"])
            .creates(&created, "The token."),
        Operation::delete("/tokens/{id}", "revokeToken")
            .does(
                TAG,
                "Takes a token out of use",
                "From the next request on; it stays listed. A second time changes nothing.",
            )
            .of::<OfToken>()
            .refuses(409, &["last_admin_token"])
            .answers(&Token::from(samples::token()), "The token as it is now."),
        Operation::get("/whoami", "whoAmI")
            .does(TAG, "The token that asks", "")
            .answers(&Token::from(samples::token()), "The token."),
    ]
}
