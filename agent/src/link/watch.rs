//! Listens to links, and lists them again whenever something may have gone unheard.

use std::{io, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::MulticastGroup;
use tokio::sync::broadcast;

use super::{
    LinkKind,
    query::{link_of, links},
    table::Table,
};
use crate::wireguard::LinkEvent;

/// Between two attempts at what failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// A connection that hears of links. It asks nothing: an event may carry any sequence number, and
/// would be taken for the answer.
pub(super) struct Subscription {
    connection: Pin<Box<dyn Future<Output = ()> + Send>>,
    messages: Pin<Box<dyn Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Send>>,
}

impl Subscription {
    pub(super) fn open() -> io::Result<Self> {
        let (connection, handle, messages) =
            rtnetlink::new_multicast_connection(&[MulticastGroup::Link])?;
        drop(handle);
        let messages = messages.map(|(message, _)| message);
        Ok(Self {
            connection: Box::pin(connection),
            messages: Box::pin(messages),
        })
    }
}

/// Keeps `events` told; subscribes again when the connection ends.
pub(super) async fn run(
    mut subscription: Subscription,
    kind: LinkKind,
    events: broadcast::Sender<LinkEvent>,
) {
    let mut watcher = Watcher {
        kind,
        table: Table::default(),
        events,
    };
    loop {
        let Subscription {
            connection,
            messages,
        } = subscription;
        tokio::select! {
            () = connection => {}
            () = watcher.follow(messages) => {}
        }
        tracing::warn!("the connection to rtnetlink ended; subscribing to links again");
        subscription = subscribed().await;
    }
}

async fn subscribed() -> Subscription {
    loop {
        match Subscription::open() {
            Ok(subscription) => return subscription,
            Err(error) => {
                tracing::warn!(%error, "can't subscribe to links; trying again");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}

struct Watcher {
    kind: LinkKind,
    table: Table,
    events: broadcast::Sender<LinkEvent>,
}

impl Watcher {
    async fn follow(
        &mut self,
        mut messages: impl Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Unpin,
    ) {
        // After subscribing, so that nothing falls in between.
        self.list_again().await;
        while let Some(message) = messages.next().await {
            match message.payload {
                NetlinkPayload::InnerMessage(message) => self.heard(message),
                NetlinkPayload::Overrun(_) => {
                    tracing::warn!("rtnetlink dropped messages; listing links again");
                    self.list_again().await;
                }
                _ => {}
            }
        }
    }

    fn heard(&mut self, message: RouteNetlinkMessage) {
        match message {
            RouteNetlinkMessage::NewLink(link) => {
                if let Some((ifindex, name)) = link_of(self.kind, &link) {
                    let events = self.table.seen(ifindex, name);
                    self.publish(events);
                }
            }
            // A bridge reports a port it lost in the same way, under its own family.
            RouteNetlinkMessage::DelLink(link)
                if link.header.interface_family == AddressFamily::Unspec =>
            {
                let event = self.table.gone(link.header.index);
                self.publish(event);
            }
            _ => {}
        }
    }

    async fn list_again(&mut self) {
        loop {
            match links(self.kind).await {
                Ok(listing) => {
                    let events = self.table.relisted(listing);
                    return self.publish(events);
                }
                Err(error) => {
                    tracing::warn!(%error, "can't list links; trying again");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    fn publish(&self, events: impl IntoIterator<Item = LinkEvent>) {
        for event in events {
            tracing::debug!(?event, "link event");
            // Nobody may be listening.
            let _ = self.events.send(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use netlink_packet_core::NetlinkHeader;
    use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};

    use super::*;

    fn link(ifindex: u32, name: &str, kind: InfoKind) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = ifindex;
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]),
        ];
        link
    }

    fn message(
        payload: NetlinkPayload<RouteNetlinkMessage>,
    ) -> NetlinkMessage<RouteNetlinkMessage> {
        NetlinkMessage::new(NetlinkHeader::default(), payload)
    }

    fn new_link(link: LinkMessage) -> NetlinkMessage<RouteNetlinkMessage> {
        message(NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(
            link,
        )))
    }

    fn del_link(link: LinkMessage) -> NetlinkMessage<RouteNetlinkMessage> {
        message(NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(
            link,
        )))
    }

    /// What is published for these messages on a host that has none of the links.
    async fn published(messages: Vec<NetlinkMessage<RouteNetlinkMessage>>) -> Vec<LinkEvent> {
        published_of(LinkKind::WireGuard, messages).await
    }

    async fn published_of(
        kind: LinkKind,
        messages: Vec<NetlinkMessage<RouteNetlinkMessage>>,
    ) -> Vec<LinkEvent> {
        let (events, mut receiver) = broadcast::channel(16);
        let mut watcher = Watcher {
            kind,
            table: Table::default(),
            events,
        };
        watcher.follow(stream::iter(messages)).await;
        drop(watcher);
        let mut published = Vec::new();
        while let Ok(event) = receiver.recv().await {
            published.push(event);
        }
        published
    }

    fn appeared(name: &str, ifindex: u32) -> LinkEvent {
        LinkEvent::Appeared {
            name: name.parse().expect("a good name"),
            ifindex,
        }
    }

    fn gone(name: &str, ifindex: u32) -> LinkEvent {
        LinkEvent::Gone {
            name: name.parse().expect("a good name"),
            ifindex,
        }
    }

    #[tokio::test]
    async fn only_wireguard_links_are_events() {
        let messages = vec![
            new_link(link(90_001, "lab-dummy", InfoKind::Dummy)),
            new_link(link(90_002, "lab-wg", InfoKind::Wireguard)),
            del_link(link(90_001, "lab-dummy", InfoKind::Dummy)),
            del_link(link(90_002, "lab-wg", InfoKind::Wireguard)),
        ];
        assert_eq!(
            published(messages).await,
            [appeared("lab-wg", 90_002), gone("lab-wg", 90_002)]
        );
    }

    #[tokio::test]
    async fn only_links_of_the_kind_asked_for_are_events() {
        let messages = vec![
            new_link(link(90_001, "lab-wg", InfoKind::Wireguard)),
            new_link(link(90_002, "lab-tun", InfoKind::Tun)),
            del_link(link(90_001, "lab-wg", InfoKind::Wireguard)),
            del_link(link(90_002, "lab-tun", InfoKind::Tun)),
        ];
        assert_eq!(
            published_of(LinkKind::Tun, messages).await,
            [appeared("lab-tun", 90_002), gone("lab-tun", 90_002)]
        );
    }

    #[tokio::test]
    async fn a_bridge_that_loses_a_port_is_no_event() {
        let mut port = link(90_002, "lab-wg", InfoKind::Wireguard);
        port.header.interface_family = AddressFamily::Bridge;
        let messages = vec![
            new_link(link(90_002, "lab-wg", InfoKind::Wireguard)),
            del_link(port),
        ];
        assert_eq!(published(messages).await, [appeared("lab-wg", 90_002)]);
    }

    #[tokio::test]
    async fn an_overrun_lists_again() {
        let messages = vec![
            new_link(link(90_002, "lab-wg", InfoKind::Wireguard)),
            message(NetlinkPayload::Overrun(Vec::new())),
        ];
        // The listing shows this host's links, and 90002 is none of them.
        assert_eq!(
            published(messages).await,
            [appeared("lab-wg", 90_002), gone("lab-wg", 90_002)]
        );
    }
}
