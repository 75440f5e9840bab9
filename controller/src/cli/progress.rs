//! How far long work is: for people who wait at a terminal, and nobody else.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar up to `length` of `unit`s.
pub(super) fn bar(length: usize, unit: &str) -> ProgressBar {
    let style = format!("{{wide_bar}} {{pos}} of {{len}} {unit}, {{eta}} left");
    drawn(length as u64, &style)
}

/// A bar up to so many bytes.
pub(super) fn bytes_bar(length: u64) -> ProgressBar {
    drawn(length, "{wide_bar} {bytes} of {total_bytes}, {eta} left")
}

fn drawn(length: u64, style: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    bar.set_style(ProgressStyle::with_template(style).expect("a template of known words"));
    bar.tick();
    bar
}
