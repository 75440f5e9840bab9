//! `wgfleet login` and `logout`: which controller is meant from now on, and as whom.

use std::{io::IsTerminal as _, path::Path};

use zeroize::Zeroizing;

use super::{
    client::Client,
    credentials::{Credentials, Login},
    failure::Failure,
    flags::Options,
    output::{Output, note},
    secret,
    session::{given_token, named, read_ca},
};

/// Tries the token and writes it down.
pub(super) async fn login(options: Options, controller: Option<String>) -> Result<(), Failure> {
    let token = given_token(&options)?;
    let url = named(controller.or(options.url).as_deref())?.ok_or_else(|| {
        Failure::Usage("which controller? `wgfleet login https://HOST:PORT`".into())
    })?;
    if url.is_exposed() {
        note(
            "the token will cross the network unencrypted: use https:// where others could listen",
        );
    }
    let token = match token {
        Some(token) => token,
        None => ask_for_token()?,
    };
    let ca_pem = options.ca_file.as_deref().map(read_ca).transpose()?;
    let client = Client::new(url.clone(), ca_pem.as_deref(), &token)?;
    let who = client.read("/whoami").await?;
    let mut credentials = Credentials::load()?;
    credentials.put(&url, Login { token, ca_pem });
    let path = credentials.save()?;
    let text = |field: &str| who[field].as_str().unwrap_or_default();
    Output::new(options.output).done(
        super::token::COLUMNS,
        &who,
        &format!(
            "logged in to {url} as {}, {}; the token is in {}",
            text("name"),
            text("role"),
            path.display()
        ),
    )
}

/// Forgets the token.
pub(super) fn logout(options: &Options) -> Result<(), Failure> {
    let mut credentials = Credentials::load()?;
    let last = || credentials.last().map(|(url, _)| url);
    let url = named(options.url.as_deref())?.or_else(last);
    match url {
        Some(url) if credentials.remove(&url) => {
            credentials.save()?;
            Output::new(options.output).line(&format!(
                "forgot the token for {url}; it stays valid until it is revoked"
            ))
        }
        _ => Err(Failure::Usage("nobody is logged in there".into())),
    }
}

fn ask_for_token() -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return secret::read(Path::new("-"), "token");
    }
    let token = rpassword::prompt_password("token (it does not show): ")?;
    let token = Zeroizing::new(token);
    match token.trim() {
        "" => Err(Failure::Permission("no token was given".into())),
        trimmed => Ok(Zeroizing::new(trimmed.to_owned())),
    }
}
