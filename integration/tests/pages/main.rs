//! The controller's pages in a real browser.
//!
//! What people do is told in `integration/browser/stories/NAME.mjs` (`story.mjs` there says how); a line
//! below makes a test of it, on a fleet of its own ([`fleet::Small`]).

mod fleet;
mod large;

use std::time::Duration;

/// Two slow processors take it for everything but the large fleet.
const A_STORY: Duration = Duration::from_secs(240);

/// Declares a test for each story.
macro_rules! stories {
    ($($test:ident: $story:literal,)*) => {$(
        #[test]
        fn $test() {
            fleet::Small::start().play($story, A_STORY);
        }
    )*};
}

#[test]
fn tls() {
    fleet::Small::secured().play("tls", A_STORY);
}

stories! {
    sign_in: "sign-in",
    overview: "overview",
    nodes: "nodes",
    administering: "administering",
    copying: "copying",
    peers: "peers",
}
