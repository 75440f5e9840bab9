//! Where the controller is.

use std::{fmt, str::FromStr};

use crate::agent_client::{AgentUrl, InvalidAgentUrl};

const API: &str = "/api/v1";

/// `http://host:port[/prefix]`, `https://host:port[/prefix]` or `unix:///path/to.sock`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) struct ControllerUrl(AgentUrl);

impl ControllerUrl {
    pub(super) const fn origin(&self) -> &AgentUrl {
        &self.0
    }

    /// Whether the token could be read on the way.
    pub(in crate::cli) fn is_exposed(&self) -> bool {
        self.0.is_exposed()
    }

    /// What stands on the wire for a path below `/api/v1`.
    pub(super) fn target(&self, path: &str) -> String {
        format!("{}{API}{path}", self.0.prefix())
    }
}

impl FromStr for ControllerUrl {
    type Err = String;

    /// Takes the address of the API as well: it stands in the documentation.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches('/');
        let text = text.strip_suffix(API).unwrap_or(text);
        text.parse().map(Self).map_err(|error| match error {
            InvalidAgentUrl::UserInfo => {
                "the controller's address has no user or password in it; `wgfleet login` takes the \
                 token"
                    .to_owned()
            }
            InvalidAgentUrl::Scheme => {
                "the controller's address starts with http://, https:// or unix:///".to_owned()
            }
            other => other
                .to_string()
                .replace("an agent URL", "the controller's address"),
        })
    }
}

impl fmt::Display for ControllerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::ControllerUrl;

    #[test]
    fn paths_are_below_the_api() {
        for (text, shown, target) in [
            (
                "http://127.0.0.1:10086",
                "http://127.0.0.1:10086",
                "/api/v1/nodes",
            ),
            (
                "https://Example.com/api/v1/",
                "https://example.com",
                "/api/v1/nodes",
            ),
            (
                "https://example.com/wg/",
                "https://example.com/wg",
                "/wg/api/v1/nodes",
            ),
            (
                "unix:///run/wgfleet.sock",
                "unix:///run/wgfleet.sock",
                "/api/v1/nodes",
            ),
        ] {
            let url: ControllerUrl = text.parse().expect(text);
            assert_eq!(
                (url.to_string().as_str(), url.target("/nodes").as_str()),
                (shown, target)
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_of_a_controller() {
        for text in [
            "",
            "example.com",
            "ftp://a",
            "https://u:p@a",
            "https://a?b",
            "https://a:0",
        ] {
            let error = text.parse::<ControllerUrl>().expect_err(text);
            assert!(!error.contains("agent"), "{error}");
        }
    }
}
