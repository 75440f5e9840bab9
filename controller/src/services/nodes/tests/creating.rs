//! Adding nodes.

use super::*;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

#[tokio::test]
async fn a_node_is_online_when_the_answer_comes() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, Some(KEY)).await);
    let mut request = node(" node-1 ", &agent.url, SECRET);
    request.ip_pool_cidr = "10.8.0.1/24,fd00:8::/64".into();
    request.reserved_ips = vec!["10.8.0.9".into()];
    request.labels.insert("region".into(), "eu".into());
    let answer = world.create(request).await.unwrap();
    let created = answer.node.unwrap();
    assert_eq!(answer.secret, None);
    assert_eq!((created.name.as_str(), created.weight), ("node-1", 100));
    assert_eq!(created.ip_pool_cidr, "10.8.0.0/24, fd00:8::/64");
    assert_eq!(created.reserved_ips, ["10.8.0.9"]);
    assert_eq!(created.status(), v1::NodeStatus::Online, "{created:?}");
    assert_eq!(
        (created.version.as_str(), created.public_key.as_str()),
        ("1.2.3", KEY)
    );
    assert!(created.enabled && created.warnings.is_empty());
    assert_eq!(world.get(&created.id).await.unwrap().name, "node-1");
    let audited = world.audited(&created.id).await;
    assert_eq!(audited[0].action, "node.create");
    assert!(!format!("{audited:?}").contains(SECRET));
}

#[tokio::test]
async fn a_secret_is_made_and_shown_once() {
    let (world, url) = (World::new().await, nobody().await);
    let mut request = node("node-1", &url, "");
    request.secret = None;
    let answer = world.create(request).await.unwrap();
    assert_eq!(answer.secret.unwrap().len(), 43);
    let created = answer.node.unwrap();
    assert_ne!(created.status(), v1::NodeStatus::Online);
    let mut second = node("node-2", &url, "");
    second.wg_interface = "wg1".into();
    second.secret = None;
    let answer = world.create(second).await.unwrap();
    assert_eq!(answer.secret, None, "the agent has one already");
}

#[tokio::test]
async fn what_is_taken_is_refused_and_named() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, Some(KEY)).await);
    world.node("node-1", &agent, "").await;
    let nobody = nobody().await;
    let taken = |name: &str, url: &str, secret: &str| world.create(node(name, url, secret));
    let same_name = taken("node-1", &nobody, OTHER_SECRET).await;
    let same_interface = taken("node-2", &agent.url, SECRET).await;
    let other_secret = taken("node-2", &agent.url, OTHER_SECRET).await;
    let same_secret = taken("node-2", &nobody, SECRET).await;
    agent.host.lock().unwrap().secrets.push(OTHER_SECRET.into());
    let other_url = agent.url.replace("127.0.0.1", "localhost");
    let same_key = taken("node-2", &other_url, OTHER_SECRET).await;
    for (outcome, code) in [
        (same_name, "name_taken"),
        (same_interface, "interface_taken"),
        (other_secret, "interface_taken"),
        (same_secret, "secret_taken"),
        (same_key, "public_key_taken"),
    ] {
        let status = assert_refused(outcome, Code::AlreadyExists, code);
        assert!(status.message().contains("the node node-1"), "{status:?}");
        assert!(!status.message().contains(SECRET));
    }
    let mut other_interface = node("node-2", &agent.url, "a third secret, of 32 bytes also");
    other_interface.wg_interface = "wg1".into();
    let outcome = world.create(other_interface).await;
    assert_refused(outcome, Code::FailedPrecondition, "secret_differs");
    let request = world.ask(v1::ListNodesRequest::default());
    let all = world.client().list(request).await;
    assert_eq!(all.unwrap().into_inner().items.len(), 1);
}

#[tokio::test]
async fn each_bad_field_is_named() {
    let world = World::new().await;
    let good = || node("node-1", "http://127.0.0.1:9", SECRET);
    type Spoil = fn(&mut CreateNodeRequest);
    let bad: [(&str, Spoil); 14] = [
        ("name", |n| n.name = " ".into()),
        ("agent_url", |n| n.agent_url = "ftp://x".into()),
        ("wg_interface", |n| n.wg_interface = "../x".into()),
        ("endpoint", |n| n.endpoint = "x".into()),
        ("ip_pool_cidr", |n| n.ip_pool_cidr = "10.0.0.256/24".into()),
        ("secret", |n| n.secret = Some("short".into())),
        ("labels", |n| {
            drop(n.labels.insert("a b".into(), "c".into()));
        }),
        ("unmanaged_peers", |n| n.unmanaged_peers = 99),
        ("reserved_ips", |n| n.reserved_ips = vec!["x".into()]),
        ("public_key", |n| n.public_key = "x".into()),
        ("dns", |n| n.dns = vec!["a\nb".into()]),
        ("mtu", |n| n.mtu = Some(1)),
        ("client_allowed_ips", |n| {
            n.client_allowed_ips = vec!["x".into()];
        }),
        ("persistent_keepalive", |n| {
            n.persistent_keepalive = Some(65_536);
        }),
    ];
    for (field, spoil) in bad {
        let mut request = good();
        spoil(&mut request);
        assert_invalid(world.create(request).await, field);
    }
    let mut request = good();
    request.tls_ca_pem = "x".into();
    assert_invalid(world.create(request).await, "tls_ca_pem");
}

#[tokio::test]
async fn what_deserves_a_look_is_a_warning() {
    let (world, agent) = (World::new().await, Agent::start(SECRET, None).await);
    world.node("node-1", &agent, "10.8.0.0/16").await;
    let mut request = node("node-2", "http://192.0.2.1:9", "sixteen bytes ok");
    request.ip_pool_cidr = "10.8.3.0/24".into();
    request.enabled = Some(false);
    let created = world.create(request).await.unwrap().node.unwrap();
    assert_eq!(created.warnings.len(), 3, "{:?}", created.warnings);
    assert!(created.warnings[2].contains("node-1"));
    assert_eq!(created.status(), v1::NodeStatus::Disabled);
}

#[tokio::test]
async fn nobody_comes_in_without_a_token() {
    let world = World::new().await;
    let mut client = world.client();
    let request = v1::ListNodesRequest::default;
    let outcome = client.list(request()).await;
    assert_refused(outcome, Code::Unauthenticated, "unauthenticated");
    let mut wrong = Request::new(request());
    wrong
        .metadata_mut()
        .insert("authorization", "Bearer x".parse().unwrap());
    let outcome = client.list(wrong).await;
    assert_refused(outcome, Code::Unauthenticated, "unauthenticated");
    assert!(client.list(world.ask(request())).await.is_ok());
    let changed = crate::services::auth::TokensChanged(world.core.access.clone());
    let revoke = move |tx: &crate::store::WriteTx<'_>| {
        let all = crate::store::tokens::list(tx)?;
        crate::store::tokens::revoke(tx, all[0].id, 2)?;
        Ok(changed)
    };
    drop(world.core.change(revoke).await.unwrap());
    let outcome = client.list(world.ask(request())).await;
    assert_refused(outcome, Code::Unauthenticated, "unauthenticated");
}

#[tokio::test]
async fn a_viewer_looks_and_no_more() {
    use crate::store::{Role, TokenId, tokens};
    let mut world = World::new().await;
    let row = tokens::TokenRow {
        id: TokenId::generate(),
        name: "viewer".into(),
        role: Role::Viewer,
        label_scope: Default::default(),
        expires_at: None,
        revoked_at: None,
        created_at: 1,
        last_used_at: None,
    };
    let hash = crate::services::auth::hash_token("viewing");
    let add = world
        .core
        .change(move |tx| Ok(tokens::create(tx, &row, &hash)?));
    add.await.unwrap();
    world.token = "viewing".into();
    let list = world
        .client()
        .list(world.ask(v1::ListNodesRequest::default()))
        .await;
    assert!(list.is_ok());
    let outcome = world
        .create(node("node-1", "http://127.0.0.1:9", SECRET))
        .await;
    assert_refused(outcome, Code::PermissionDenied, "forbidden");
}
