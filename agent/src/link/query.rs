//! Questions to rtnetlink, each over a connection of its own.
//!
//! They are rare, and so none can be mixed up with an event, whose sequence number may be any.

use std::{future::Future, io, net::IpAddr, time::Duration};

use futures_util::StreamExt;
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};
use rtnetlink::Handle;
use wire_contract::InterfaceName;

use super::LinkKind;
use crate::wireguard::{BackendError, Link};

/// How long an answer may take; the kernel gives it at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a listing is begun before it is given up.
const LISTING_ATTEMPTS: u32 = 10;
/// `ENODEV`, asm-generic/errno-base.h.
const NO_SUCH_DEVICE: i32 = rustix::io::Errno::NODEV.raw_os_error();

/// All links of a kind with their numbers.
pub(super) async fn links(kind: LinkKind) -> Result<Vec<(u32, InterfaceName)>, BackendError> {
    let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let messages = listing("listing links", request).await?;
    let links = messages.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => link_of(kind, &link),
        _ => None,
    });
    Ok(links.collect())
}

/// One link of a kind with its addresses.
pub(super) async fn link(kind: LinkKind, name: &InterfaceName) -> Result<Link, BackendError> {
    let link = link_by_name(name).await?;
    if !is_of(kind, &link) {
        return Err(BackendError::InterfaceNotFound);
    }
    let mtu = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Mtu(mtu) => Some(*mtu),
            _ => None,
        });
    let ifindex = link.header.index;
    Ok(Link {
        ifindex,
        mtu: mtu.unwrap_or_default(),
        up: link.header.flags.contains(LinkFlags::Up),
        addresses: addresses(ifindex).await?,
    })
}

/// The number and name of a link, if it is of that kind.
pub(super) fn link_of(kind: LinkKind, link: &LinkMessage) -> Option<(u32, InterfaceName)> {
    let name = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => name.parse().ok(),
            _ => None,
        });
    name.filter(|_| is_of(kind, link))
        .map(|name| (link.header.index, name))
}

fn is_of(kind: LinkKind, link: &LinkMessage) -> bool {
    let wanted = match kind {
        LinkKind::WireGuard => InfoKind::Wireguard,
        LinkKind::Tun => InfoKind::Tun,
    };
    link.header.interface_family == AddressFamily::Unspec
        && link.attributes.iter().any(|attribute| match attribute {
            LinkAttribute::LinkInfo(infos) => infos
                .iter()
                .any(|info| matches!(info, LinkInfo::Kind(kind) if *kind == wanted)),
            _ => false,
        })
}

async fn link_by_name(name: &InterfaceName) -> Result<LinkMessage, BackendError> {
    const DOING: &str = "looking a link up";
    let mut request = LinkMessage::default();
    request
        .attributes
        .push(LinkAttribute::IfName(name.as_str().to_owned()));
    let request = RouteNetlinkMessage::GetLink(request);
    let answer = answered(DOING, |handle| {
        collect(DOING, handle, request, NLM_F_REQUEST)
    })
    .await;
    let answer = match answer {
        Err(BackendError::Refused(error)) if error.raw_os_error() == Some(NO_SUCH_DEVICE) => {
            return Err(BackendError::InterfaceNotFound);
        }
        answer => answer?,
    };
    let link = answer
        .messages
        .into_iter()
        .find_map(|message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(link),
            _ => None,
        });
    link.ok_or(BackendError::InterfaceNotFound)
}

async fn addresses(ifindex: u32) -> Result<Vec<String>, BackendError> {
    // The kernel dumps every link's addresses unless asked strictly, which old ones can't be.
    let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let messages = listing("listing addresses", request).await?;
    let addresses = messages.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewAddress(address) if address.header.index == ifindex => {
            let own = own_address(&address)?;
            Some(format!("{own}/{}", address.header.prefix_len))
        }
        _ => None,
    });
    Ok(addresses.collect())
}

/// `IFA_LOCAL` where there is one: on a point-to-point link `IFA_ADDRESS` is the other end's.
fn own_address(message: &AddressMessage) -> Option<IpAddr> {
    let attributes = message.attributes.iter();
    let local = attributes.clone().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let address = attributes.clone().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    local.or(address)
}

struct Answer {
    messages: Vec<RouteNetlinkMessage>,
    is_interrupted: bool,
}

/// A dump, begun again until nothing changed during it.
async fn listing(
    doing: &'static str,
    request: RouteNetlinkMessage,
) -> Result<Vec<RouteNetlinkMessage>, BackendError> {
    for _ in 0..LISTING_ATTEMPTS {
        let flags = NLM_F_REQUEST | NLM_F_DUMP;
        let request = request.clone();
        let answer = answered(doing, |handle| collect(doing, handle, request, flags)).await?;
        if !answer.is_interrupted {
            return Ok(answer.messages);
        }
    }
    let last = format!("{doing}: it changed meanwhile");
    Err(BackendError::Inconsistent {
        attempts: LISTING_ATTEMPTS,
        last,
    })
}

async fn collect(
    doing: &'static str,
    mut handle: Handle,
    request: RouteNetlinkMessage,
    flags: u16,
) -> Result<Answer, BackendError> {
    let mut request = NetlinkMessage::from(request);
    request.header.flags = flags;
    let mut answers = handle
        .request(request)
        .map_err(|error| failed(doing, &error))?;
    let mut answer = Answer {
        messages: Vec::new(),
        is_interrupted: false,
    };
    while let Some(message) = answers.next().await {
        answer.is_interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(message) => answer.messages.push(message),
            NetlinkPayload::Error(error) => return Err(BackendError::Refused(error.to_io())),
            NetlinkPayload::Done(done) if done.code != 0 => {
                let errno = done.code.saturating_abs();
                return Err(BackendError::Refused(io::Error::from_raw_os_error(errno)));
            }
            NetlinkPayload::Overrun(_) => answer.is_interrupted = true,
            _ => {}
        }
    }
    Ok(answer)
}

fn failed(doing: &'static str, error: &rtnetlink::Error) -> BackendError {
    BackendError::Io {
        doing,
        source: io::Error::other(error.to_string()),
    }
}

/// Runs `question` and the connection it is asked over, side by side.
async fn answered<T, F>(
    doing: &'static str,
    question: impl FnOnce(Handle) -> F,
) -> Result<T, BackendError>
where
    F: Future<Output = Result<T, BackendError>>,
{
    let (mut connection, handle, _events) =
        rtnetlink::new_connection().map_err(|source| BackendError::Io { doing, source })?;
    // The end of a dump may be all that tells of a change during it.
    connection.set_forward_done(true);
    let question = tokio::time::timeout(ANSWER_TIMEOUT, question(handle));
    tokio::select! {
        // First, since an answer may have come with the end of the connection.
        biased;
        answer = question => match answer {
            Ok(answer) => answer,
            Err(_) => Err(BackendError::Io { doing, source: io::ErrorKind::TimedOut.into() }),
        },
        () = connection => {
            Err(BackendError::Io { doing, source: io::ErrorKind::ConnectionAborted.into() })
        }
    }
}
