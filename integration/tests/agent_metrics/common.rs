//! An agent that shows metrics, and who looks at them.

use wgfleet_integration::{
    agent::{Agent, Config},
    client::{Address, Client, Response},
};

pub(crate) const PATH: &str = "/metrics";

pub(crate) struct Watched {
    pub(crate) agent: Agent,
    pub(crate) watcher: Client,
}

impl Watched {
    pub(crate) fn start(peers: u32, arguments: &[&str]) -> Self {
        Self::of(Config::simulated("wg0", peers).arguments(arguments))
    }

    pub(crate) fn of(config: Config) -> Self {
        let agent = config
            .arguments(&["--metrics-listen", "127.0.0.1:0"])
            .start();
        // Said before the agent says that it listens.
        let log = agent.log();
        let (_, rest) = log.split_once("metrics on http://").expect("it says where");
        let (address, _) = rest.split_once(PATH).expect("the path");
        let address = Address::Tcp(address.parse().expect("an address"));
        // It signs, which nobody asks for and which must not matter.
        let watcher = Client::new(address, "signed with anything");
        Self { agent, watcher }
    }

    /// The page as it is now.
    #[track_caller]
    pub(crate) fn page(&self) -> String {
        let answer = self.watcher.get(PATH);
        assert_eq!(answer.status, 200, "{answer:?}");
        text(&answer)
    }
}

pub(crate) fn text(answer: &Response) -> String {
    String::from_utf8(answer.body.clone()).expect("a text")
}

/// The value of a sample, named with its labels and without the prefix.
#[track_caller]
pub(crate) fn sample(page: &str, series: &str) -> u64 {
    let series = format!("wgfleet_agent_{series} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&series));
    let value = line.unwrap_or_else(|| panic!("no {series} in\n{page}"));
    value.parse().expect("a whole number")
}
