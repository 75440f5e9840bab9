//! Every method of every service, taken from the `.proto` files: none can be forgotten.

use std::{collections::BTreeMap, path::Path};

use bytes::{Buf, BufMut};
use tonic::{
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use super::{super::rules::RULES, *};

/// What names one thing in a request.
const ID_FIELDS: [&str; 3] = ["id", "node_id", "peer_id"];
/// Methods whose id narrows a list down, or says where something new goes.
const NOT_BY_ID: [&str; 4] = [
    "wgfleet.v1.PeerService/List",
    "wgfleet.v1.PeerService/Create",
    "wgfleet.v1.EventService/Watch",
    "wgfleet.v1.AuditService/List",
];

const UNLIMITED: AccessLimits = AccessLimits {
    token_rate: 0,
    token_burst: 1,
    auth_failure_rate: 0,
    auth_failure_burst: 1,
};

/// Messages as bytes.
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        from.advance(from.remaining());
        Ok(Some(()))
    }
}

/// All methods of the `.proto` files, with the number of the field that names one thing.
fn methods() -> BTreeMap<String, Option<i32>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/proto");
    let files = std::fs::read_dir(root.join("wgfleet/v1")).expect("the files");
    let files = files.map(|file| file.expect("a file").path());
    let set = protox::compile(files, [root]).expect("they compile");
    let mut methods = BTreeMap::new();
    for service in set.file.iter().flat_map(|file| &file.service) {
        for method in &service.method {
            let messages = set.file.iter().flat_map(|file| &file.message_type);
            let mut messages =
                messages.filter(|it| format!(".wgfleet.v1.{}", it.name()) == method.input_type());
            let input = messages.next().expect("its message");
            let mut fields = input.field.iter();
            let number = fields.find_map(|field| {
                let is_id = ID_FIELDS.contains(&field.name());
                is_id.then(|| field.number())
            });
            let name = format!("wgfleet.v1.{}/{}", service.name(), method.name());
            methods.insert(name, number);
        }
    }
    methods
}

async fn call(world: &World, method: &str, token: &str, message: Vec<u8>) -> Result<(), Status> {
    let mut client = Grpc::new(world.routes.clone());
    client.ready().await.expect("always ready");
    let path = format!("/{method}").parse().expect("a path");
    let answer = client.server_streaming(by(token, message), path, Bytes);
    answer.await.map(drop)
}

#[test]
fn each_has_a_rule() {
    let ruled: Vec<_> = RULES.iter().map(|rule| rule.method.to_owned()).collect();
    let mut found: Vec<_> = methods().into_keys().collect();
    found.sort_unstable_by_key(|method| ruled.iter().position(|rule| rule == method));
    assert_eq!(found, ruled);
}

#[tokio::test]
async fn each_keeps_to_its_rule() {
    let world = World::with(UNLIMITED).await;
    let roles = [Role::Viewer, Role::Operator, Role::Admin];
    for role in roles {
        world.token(role.as_str(), role, &[]).await;
    }
    world.token("scoped", Role::Admin, &[("team", "red")]).await;
    for rule in RULES {
        let code = async |token: &str| {
            let outcome = call(&world, rule.method, token, Vec::new()).await;
            outcome.map_or_else(|status| status.code(), |()| Code::Ok)
        };
        assert_eq!(code("").await, Code::Unauthenticated, "{}", rule.method);
        assert_eq!(
            code("guess").await,
            Code::Unauthenticated,
            "{}",
            rule.method
        );
        let mut may = false;
        for role in roles {
            may |= role == rule.role;
            let code = code(role.as_str()).await;
            let (refused, who) = (code == Code::PermissionDenied, role.as_str());
            assert_eq!(refused, !may, "{} by {who}: {code:?}", rule.method);
            assert_ne!(code, Code::Unauthenticated, "{} by {who}", rule.method);
        }
        let refused = code("scoped").await == Code::PermissionDenied;
        assert_eq!(refused, !rule.scoped, "{}", rule.method);
    }
}

#[tokio::test]
async fn what_is_outside_a_scope_is_not_found() {
    let world = World::new().await;
    world.token("all", Role::Operator, &[]).await;
    world.token("red", Role::Operator, &[("team", "red")]).await;
    let (blue, red) = (
        world.node("blue-1", "blue", 1).await,
        world.node("red-1", "red", 2).await,
    );
    let theirs = world.peer("all", "theirs", Some(blue)).await.expect("made");
    let ours = world.peer("red", "ours", Some(red)).await.expect("made");
    let methods = methods();
    let by_id = |method: &str, node: NodeId, peer: &str| {
        let field = methods[method].filter(|_| !NOT_BY_ID.contains(&method))?;
        let is_peer = method.contains("PeerService");
        let id = if is_peer {
            peer.to_owned()
        } else {
            node.to_string()
        };
        let tag = u8::try_from(field << 3 | 2).expect("a low number");
        let length = u8::try_from(id.len()).expect("short");
        Some([&[tag, length], id.as_bytes()].concat())
    };
    let mut asked = 0;
    for rule in RULES.iter().filter(|rule| rule.scoped) {
        let Some(message) = by_id(rule.method, blue, &theirs.id) else {
            continue;
        };
        let outcome = call(&world, rule.method, "red", message).await;
        let status = outcome.expect_err(rule.method);
        assert_eq!(status.code(), Code::NotFound, "{}: {status:?}", rule.method);
        let code = wgfleet_code(&status);
        assert!(
            code == Some("node_not_found") || code == Some("peer_not_found"),
            "{}: {code:?}",
            rule.method
        );
        asked += 1;
    }
    assert!(asked >= 15, "only {asked} methods take an id");
    for method in ["wgfleet.v1.NodeService/Get", "wgfleet.v1.PeerService/Get"] {
        let message = by_id(method, red, &ours.id).expect("by id");
        call(&world, method, "red", message).await.expect(method);
    }
}
