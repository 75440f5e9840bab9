//! What every command works with: the controller and where answers go.

use std::{
    env, fs,
    io::{self, IsTerminal as _},
    path::Path,
};

use zeroize::Zeroizing;

use super::{
    client::{Client, ControllerUrl},
    credentials::{Credentials, Login},
    failure::Failure,
    flags::Options,
    output::Output,
    secret,
};

/// The variable a token may be in.
pub(super) const TOKEN_VARIABLE: &str = "WGFLEET_TOKEN";

/// A controller, and somewhere to write what it says.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) output: Output,
}

impl Session {
    /// With what flags, variables and the last login say, in this order.
    ///
    /// # Errors
    /// When it is not known which controller is meant, or there is no token for it.
    pub(super) fn open(options: &Options) -> Result<Self, Failure> {
        let given = given_token(options)?;
        // What the flags say needs no file, and no complaint about one.
        let (url, login) = match (named(options.url.as_deref())?, &given) {
            (Some(url), Some(_)) => (url, None),
            (Some(url), None) => {
                let login = Credentials::load()?.of(&url);
                (url, login)
            }
            (None, _) => {
                let (url, login) = Credentials::load()?.last().ok_or_else(unknown)?;
                (url, Some(login))
            }
        };
        let (token, ca_pem) = match login {
            Some(Login { token, ca_pem }) => (Some(token), ca_pem),
            None => (None, None),
        };
        let token = given.or(token).ok_or_else(|| no_token(&url))?;
        let ca_pem = match options.ca_file.as_deref() {
            Some(path) => Some(read_ca(path)?),
            None => ca_pem,
        };
        Ok(Self {
            client: Client::new(url, ca_pem.as_deref(), &token)?,
            output: Output::new(options.output),
        })
    }
}

/// The token of flags or variables.
///
/// # Errors
/// When the file can't be read, or has none.
pub(super) fn given_token(options: &Options) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(path) = options.token_file.as_deref() {
        return secret::read(path, "token").map(Some);
    }
    let token = env::var(TOKEN_VARIABLE).ok();
    let token = token.map(|text| Zeroizing::new(text.trim().to_owned()));
    Ok(token.filter(|text| !text.is_empty()))
}

/// The controller of flags or variables. What is wrong with it is not repeated: it may hold a password.
///
/// # Errors
/// When it can't be one.
pub(super) fn named(url: Option<&str>) -> Result<Option<ControllerUrl>, Failure> {
    url.map(|text| text.parse().map_err(Failure::Usage))
        .transpose()
}

/// Authorities in PEM.
///
/// # Errors
/// When the file can't be read.
pub(super) fn read_ca(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(Failure::reading(path))
}

/// Whether there is a person to ask.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn unknown() -> Failure {
    Failure::Usage(
        "which controller? Log in once, `wgfleet login URL`, or name it with --url or WGFLEET_URL"
            .into(),
    )
}

fn no_token(url: &ControllerUrl) -> Failure {
    Failure::Permission(format!(
        "there is no token for {url}: `wgfleet login {url}`, or name it with --token-file or WGFLEET_TOKEN"
    ))
}
