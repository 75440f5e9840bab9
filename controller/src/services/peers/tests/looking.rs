//! Lists and client configurations.

use wgfleet_proto::v1::{
    GetPeerConfigRequest, ListPeersRequest, ListPeersResponse, PageRequest, PeerSort,
};

use super::*;

impl Fixture {
    async fn list(&self, request: ListPeersRequest) -> Result<ListPeersResponse, Status> {
        let answer = self.client.clone().list(signed(request)).await?;
        Ok(answer.into_inner())
    }

    async fn pages(&self, mut request: ListPeersRequest, page_size: u32) -> Vec<String> {
        let mut names = Vec::new();
        let mut cursor = String::new();
        loop {
            request.page = Some(PageRequest { page_size, cursor });
            let answer = self.list(request.clone()).await.expect("a page");
            names.extend(answer.items.into_iter().map(|peer| peer.name));
            let page = answer.page.expect("always");
            assert_eq!(page.total, 7);
            cursor = page.next_cursor;
            if cursor.is_empty() {
                return names;
            }
        }
    }
}

#[tokio::test]
async fn pages_hold_everything_once_in_every_order() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    for name in ["d", "b", "g", "a", "f", "c", "e"] {
        fixture.create(named(name)).await.expect("a peer");
    }
    for online in [None, Some(false)] {
        for sort in (0..=7).map(|sort| PeerSort::try_from(sort).expect("an order")) {
            let request = ListPeersRequest {
                online,
                sort: sort.into(),
                ..ListPeersRequest::default()
            };
            let mut names = fixture.pages(request, 3).await.concat();
            match sort {
                PeerSort::Unspecified | PeerSort::Name => assert_eq!(names, "abcdefg"),
                PeerSort::NameDesc => assert_eq!(names, "gfedcba"),
                PeerSort::CreatedAt => assert_eq!(names, "dbgafce", "all at once: by id"),
                _ => {
                    names = String::from_iter(std::collections::BTreeSet::from_iter(names.chars()));
                    assert_eq!(names, "abcdefg");
                }
            }
        }
    }
}

#[tokio::test]
async fn filters_hold_together_and_bad_ones_name_their_field() {
    let fixture = Fixture::new().await;
    fixture.node(ONLINE).await;
    let mut request = named("laptop");
    request.labels = [("team".to_owned(), "blue".to_owned())].into();
    fixture.create(request).await.expect("a peer");
    fixture.create(named("phone")).await.expect("a peer");
    let filter = ListPeersRequest {
        q: "10.8.0".into(),
        label: [("team".to_owned(), "blue".to_owned())].into(),
        ..ListPeersRequest::default()
    };
    let found = fixture.list(filter.clone()).await.expect("a page");
    assert_eq!(found.items.len(), 1);
    let online = ListPeersRequest {
        online: Some(true),
        ..filter
    };
    assert!(fixture.list(online).await.expect("a page").items.is_empty());
    let with = |page| ListPeersRequest {
        page: Some(page),
        ..ListPeersRequest::default()
    };
    let huge = PageRequest {
        page_size: 1001,
        cursor: String::new(),
    };
    assert_eq!(refusal(fixture.list(with(huge)).await).2, "page_size");
    let foreign = PageRequest {
        page_size: 0,
        cursor: "nonsense".into(),
    };
    assert_eq!(refusal(fixture.list(with(foreign)).await).2, "cursor");
    let sort = ListPeersRequest {
        sort: 99,
        ..ListPeersRequest::default()
    };
    assert_eq!(refusal(fixture.list(sort).await).2, "sort");
}

#[tokio::test]
async fn the_configuration_is_what_wg_quick_reads() {
    const NODE_KEY: &str = "NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNk=";
    const PEER_KEY: &str = "PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPM=";
    const PRESHARED: &str = "GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGg=";
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let request = CreatePeerRequest {
        public_key: PEER_KEY.into(),
        preshared_key: preshared(Choice::Key(PRESHARED.into())),
        persistent_keepalive: Some(25),
        ..named("Anna's laptop")
    };
    let peer = fixture.create(request).await.expect("a peer");
    let mut client = fixture.client.clone();
    let request = GetPeerConfigRequest { id: peer.id };
    let early = client.get_config(signed(request.clone())).await;
    let unknown = (
        Code::FailedPrecondition,
        "node_key_unknown".into(),
        String::new(),
    );
    assert_eq!(refusal(early), unknown);
    let key = NODE_KEY.parse().expect("a key");
    let learn = move |tx: &crate::store::WriteTx<'_>| node_status::learn_public_key(tx, node, &key);
    fixture.core.store.write(learn).await.expect("a key");
    let answer = client.get_config(signed(request)).await;
    let answer = answer.expect("a configuration").into_inner();
    let expected = format!(
        "# Anna's laptop on node-1\n[Interface]\n\
         # PrivateKey = (yours: the one that belongs to {PEER_KEY})\n\
         Address = 10.8.0.2/32, fd00:8::2/128\nDNS = 10.8.0.1\nMTU = 1420\n\n[Peer]\n\
         PublicKey = {NODE_KEY}\nPresharedKey = {PRESHARED}\nAllowedIPs = 0.0.0.0/0, ::/0\n\
         Endpoint = vpn.example.com:51820\nPersistentKeepalive = 25\n"
    );
    assert_eq!(answer.config, expected);
    assert_eq!(
        (answer.file_name.as_str(), answer.complete),
        ("Anna-s-laptop.conf", false)
    );
}

#[tokio::test]
async fn a_kept_private_key_is_in_the_configuration_each_time() {
    let fixture = Fixture::new().await;
    let node = fixture.node(ONLINE).await;
    let key = "NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNk=";
    let key = key.parse().expect("a key");
    let learn = move |tx: &crate::store::WriteTx<'_>| node_status::learn_public_key(tx, node, &key);
    fixture.core.store.write(learn).await.expect("a key");
    let peer = fixture.create(named("laptop")).await.expect("a peer");
    let mut client = fixture.client.clone();
    let mut configs = Vec::new();
    for _ in 0..2 {
        let request = GetPeerConfigRequest {
            id: peer.id.clone(),
        };
        let answer = client.get_config(signed(request)).await;
        let answer = answer.expect("a configuration").into_inner();
        assert!(answer.complete && answer.config.contains("\nPrivateKey = "));
        configs.push(answer.config);
    }
    assert_eq!(configs[0], configs[1]);
    fixture.token("viewer", Role::Viewer).await;
    let request = signed_as("viewer", GetPeerConfigRequest { id: peer.id });
    assert_eq!(
        refusal(client.get_config(request).await).0,
        Code::PermissionDenied
    );
}
