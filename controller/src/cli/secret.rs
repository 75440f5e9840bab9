//! Secrets, from where nobody else can read them.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use zeroize::Zeroizing;

use super::failure::Failure;

/// The secret in a file, or with `-` on standard input, without the white space around it.
///
/// # Errors
/// When it can't be read, or there is none.
pub(super) fn read(path: &Path, what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let from = if path == Path::new("-") {
        io::stdin()
            .read_to_string(&mut text)
            .map_err(Failure::reading(Path::new("standard input")))?;
        "standard input".to_owned()
    } else {
        text = Zeroizing::new(fs::read_to_string(path).map_err(Failure::reading(path))?);
        path.display().to_string()
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Failure::Data(format!("there is no {what} in {from}")));
    }
    Ok(Zeroizing::new(trimmed.to_owned()))
}
