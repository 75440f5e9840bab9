//! What `wgfleet login` writes down: controllers, and a token for each.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, DirBuilder, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{client::ControllerUrl, failure::Failure};

const FILE: &str = "credentials.toml";
/// Anything for group or others.
const FOREIGN: u32 = 0o077;

/// The file: the controller that was logged in to last, and a token for each.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    last: Option<String>,
    #[serde(default)]
    controllers: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_pem: Option<String>,
}

/// How to come in to one controller. No `Debug`: it holds the token.
pub(super) struct Login {
    pub(super) token: Zeroizing<String>,
    /// Authorities to trust instead of the system's.
    pub(super) ca_pem: Option<String>,
}

impl Credentials {
    /// Reads the file; nothing when there is none.
    ///
    /// # Errors
    /// When others can read it too: then so can they the tokens.
    pub(super) fn load() -> Result<Self, Failure> {
        let path = path()?;
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::reading(&path)(error)),
        };
        let mode = file.metadata().map_err(Failure::reading(&path))?;
        if mode.permissions().mode() & FOREIGN != 0 {
            let path = path.display();
            return Err(Failure::Permission(format!(
                "{path} can be read by others, and holds tokens: `chmod 600 {path}`, and revoke them if \
                 somebody may have read them"
            )));
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text)
            .map_err(Failure::reading(&path))?;
        // Its errors quote the line, which may be the token's.
        toml::from_str(&text).map_err(|_| {
            let path = path.display();
            Failure::Usage(format!(
                "{path} is not what `wgfleet login` writes: log in again, or remove it"
            ))
        })
    }

    /// The token for that controller.
    pub(super) fn of(&self, url: &ControllerUrl) -> Option<Login> {
        self.controllers.get(&url.to_string()).map(Into::into)
    }

    /// The controller that was logged in to last.
    pub(super) fn last(&self) -> Option<(ControllerUrl, Login)> {
        let url = self.last.as_ref()?.parse().ok()?;
        let login = self.of(&url)?;
        Some((url, login))
    }

    /// Notes a login.
    pub(super) fn put(&mut self, url: &ControllerUrl, login: Login) {
        let token = login.token.to_string();
        let ca_pem = login.ca_pem;
        self.last = Some(url.to_string());
        self.controllers
            .insert(url.to_string(), Entry { token, ca_pem });
    }

    /// Forgets that controller; whether there was something to forget.
    pub(super) fn remove(&mut self, url: &ControllerUrl) -> bool {
        let url = url.to_string();
        if self.last.as_ref() == Some(&url) {
            self.last = None;
        }
        self.controllers.remove(&url).is_some()
    }

    /// Writes the file, readable by its owner alone, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn save(&self) -> Result<PathBuf, Failure> {
        let path = path()?;
        let directory = path.parent().expect("a file is in a directory");
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        made.map_err(Failure::writing(directory))?;
        let text = toml::to_string(self).expect("texts are always TOML");
        let text = Zeroizing::new(text);
        write_private(&path, text.as_bytes(), true)?;
        Ok(path)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.token.zeroize();
    }
}

impl From<&Entry> for Login {
    fn from(entry: &Entry) -> Self {
        Self {
            token: Zeroizing::new(entry.token.clone()),
            ca_pem: entry.ca_pem.clone(),
        }
    }
}

/// Writes a file of mode 0600 that is there whole or not at all.
///
/// # Errors
/// When it can't be written, or exists and is not to be replaced.
pub(super) fn write_private(path: &Path, bytes: &[u8], replace: bool) -> Result<(), Failure> {
    let failed = || Failure::writing(path);
    let mut file = private_beside(path).map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    let kept = if replace {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    kept.map(drop).map_err(|error| failed()(error.error))
}

/// A file of mode 0600 that can take the place of `path`.
pub(super) fn private_beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o600))
        .prefix(".wgfleet-")
        .tempfile_in(directory)
}

/// `$XDG_CONFIG_HOME/wgfleet/credentials.toml`, and without that variable below `~/.config`.
fn path() -> Result<PathBuf, Failure> {
    let named = |variable| {
        env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let config = named("XDG_CONFIG_HOME").or_else(|| Some(named("HOME")?.join(".config")));
    let config = config.ok_or_else(|| {
        Failure::Usage("neither XDG_CONFIG_HOME nor HOME says where the credentials are".into())
    })?;
    Ok(config.join("wgfleet").join(FILE))
}
