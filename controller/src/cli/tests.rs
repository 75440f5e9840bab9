//! What holds of all commands.

use clap::Command;

use super::command;

/// Values that are no secrets, though their names have a word of one.
const HARMLESS: [&str; 1] = ["public_key"];
const TELLING: [&str; 6] = ["secret", "token", "key", "password", "credential", "psk"];

fn each(command: &Command, visit: &mut impl FnMut(&Command)) {
    visit(command);
    for inner in command.get_subcommands() {
        each(inner, visit);
    }
}

#[test]
fn flags_fit_together() {
    command().debug_assert();
}

/// The command line of a program can be read by every user of the host.
#[test]
fn no_flag_takes_a_secret() {
    let mut seen = 0;
    each(&command(), &mut |command| {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let telling = TELLING.iter().any(|word| id.contains(word));
            let takes_value = argument.get_action().takes_values();
            if !telling || !takes_value || HARMLESS.contains(&id) {
                continue;
            }
            // `token revoke TOKEN` takes a name.
            let is_name = id == "token" && command.get_name() == "revoke";
            assert!(
                id.ends_with("_file") || is_name,
                "{} {id}",
                command.get_name()
            );
            seen += 1;
        }
    });
    assert!(seen > 5, "{seen}");
}

#[test]
fn everything_says_what_it_is_for() {
    each(&command(), &mut |command| {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name}");
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{name}: {}",
                argument.get_id()
            );
        }
    });
}
