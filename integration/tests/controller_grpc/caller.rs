//! A controller that offers its inner services, and who calls them.

use std::{future::Future, time::Duration};

use tonic::{
    Code, Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use wgfleet_integration::{
    agent::{self, Agent, SECRET},
    client::Address,
    controller::{self, Controller},
    eventually,
};
use wgfleet_proto::v1::{
    CreateNodeRequest, dispatch_service_client::DispatchServiceClient,
    event_service_client::EventServiceClient, node_service_client::NodeServiceClient,
    peer_service_client::PeerServiceClient,
};

pub(crate) const SOON: Duration = Duration::from_secs(60);
const SAYS_WHERE: &str = "the inner services listen on ";

/// Where the services are offered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Loopback,
    UnixSocket,
}

pub(crate) const PLACES: [Place; 2] = [Place::Loopback, Place::UnixSocket];

/// A running controller, and an agent it may manage.
pub(crate) struct Offered {
    pub(crate) controller: Controller,
    pub(crate) agent: Agent,
    /// As tonic takes it.
    uri: String,
    /// Its directory goes last.
    _place: tempfile::TempDir,
}

/// Shows its token, when it has one, with each call.
#[derive(Clone)]
pub(crate) struct Shows(Option<MetadataValue<Ascii>>);

impl Interceptor for Shows {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

type Via = InterceptedService<Channel, Shows>;

/// The generated clients.
pub(crate) struct Caller {
    pub(crate) nodes: NodeServiceClient<Via>,
    pub(crate) peers: PeerServiceClient<Via>,
    pub(crate) workers: DispatchServiceClient<Via>,
    pub(crate) events: EventServiceClient<Via>,
}

impl Offered {
    pub(crate) fn start(place: Place) -> Self {
        let directory = tempfile::TempDir::with_prefix("wgfleet-grpc-").expect("a directory");
        let listen = match place {
            Place::Loopback => "127.0.0.1:0".to_owned(),
            Place::UnixSocket => format!("unix:{}", directory.path().join("socket").display()),
        };
        let controller = controller::Config::new()
            .poll_interval("300ms")
            .arguments(&["--grpc-listen", &listen])
            // Every call is tried without a good token, one right after the other.
            .arguments(&["--auth-failure-rate", "0"])
            .start();
        let where_it_is = eventually(SOON, "it says where the services are", || {
            let log = controller.log();
            let line = log.lines().find_map(|line| line.split_once(SAYS_WHERE))?;
            Some(line.1.trim().to_owned())
        });
        let uri = match place {
            Place::Loopback => format!("http://{where_it_is}"),
            Place::UnixSocket => where_it_is.replace("unix:", "unix://"),
        };
        Self {
            controller,
            agent: agent::Config::simulated("wg0", 0).start(),
            uri,
            _place: directory,
        }
    }

    /// Who shows the administrator's token.
    pub(crate) async fn admin(&self) -> Caller {
        let path = self.controller.data_dir().join("admin-token");
        let token = std::fs::read_to_string(path).expect("there once it listens");
        self.caller(Some(token.trim())).await
    }

    /// Who shows this token, or none.
    pub(crate) async fn caller(&self, token: Option<&str>) -> Caller {
        let endpoint = Endpoint::from_shared(self.uri.clone()).expect("a URI");
        let endpoint = endpoint.connect_timeout(SOON).timeout(SOON);
        // Not much is on its way that was not asked for.
        let endpoint = endpoint.initial_stream_window_size(65_535);
        let channel = endpoint.connect().await.expect("it listens");
        let shows = Shows(token.map(|token| {
            let value = format!("Bearer {token}");
            value.parse().expect("tokens are ASCII")
        }));
        Caller {
            nodes: NodeServiceClient::with_interceptor(channel.clone(), shows.clone()),
            peers: PeerServiceClient::with_interceptor(channel.clone(), shows.clone()),
            workers: DispatchServiceClient::with_interceptor(channel.clone(), shows.clone()),
            events: EventServiceClient::with_interceptor(channel, shows),
        }
    }

    /// What it takes to make the agent a node.
    pub(crate) fn node(&self, name: &str) -> CreateNodeRequest {
        let Address::Tcp(address) = self.agent.address() else {
            panic!("it listens on TCP")
        };
        CreateNodeRequest {
            name: name.to_owned(),
            agent_url: format!("http://{address}"),
            wg_interface: "wg0".into(),
            ip_pool_cidr: "10.8.0.0/24".into(),
            secret: Some(SECRET.to_owned()),
            ..CreateNodeRequest::default()
        }
    }

    /// Public keys of the peers the agent has.
    pub(crate) fn shown(&self) -> Vec<String> {
        let dump = self.agent.client().dump("wg0");
        let peers = dump["peers"].as_array().expect("a list").iter();
        peers
            .map(|peer| peer["public_key"].as_str().expect("a key").to_owned())
            .collect()
    }
}

/// Runs what a test has to say to the services.
pub(crate) fn run(test: impl Future<Output = ()>) {
    // With a thread beside the test's own: connections are kept while the test waits for something.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(test);
}

/// The refusal in an answer that must be one: its code and the stable code of the REST API.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Code, String) {
    let status = answer.expect_err("it must be refused");
    let stable = status.metadata().get("wgfleet-code");
    let stable = stable.map(|value| value.to_str().expect("a text").to_owned());
    (status.code(), stable.unwrap_or_default())
}
