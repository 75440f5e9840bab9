//! What can't be undone is asked about first.

use std::io::{self, Write as _};

use super::{failure::Failure, output, session::can_ask};

/// Asks on the terminal, unless the answer was given with `--yes`.
///
/// # Errors
/// When nobody is there to be asked, or the answer is no.
pub(super) fn ask(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !can_ask() {
        return Err(Failure::Usage(
            "nobody can be asked here: say --yes if you mean it".into(),
        ));
    }
    let mut answer = String::new();
    eprint!("{} [y/N] ", output::plain(question));
    io::stderr().flush()?;
    io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::Failed("nothing was changed".into()))
    }
}
